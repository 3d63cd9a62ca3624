"""Facts as one object of octets."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import pytest

from ikevd.errors import Said
from ikevd.facts import Dropped, Established, Fact, Failed, Heard, Hint, Note, Repeated, Sent
from ikevd.observe.history import Entry
from ikevd.observe.packed import pack, pickled, unpack
from ikevd.wire.registry import NotifyType
from tests.builders import ALICE_TO_BOB

FACTS: tuple[Fact, ...] = (
    Sent("MM5", ("ID", "HASH"), b"\x00sealed\xff", ALICE_TO_BOB, 2, b"clear"),
    Heard("MM6", ("ID", "HASH"), b"\x00sealed\xff", ALICE_TO_BOB, b"clear"),
    Repeated("MM1", answered=True),
    Dropped("MM2", Said("the HASH does not match \N{SNOWMAN}"), "InvalidHash", 76),
    Hint(NotifyType.NO_PROPOSAL_CHOSEN),
    Hint(NotifyType(40_999)),
    Note(Said("so")),
    Established(Said("up")),
    Failed(Said("silent"), "NoAnswer"),
)


class Colour(IntEnum):
    RED = 1


@dataclass(frozen=True, slots=True)
class Within:
    """A fact of another kind, which nobody has heard of before."""

    text: str | None
    colours: tuple[Colour, ...]
    deeper: tuple[Within, ...] = ()


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: type(fact).__name__)
def test_a_fact_comes_back_as_it_went_in(fact: Fact) -> None:
    assert unpack(pack(*pickled([Entry(7.5, fact)]))) == [Entry(7.5, fact)]


def test_a_value_of_any_frozen_dataclass_comes_back_with_its_type() -> None:
    value = Within("text", (Colour.RED,), (Within(None, ()),))
    (found,) = unpack(pack(*pickled([value])))
    assert found == value
    assert type(found.deeper[0]) is Within
    assert found.colours[0] is Colour.RED


def test_octets_that_several_facts_share_are_packed_once() -> None:
    message = Sent("MM1", ("SA",), bytes(range(256)) * 4, ALICE_TO_BOB)
    copies = [Entry(float(number), message) for number in range(20)]
    assert len(pack(*pickled(copies))) < len(pack(*pickled(copies[:1]))) + 19 * 20


def test_octets_of_an_encrypted_message_are_packed_twice_at_most() -> None:
    copies = [Sent("QM1", ("HASH",), bytes(range(256)) * 4, ALICE_TO_BOB, number, b"clear") for number in range(1, 21)]
    assert unpack(pack(*pickled(copies))) == copies
    assert len(pack(*pickled(copies))) < len(pack(*pickled(copies[:2]))) + 18 * 20


def test_the_order_of_the_facts_stays() -> None:
    entries = [Entry(float(number), fact) for number, fact in enumerate(FACTS)]
    assert unpack(pack(*pickled(entries))) == entries


def test_what_values_have_in_common_with_their_model_takes_no_room() -> None:
    model, _ = pickled([Entry(float(number), fact) for number, fact in enumerate(FACTS)])
    entries = [Entry(number + 0.5, fact) for number, fact in enumerate(FACTS)]
    packed = pack(*pickled(entries), model)
    assert unpack(packed, model) == entries
    assert len(packed) < len(pack(*pickled(entries))) / 3


def test_what_was_packed_before_there_was_a_model_is_read_all_the_same() -> None:
    entries = [Entry(7.5, fact) for fact in FACTS]
    assert unpack(pack(*pickled(entries)), pickled(entries)[0]) == entries
