"""The log: one line for each fact, told apart, bounded, without secrets."""

from __future__ import annotations

import pytest

from ikevd.addresses import Endpoint, Path
from ikevd.errors import Said
from ikevd.facts import Dropped, Established, Failed, Heard, Hint, Note, Repeated, Sent
from ikevd.observe import log
from ikevd.observe.history import Record
from ikevd.policy.settings import LogFormat
from ikevd.wire.registry import NotifyType
from tests.builders import ALICE, ALICE_TO_BOB, BOB
from tests.observe.book import TWO, Book, listening


def drop(reason: str = "the HASH does not match") -> Dropped:
    return Dropped("MM2", Said(reason), "InvalidHash", 76)


def test_each_fact_is_one_line_with_its_level() -> None:
    book = listening()
    record = book.negotiation()
    for fact in (
        Sent("MM1", ("SA", "VID"), bytes(136), ALICE_TO_BOB),
        Heard("MM2", ("SA",), bytes(104), ALICE_TO_BOB),
        Repeated("MM2", answered=True),
        Hint(NotifyType.NO_PROPOSAL_CHOSEN),
        Note(Said("a note")),
        Established(Said("ISAKMP SA")),
        Failed(Said("no answer"), "NoAnswer"),
        drop(),
    ):
        record.add(fact)
    assert [(line["level"], line["event"]) for line in book.lines()] == [
        ("debug", "sent"),
        ("debug", "heard"),
        ("debug", "repeated"),
        ("info", "hint"),
        ("info", "note"),
        ("info", "established"),
        ("warning", "failed"),
        ("warning", "dropped"),
    ]


def test_every_line_names_its_negotiation() -> None:
    book = listening()
    book.negotiation(message_id=0xABC).add(Note(Said("a note")))
    (line,) = book.lines()
    assert (line["connection"], line["peer"], line["spi"], line["message_id"]) == (
        "berlin",
        "198.51.100.1:500",
        f"{'31' * 8}:{'61' * 8}",
        "00000abc",
    )


def test_a_console_line_shows_the_same() -> None:
    book = listening(style=LogFormat.CONSOLE)
    book.negotiation().add(Failed(Said("probable pre-shared key mismatch: it does not decrypt"), "ProbablePskMismatch"))
    (line,) = book.stream.getvalue().splitlines()
    assert "probable pre-shared key mismatch: it does not decrypt" in line
    assert f"spi={'31' * 8}:{'61' * 8}" in line
    assert "\x1b" not in line


@pytest.mark.parametrize(
    "which",
    [
        log.Filter(spi="31313131"),
        log.Filter(spi="0x6161"),
        log.Filter(names=frozenset({"berlin"})),
        log.Filter(peer="198.51.100.1"),
    ],
    ids=str,
)
def test_a_filter_tells_simultaneous_negotiations_apart(which: log.Filter) -> None:
    book = listening(which)
    first, second = book.negotiation(), book.negotiation(TWO, connection="munich")
    second.peer = Endpoint(ALICE, 500)
    for _ in range(2):
        first.add(Note(Said("of the first")))
        second.add(Note(Said("of the second")))
    assert {line["text"] for line in book.lines()} == {"of the first"}


def test_a_negotiation_that_goes_well_is_quiet_at_level_info() -> None:
    book = listening(level="info")
    record = book.negotiation()
    record.add(Sent("MM1", ("SA", "VID"), bytes(136), ALICE_TO_BOB))
    record.add(Heard("MM2", ("SA",), bytes(104), ALICE_TO_BOB))
    record.add(Established(Said("ISAKMP SA")))
    assert len(book.lines()) == 1


def test_the_first_repetition_is_news_and_later_ones_are_not() -> None:
    book = listening(level="info")
    record = book.negotiation()
    for copy in (1, 2, 3, 4):
        record.add(Sent("MM1", ("SA",), bytes(136), ALICE_TO_BOB, copy=copy))
    assert [line["copy"] for line in book.lines()] == [2]


def test_the_peer_of_a_line_follows_the_path() -> None:
    book = listening()
    book.negotiation().add(Heard("MM2", ("SA",), bytes(104), Path(ALICE_TO_BOB.local, Endpoint(BOB, 4500))))
    assert book.lines()[0]["peer"] == "198.51.100.1:4500"


# -- what strangers can cause -------------------------------------------------------------------------------------


def test_a_flood_of_bad_messages_from_one_address_is_one_line_a_minute() -> None:
    book = listening(level="info")
    for number in range(500):
        book.negotiation().add(drop(f"whatever the peer makes up: {number}"))
    book.now += 61
    book.negotiation().add(drop())
    assert [(line["event"], line.get("count")) for line in book.lines()] == [
        ("dropped", None),
        ("lines held back", 499),
        ("dropped", None),
    ]


def test_what_is_held_back_is_still_there_for_debugging() -> None:
    book = listening(level="debug")
    for _ in range(3):
        book.negotiation().add(drop())
    assert [line["level"] for line in book.lines()] == ["warning", "debug", "debug"]


def test_strangers_of_five_hundred_addresses_fail_in_ten_lines_and_a_summary() -> None:
    book = listening(level="info")
    for number in range(500):
        book.negotiation(connection=None, source=number).add(Failed(Said(f"no answer from {number}"), "NoAnswer"))
    book.now += 60
    book.negotiation().add(Note(Said("an hour later")))
    *failures, summary, _ = book.lines()
    assert [line["event"] for line in failures] == ["failed"] * 10
    assert (summary["event"], summary["count"]) == ("lines held back", 490)


def test_strangers_with_many_reasons_are_bounded_in_all() -> None:
    book = listening(level="info")
    for number in range(5000):
        book.negotiation(connection=None, source=number).add(Failed(Said("odd"), f"Error{number}"))
    assert len(book.lines()) == 60


def test_hints_that_anybody_can_forge_are_limited() -> None:
    book = listening(level="info")
    record = book.negotiation()
    for _ in range(100):
        record.add(Hint(NotifyType.NO_PROPOSAL_CHOSEN))
    assert len(book.lines()) == 1


def test_a_flood_of_strangers_hides_no_warning_of_a_connection() -> None:
    book = listening(level="info")
    for number in range(500):
        book.negotiation(connection=None, source=1 + number).add(Failed(Said("odd"), f"Error{number}"))
    book.negotiation(TWO).add(drop())
    assert book.lines()[-1]["connection"] == "berlin"


def test_a_flood_at_a_connection_for_any_peer_hides_no_warning_of_another() -> None:
    book = listening(level="info")
    for number in range(500):
        book.negotiation(connection="anybody", source=1 + number).add(Failed(Said("odd"), f"Error{number}"))
    book.negotiation(TWO).add(drop())
    assert len(book.lines()) == 61
    assert book.lines()[-1]["connection"] == "berlin"


def assumed(book: Book, connection: str = "berlin", source: int = 0) -> Record:
    """A record that names a connection because it fits the address: nothing is proven."""
    record = book.negotiation(connection=None, source=source)
    record.connection = connection
    return record


def test_what_peers_announce_before_they_are_authenticated_is_one_line_a_minute_for_each_address() -> None:
    book = listening(level="info")
    for _ in range(500):
        assumed(book).add(Note(Said("the peer announces whatever it likes")))
    assert len(book.lines()) == 1


def test_messages_sent_again_to_peers_that_are_not_authenticated_are_limited() -> None:
    book = listening(level="info")
    for _ in range(500):
        assumed(book).add(Sent("AM2", ("SA",), bytes(136), ALICE_TO_BOB, copy=2))
    assert len(book.lines()) == 1


def test_who_only_fits_the_address_of_a_connection_hides_no_warning_of_the_connection_itself() -> None:
    book = listening(level="info")
    for number in range(500):
        assumed(book, source=number).add(Failed(Said("odd"), f"Error{number}"))
        assumed(book, source=number).add(drop())
    shown = len(book.lines())
    proven(book).add(drop())
    assert len(book.lines()) == shown + 1


def proven(book: Book, connection: str = "berlin", source: int = 0) -> Record:
    """A record of a peer that is authenticated."""
    record = assumed(book, connection, source)
    record.belongs_to(connection)
    return record


def test_a_thousand_notes_of_an_authenticated_peer_are_sixty_lines_and_a_summary() -> None:
    book = listening(level="info")
    for _ in range(1000):
        proven(book).add(Note(Said("the peer deleted an IPsec SA")))
    book.now += 60
    proven(book).add(Note(Said("a minute later")))
    *shown, summary, _ = book.lines()
    assert [line["event"] for line in shown] == ["note"] * log.LINES_OF_A_PEER
    assert (summary["event"], summary["connection"], summary["count"]) == ("lines held back", "berlin", 940)


def test_an_authenticated_peer_hides_nothing_of_another_of_the_same_connection() -> None:
    book = listening(level="info")
    for _ in range(1000):
        proven(book).add(Note(Said("the peer deleted an IPsec SA")))
    proven(book, source=1).add(Established(Said("ISAKMP SA")))
    assert book.lines()[-1]["event"] == "established"


@pytest.mark.parametrize("level", ["warning", "error"])
def test_at_a_level_that_writes_nothing_nothing_is_remembered(level: str) -> None:
    facts = log.FactLog(log.Filter())
    book = listening(level=level)
    book.history.listen(facts)
    for number in range(100):
        proven(book, f"connection {number}").add(Note(Said("a note")))
        book.negotiation(connection=None, source=number).add(Hint(NotifyType.NO_PROPOSAL_CHOSEN))
        if level == "error":
            book.negotiation(connection=f"other {number}").add(drop())
    assert len(facts) == 0
    assert book.lines() == []


def test_what_is_remembered_of_connections_that_failed_is_forgotten_after_a_minute() -> None:
    facts = log.FactLog(log.Filter())
    book = listening(level="warning")
    book.history.listen(facts)
    for number in range(100):
        book.negotiation(connection=f"connection {number}").add(drop())
    assert len(facts) == 100
    book.now += 60
    book.negotiation().add(drop())
    assert len(facts) == 1


def test_a_negotiation_of_ours_that_fails_is_always_a_warning() -> None:
    book = listening(level="info")
    for _ in range(100):
        book.negotiation(initiator=True).add(Failed(Said("no answer"), "NoAnswer"))
    assert len(book.lines()) == 100


def test_the_same_trouble_is_a_warning_once_a_minute() -> None:
    book = listening(level="info")
    for _ in range(3):
        log.warning("192.0.2.7:500 speaks IKEv2")
    assert len(book.lines()) == 1


def test_strangers_that_are_turned_away_cannot_fill_the_log() -> None:
    book = listening(level="info")
    for port in range(500):
        log.warning(f"192.0.2.7:{port} was turned away: too many half-open negotiations")
    assert len(book.lines()) == 10


def test_every_warning_of_the_configuration_is_told() -> None:
    book = listening(level="info")
    for number in range(100):
        log.config_warning(f"ikevd.yaml:{number}:1: weak")
    assert len(book.lines()) == 100
