"""What is planted in the rules of rekeying is caught by the crossings of `test_crossing`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ikevd.frozen import replace
from ikevd.peer import child, crossing, desired, rekey
from ikevd.peer.child_state import ChildState, PairState
from ikevd.sa.model import IpsecSa
from tests.duet import Network
from tests.mutant import Mutant
from tests.negotiation.crossings import against_a_careless_peer, between_two_ikevd
from tests.virtual_time import run

CROSSINGS = 20


def _oldest(state: ChildState) -> IpsecSa | None:
    return next((pair.sa for pair in state.pairs if pair.half is desired.BOTH), None)


def _at_once(left: Any) -> Any:
    def deleted(standing: tuple[PairState, ...], now: float) -> Iterator[PairState]:
        for pair in left(standing, now):
            yield pair if pair.leave_at is None else replace(pair, delete_at=now, leave_at=now)

    return deleted


MUTANTS = (
    Mutant("what we send leaves by the oldest pair", desired, "sending", lambda _: _oldest),
    Mutant("the old pair is deleted as soon as the new one stands", rekey, "_left", _at_once),
    Mutant("no Quick Mode waits for another", crossing, "must_wait", lambda _: lambda *_: False),
    Mutant("a third pair stands", child, "MAX_PAIRS", lambda most: most + 1),
)


def cross() -> None:
    """As the tests of crossings do."""
    assert run(between_two_ikevd(CROSSINGS, Network(), 1)) == 0
    run(against_a_careless_peer(CROSSINGS, 1))


@pytest.mark.long
@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_it_is_caught(mutant: Mutant) -> None:
    with mutant.planted(), pytest.raises(AssertionError):
        cross()
