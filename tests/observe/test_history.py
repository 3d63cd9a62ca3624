"""What is kept of each negotiation, and who makes way for whom."""

from __future__ import annotations

from itertools import count

import pytest

from ikevd.addresses import Endpoint
from ikevd.errors import Said
from ikevd.facts import Dropped, Established, Fact, Failed, Heard, Note, Repeated, Sent
from ikevd.observe.budget import ALL_OCTETS, CONNECTION_OCTETS, RECORD_OCTETS, weight
from ikevd.observe.history import MAX_PER_CONNECTION, MAX_STRANGERS, MAX_UNPACKED, TAIL, Entry, History, Record
from ikevd.sa.model import Cookies
from ikevd.wire.message import HEADER_OCTETS, Header
from ikevd.wire.registry import ExchangeType, Flags, PayloadType
from tests.builders import ALICE_TO_BOB, BOB, SeededEntropy

COOKIES = Cookies(b"initiato", b"responde")
NOISE = SeededEntropy().octets(60_000)
"""It cannot be compressed."""


def kept(room: int = ALL_OCTETS) -> History:
    clock = count()
    return History(lambda: float(next(clock)), room)


def opened(kept: History, connection: str | None = "berlin") -> Record:
    return kept.open(ExchangeType.INFORMATIONAL, COOKIES, 1, Endpoint(BOB, 500), initiator=False, connection=connection)


def message(size: int, chain: bytes = b"") -> Heard:
    head = Header(*(COOKIES.initiator, COOKIES.responder), PayloadType.HASH, ExchangeType.INFORMATIONAL, Flags(1), 1)
    body = NOISE[: size - HEADER_OCTETS]
    return Heard("INFO", ("HASH", "N"), head.encode(len(body)) + body, ALICE_TO_BOB, chain)


def finished(kept: History, connection: str | None, size: int) -> Record:
    record = opened(kept, connection)
    record.add(message(size))
    record.pack()
    return record


def facts(record: Record) -> list[Fact]:
    return [entry.fact for entry in record.entries]


# -- one record


def test_a_packed_record_tells_the_same_facts_at_the_same_times() -> None:
    record = opened(kept())
    for fact in (message(300), Sent("INFO", ("HASH",), bytes(80), ALICE_TO_BOB), Established(Said("done"))):
        record.add(fact)
    before = record.entries
    record.pack()
    assert record.entries == before
    assert [type(entry) for entry in record.entries] == [Entry] * 3


@pytest.mark.parametrize(
    ("name", "fits"), [("berlin", True), ("lan", True), ("berlin/lan", True), ("paris/lan", False)]
)
def test_a_record_is_found_by_its_connection_its_child_and_both(name: str, fits: bool) -> None:
    record = opened(kept())
    record.belongs_to("berlin", "lan")
    assert record.matches(None, {name}, None) is fits


def test_packing_gives_memory_back() -> None:
    record = opened(kept())
    for _ in range(10):
        record.add(Repeated("MM1", answered=True))
    before = record.octets
    record.pack()
    assert record.octets < before / 2


def test_of_records_that_have_finished_only_the_newest_are_not_packed() -> None:
    history = kept()
    records = [opened(history, f"berlin{number}") for number in range(MAX_UNPACKED + 3)]
    for record in records:
        for _ in range(10):
            record.add(Repeated("MM1", answered=True))
        record.finish()
    smaller = [record.octets < records[-1].octets / 2 for record in records]
    assert smaller == [*[True] * 3, *[False] * MAX_UNPACKED]


def test_what_comes_after_packing_stands_behind_and_is_packed_in_its_turn() -> None:
    record = opened(kept())
    record.add(Established(Said("done")))
    record.pack()
    notes = [Note(Said(f"note {number}")) for number in range(3 * TAIL)]
    for note in notes:
        record.add(note)
    assert facts(record) == [Established(Said("done")), *notes]
    assert record.octets < sum(weight(note) for note in notes) / 2


def test_a_message_for_which_a_record_has_no_room_leaves_its_header_which_tells_its_length() -> None:
    record, first = opened(kept()), message(40_000)
    record.add(first)
    record.add(message(30_000))
    record.add(message(1000))
    assert facts(record)[0] == first
    (_, cut, small) = facts(record)
    assert isinstance(cut, Heard)
    assert len(cut.octets) == HEADER_OCTETS
    assert int.from_bytes(cut.octets[24:28], "big") == 30_000
    assert small == message(1000), "there is room for it"
    assert record.overflow == 0


def test_what_was_in_an_encrypted_message_counts_as_well() -> None:
    record = opened(kept())
    record.add(message(40_000, chain=NOISE[:40_000]))
    (cut,) = facts(record)
    assert isinstance(cut, Heard)
    assert (len(cut.octets), cut.chain) == (HEADER_OCTETS, b"")


def test_a_listener_is_shown_the_whole_message() -> None:
    shelf, shown = kept(), list[Fact]()
    shelf.listen(lambda _, entry: shown.append(entry.fact))
    record = opened(shelf)
    record.add(message(60_000, chain=NOISE))
    assert shown == [message(60_000, chain=NOISE)]


def test_no_number_of_long_messages_makes_a_record_larger_than_its_room() -> None:
    record = opened(kept())
    for size in range(2000, 42_000, 200):
        record.add(message(size))
    assert record.octets <= RECORD_OCTETS
    record.add(Failed(Said("the end"), "NoAnswer"))
    assert facts(record)[-1] == Failed(Said("the end"), "NoAnswer")


@pytest.mark.parametrize(
    "long", [Dropped("MM2", Said("x" * 70_000), "Refused", 9), Failed(Said("x" * 70_000), "Refused")]
)
def test_a_sentence_for_which_there_is_no_room_is_cut(long: Dropped | Failed) -> None:
    record = opened(kept())
    record.add(long)
    (found,) = facts(record)
    assert isinstance(found, Dropped | Failed)
    assert found.finding == Said("x" * 500)


# -- many records


def test_the_evidence_of_a_connection_is_bounded_in_octets_and_the_oldest_makes_way() -> None:
    shelf = kept()
    records = [finished(shelf, "berlin", 60_000) for _ in range(100)]
    left = list(shelf.find())
    assert left == records[-len(left) :]
    assert CONNECTION_OCTETS - RECORD_OCTETS < shelf.octets <= CONNECTION_OCTETS


def test_who_fills_the_own_shelf_pushes_out_nothing_of_others() -> None:
    shelf = kept()
    others = [finished(shelf, "munich", 5000), finished(shelf, None, 5000)]
    for _ in range(100):
        finished(shelf, "berlin", 60_000)
    assert [record for record in shelf.find() if record.connection != "berlin"] == others
    assert [facts(record) for record in others] == [[message(5000)]] * 2


def test_strangers_together_have_the_room_of_one_connection() -> None:
    shelf = kept()
    for _ in range(100):
        finished(shelf, None, 60_000)
    assert shelf.octets <= CONNECTION_OCTETS


def test_of_all_evidence_the_oldest_makes_way_whoever_it_belongs_to() -> None:
    shelf = kept(room=300_000)
    records = [finished(shelf, f"site {number % 7}", 30_000) for number in range(40)]
    left = list(shelf.find())
    assert left == records[-9:]
    assert shelf.octets == sum(record.octets for record in left) <= 300_000


def test_the_number_of_records_is_bounded_as_well() -> None:
    shelf = kept()
    records = [opened(shelf) for _ in range(MAX_PER_CONNECTION + 5)]
    assert list(shelf.find()) == records[5:]


def test_a_record_that_made_way_holds_no_facts_and_takes_none() -> None:
    shelf = kept()
    oldest = opened(shelf)
    oldest.add(message(60_000))
    for _ in range(20):
        finished(shelf, "berlin", 60_000)
    before = shelf.octets
    oldest.add(message(60_000))
    oldest.pack()
    assert (oldest.entries, oldest.overflow, shelf.octets) == ([], 1, before)


def test_a_strangers_record_that_found_its_connection_counts_there() -> None:
    shelf = kept()
    found = finished(shelf, None, 30_000)
    found.belongs_to("berlin")
    for _ in range(100):
        finished(shelf, None, 60_000)
    assert found in shelf.find(connection="berlin")
    for _ in range(100):
        finished(shelf, "berlin", 60_000)
    assert found not in shelf.find(connection="berlin")
    assert shelf.octets <= 2 * CONNECTION_OCTETS


def test_a_strangers_record_that_made_way_before_it_found_its_connection_keeps_what_follows() -> None:
    """A thousand peers call at once."""
    shelf = kept()
    record = opened(shelf, None)
    for _ in range(MAX_STRANGERS):
        opened(shelf, None)
    assert record not in shelf.find()
    record.belongs_to("berlin")
    record.add(Established(Said("at last")))
    assert list(shelf.find(connection="berlin")) == [record]
    assert facts(record) == [Established(Said("at last"))]
    assert shelf.octets == sum(record.octets for record in shelf.find())


def test_what_all_records_take_is_the_sum_of_what_each_takes() -> None:
    shelf = kept()
    for number in range(50):
        record = finished(shelf, None if number % 3 else "berlin", 100 * number + 100)
        record.add(Note(Said("later")))
        if number % 2:
            record.belongs_to("berlin")
    assert shelf.octets == sum(record.octets for record in shelf.find())
