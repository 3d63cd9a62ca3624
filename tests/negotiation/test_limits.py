"""Who has how many places in the lobby, and who makes way for whom: found at once, however many others there are."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address
from itertools import count

import pytest

from ikevd.addresses import Address
from ikevd.negotiation.limits import HalfOpen
from ikevd.policy.settings import Limits


class Asked(IPv4Address):
    """Counts how often an address is looked at."""

    times = 0

    def __hash__(self) -> int:
        Asked.times += 1
        return super().__hash__()

    def __int__(self) -> int:
        Asked.times += 1
        return super().__int__()


FIRST, LAST, STRANGER = Asked("10.0.0.1"), Asked("10.0.0.2"), Asked("203.0.113.9")
NUMBERS = count()


def looks(half_open: HalfOpen[int], newest: Address) -> int:
    """At addresses, until it is known who makes way for `newest`."""
    before = Asked.times
    assert half_open.refusal(newest) is not None
    assert half_open.to_make_way(newest) is not None
    return Asked.times - before


def half_open(*others: Address) -> HalfOpen[int]:
    """Whose places are taken by `others` and then by LAST and STRANGER."""
    room = HalfOpen[int](Limits(half_open_per_address=1), (FIRST, LAST), lambda: 0.0, each_static=1, evictions_static=1)
    for address in (*others, LAST, STRANGER):
        room.enter(next(NUMBERS), address)
    return room


@pytest.mark.parametrize("newest", [LAST, STRANGER])
@pytest.mark.parametrize("other", [FIRST, Asked("198.51.100.1")])
def test_the_search_for_who_makes_way_takes_no_longer_among_many(newest: Address, other: Address) -> None:
    assert looks(half_open(*[other] * 1000), newest) == looks(half_open(), newest)


@pytest.mark.parametrize("limits", [Limits(), Limits(half_open=40, half_open_per_address=5)], ids=["default", "narrow"])
def test_all_hosts_of_one_ipv6_site_together_take_at_most_half_of_the_places_of_strangers(limits: Limits) -> None:
    room = HalfOpen[int](limits, (), lambda: 0.0, each_static=1, evictions_static=1)
    for host in range(limits.half_open):
        address = ip_address((0x20010DB8 << 96) + (host << 64) + 1)
        if room.refusal(address) is None:
            room.enter(host, address)
    assert len(room) == limits.half_open // 2
    assert room.refusal(ip_address("2001:db8:1::1")) is None
