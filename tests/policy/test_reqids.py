"""The numbers that tie children to the kernel, leased by name."""

from __future__ import annotations

import pytest

from ikevd.errors import LimitReached
from ikevd.policy.reqids import LEASABLE, REQID_FIRST, TRIAL_REQID, Holder, Reqids
from tests.builders import child, connection, fqdn

LAN, DMZ = Holder("berlin", "lan"), Holder("berlin", "dmz")
CLIENT = Holder("roads", "lan", fqdn("laptop.example"), 1)
WHOLE = [Holder("many", str(number)) for number in range(LEASABLE)]


def full() -> Reqids:
    registry = Reqids()
    for number, holder in enumerate(WHOLE):
        registry.restore(holder, REQID_FIRST + number)
    return registry


def test_a_holder_keeps_its_number() -> None:
    registry = Reqids()
    assert registry.lease(LAN) == registry.lease(LAN)
    assert len(registry) == 1


def test_a_name_finds_the_same_number_in_every_process() -> None:
    assert [Reqids().lease(holder) for holder in (LAN, DMZ, CLIENT)] == [0x696B1D76, 0x696BDFBA, 0x696B2F04]


@pytest.mark.parametrize(
    "other",
    [
        Holder("roads", "dmz", CLIENT.identity, 1),
        Holder("other", "lan", CLIENT.identity, 1),
        Holder("roads", "lan", fqdn("phone.example"), 1),
        Holder("roads", "lan", CLIENT.identity, 2),
        Holder("roads", "lan"),
        Holder("roadsl", "an", CLIENT.identity, 1),
    ],
)
def test_each_of_the_names_tells_holders_apart(other: Holder) -> None:
    assert Reqids().lease(other) != Reqids().lease(CLIENT)


def test_who_begins_at_a_number_that_is_taken_gets_the_next_free_one() -> None:
    registry, own = Reqids(), Reqids().lease(LAN)
    for following in range(3):
        registry.restore(Holder("in the way", str(following)), own + following)
    assert registry.lease(LAN) == own + 3


def test_the_search_goes_round_the_end_of_the_range_and_never_takes_the_number_of_trials() -> None:
    registry = full()
    first, last = WHOLE[0], WHOLE[-1]
    registry.release(first)
    assert registry.lease(LAN) == REQID_FIRST
    registry.release(last)
    assert registry.lease(DMZ) == TRIAL_REQID - 1


def test_used_up_is_a_refusal_in_words_and_ends_when_somebody_goes() -> None:
    registry = full()
    with pytest.raises(LimitReached, match=r"all 65535 reqids are in use; this child gets none until another one ends"):
        registry.lease(LAN)
    registry.release(WHOLE[4711])
    assert registry.lease(LAN) == REQID_FIRST + 4711


def test_what_is_released_belongs_to_nobody() -> None:
    registry = Reqids()
    number = registry.lease(LAN)
    assert registry.holder(number) == LAN
    registry.release(LAN)
    registry.release(LAN)
    assert registry.holder(number) is None
    assert len(registry) == 0


def test_a_number_of_an_earlier_process_is_restored_unless_somebody_has_it() -> None:
    registry = Reqids()
    assert registry.restore(LAN, REQID_FIRST + 5) == REQID_FIRST + 5
    assert registry.restore(DMZ, REQID_FIRST + 5) == Reqids().lease(DMZ)
    assert registry.restore(LAN, REQID_FIRST + 6) == REQID_FIRST + 5, "it has one already"


@pytest.mark.parametrize("number", [TRIAL_REQID, REQID_FIRST - 1, 7])
def test_a_number_that_is_not_ours_to_lease_is_not_restored(number: int) -> None:
    assert Reqids().restore(LAN, number) == Reqids().lease(LAN)


def test_the_configured_children_hold_theirs() -> None:
    lan, dmz = child(reqid=REQID_FIRST + 1), child(name="dmz", reqid=REQID_FIRST + 2)
    registry = Reqids.of([connection(name="berlin", children=(lan, dmz))])
    assert (registry.holder(REQID_FIRST + 1), registry.holder(REQID_FIRST + 2)) == (LAN, DMZ)


def test_two_thousand_names_get_two_thousand_numbers_though_some_begin_at_one() -> None:
    names = [Holder(f"site {number}", "lan") for number in range(2000)]
    alone = {Reqids().lease(name) for name in names}
    assert len(alone) < len(names), "else no two of them meet"
    registry = Reqids()
    assert len({registry.lease(name) for name in names}) == len(names)
