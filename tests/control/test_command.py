"""What a command keeps for a slow reader, and what one that is not done in time says of its last evidence."""

from __future__ import annotations

import asyncio

import pytest

from ikevd.control.command import MAX_WAITING_OCTETS, Command, Evidence
from ikevd.control.interface import Progress
from ikevd.errors import Said
from ikevd.facts import Dropped, Fact, Failed, Heard, Hint, Note, Repeated, Sent
from ikevd.observe.history import Entry
from ikevd.observe.views import entry_view
from ikevd.wire.registry import NotifyType
from tests.builders import ALICE_TO_BOB


def sent(label: str, copy: int = 1) -> Sent:
    return Sent(label, ("HASH",), bytes(76), ALICE_TO_BOB, copy)


HEARD = Heard("MM4", ("KE",), bytes(76), ALICE_TO_BOB)
HINT = Hint(NotifyType.NO_PROPOSAL_CHOSEN)
SAYS = "; the peer says, unauthenticated: NO_PROPOSAL_CHOSEN"


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ([], "no message was sent"),
        ([sent("MM1")], "MM1 sent once, no answer"),
        ([sent("MM5"), sent("MM5", 2), sent("MM5", 3)], "MM5 sent 3 times, no answer"),
        ([sent("MM3"), HEARD], "MM4 was heard"),
        ([sent("MM1"), HINT], "MM1 sent once, no answer" + SAYS),
        ([sent("MM1"), HINT, sent("MM1", 2)], "MM1 sent 2 times, no answer" + SAYS),
        ([sent("MM3"), HINT, HEARD], "MM4 was heard"),
        (
            [sent("MM5"), Dropped("MM6", Said("it does not decrypt"), "ProbablePskMismatch", 76)],
            "MM5 sent once, no answer; awaiting MM6, dropped: it does not decrypt",
        ),
        ([sent("MM1"), Note(Said("port unreachable"))], "MM1 sent once, no answer; port unreachable"),
        ([sent("MM1"), Failed(Said("no answer to MM1"), "NoAnswer")], "no answer to MM1"),
        ([sent("QM1"), sent("INFO"), Repeated("QM2", answered=True)], "QM1 sent once, no answer"),
    ],
)
def test_the_last_evidence_in_words(facts: list[Fact], words: str) -> None:
    evidence = Evidence()
    for fact in facts:
        evidence.add(entry_view(Entry(0.0, fact)))
    assert str(evidence) == words


async def test_long_messages_are_kept_for_a_slow_reader_up_to_a_bound_in_octets() -> None:
    long = entry_view(Entry(0.0, Heard("QM1", ("HASH",), bytes(60_000), ALICE_TO_BOB)))

    async def flood(progress: Progress) -> None:
        for _ in range(500):
            progress(long)

    async with Command(flood, timeout=5) as command:
        await asyncio.sleep(0.01)
        first = await anext(aiter(command))
        lines = [first, *[line async for line in command]]
    assert sum(len(line.get("wire", "")) for line in lines) <= MAX_WAITING_OCTETS
    assert len(lines) > 10
    assert lines[-1] == {"event": "end", "ok": True, "cause": None}
