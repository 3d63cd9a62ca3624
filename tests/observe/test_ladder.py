"""The ladder, drawn from records of real negotiations and from records made by hand."""

from __future__ import annotations

from ikevd.addresses import Endpoint
from ikevd.facts import Dropped, Established, Fact, Failed, Heard, Hint, Note, Repeated, Sent
from ikevd.observe.evidence import record_view
from ikevd.observe.history import History, Record
from ikevd.observe.ladder import WIDTH, ladder
from ikevd.sa.model import Cookies, Spi
from ikevd.wire.registry import ExchangeType, NotifyType
from tests.builders import ALICE_TO_BOB, BOB

COOKIES = Cookies(bytes.fromhex("0123456789abcdef"), bytes.fromhex("fedcba9876543210"))


class Clock:
    """Steps 12.5 ms with every fact."""

    def __init__(self) -> None:
        self.at = 1_700_000_000.0 - 0.0125

    def __call__(self) -> float:
        self.at += 0.0125
        return self.at


def recorded(*facts: Fact, initiator: bool = True, connection: str | None = "berlin") -> Record:
    record = History(Clock()).open(
        ExchangeType.MAIN_MODE, COOKIES, 0, Endpoint(BOB, 500), initiator=initiator, connection=connection
    )
    for fact in facts:
        record.add(fact)
    return record


def drawn(*facts: Fact, initiator: bool = True) -> str:
    return ladder(record_view(recorded(*facts, initiator=initiator)))


SENT = Sent("MM1", ("SA", "VID", "VID"), bytes(136), ALICE_TO_BOB)
HEARD = Heard("MM2", ("SA", "VID"), bytes(104), ALICE_TO_BOB)


def test_an_initiator_stands_left() -> None:
    assert drawn(SENT, HEARD, Established("ISAKMP SA with 198.51.100.1")) == (
        "MAIN_MODE  berlin   2023-11-14 22:13:20.000 UTC\n"
        "cookies 0123456789abcdef:fedcba9876543210   message id 00000000\n"
        "               initiator this side  ──  responder 198.51.100.1:500\n"
        "     12.5 ms   MM1  ──▶  SA VID VID                                      136 B\n"
        "     25.0 ms   MM2  ◀──  SA VID                                          104 B\n"
        "     37.5 ms   result: ISAKMP SA with 198.51.100.1"
    )


def test_a_responder_stands_right() -> None:
    heard, sent = Heard("MM1", ("SA",), bytes(80), ALICE_TO_BOB), Sent("MM2", ("SA",), bytes(80), ALICE_TO_BOB)
    _, _, ends, first, second = drawn(heard, sent, initiator=False).splitlines()
    assert ends.split("──") == ["               initiator 198.51.100.1:500  ", "  responder this side"]
    assert "MM1  ──▶" in first
    assert "MM2  ◀──" in second


def test_repetitions_by_us_are_numbered() -> None:
    assert "MM1  ──▶  again (x2)" in drawn(SENT, Sent("MM1", ("SA",), bytes(136), ALICE_TO_BOB, copy=2))


def test_equal_drops_in_a_row_are_one_line() -> None:
    drop = Dropped("MM4", "the HASH does not match", "InvalidHash", 76)
    drawing = drawn(SENT, drop, drop, drop)
    assert drawing.count("dropped") == 1
    assert "dropped 76 B, awaiting MM4: the HASH does not match (x3)" in drawing


def test_repetitions_by_the_peer_hints_notes_and_failures_are_told() -> None:
    drawing = drawn(
        Repeated("MM1", answered=True),
        Hint(NotifyType.NO_PROPOSAL_CHOSEN),
        Note("ICMP port unreachable from 198.51.100.1"),
        Failed("no MM2 to 3 sends in 5 s", "NoAnswer"),
    )
    for sentence in (
        "the peer repeated MM1, answered again",
        "the peer says, unauthenticated: NO_PROPOSAL_CHOSEN",
        "ICMP port unreachable from 198.51.100.1",
        "failed: no MM2 to 3 sends in 5 s",
    ):
        assert sentence in drawing


def test_the_esp_spis_of_a_quick_mode_are_told() -> None:
    record = recorded(Established("IPsec SA pair"))
    record.spis = Spi(0xC0FFEE01), Spi(0xDEADBEEF)
    assert ladder(record_view(record)).endswith("ESP SPIs  in c0ffee01  out deadbeef")


def test_facts_that_were_not_kept_are_counted() -> None:
    record = recorded()
    record.overflow = 7
    assert "7 more facts" in ladder(record_view(record))


def test_long_sentences_are_wrapped_under_their_beginning() -> None:
    first, second = drawn(Failed("many words " * 14, "NoAnswer")).splitlines()[3:]
    assert max(len(first), len(second)) <= WIDTH
    assert second.startswith((" " * 15 + "many", " " * 15 + "words"))


def test_a_peer_cannot_send_escape_sequences_to_the_terminal() -> None:
    drawing = drawn(Established("ISAKMP SA with \x1b[2Jevil"))
    assert "\x1b" not in drawing
    assert "\\x1b[2Jevil" in drawing


def test_a_stranger_belongs_to_no_connection() -> None:
    assert ladder(record_view(recorded(connection=None))).startswith("MAIN_MODE  no connection")
