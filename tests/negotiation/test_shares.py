"""Shares of what peers cause unproven: none takes another one's, and all together have a bound."""

from __future__ import annotations

from ipaddress import ip_address

from ikevd.negotiation.shares import FOR_ALL, MOST, Shares, Tally
from tests.builders import ALICE, BOB


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def used_up(shares: Shares, whose: object) -> int:
    """How often it may happen at once."""
    return sum(shares.allows(whose) for _ in range(1000))  # type: ignore[arg-type]


def test_one_that_is_loud_takes_nothing_of_another_one() -> None:
    shares = Shares(5, 10, Clock())
    assert [used_up(shares, whose) for whose in (ALICE, ALICE, BOB, None, None)] == [10, 0, 10, 10, 0]


def test_a_share_is_full_again_after_a_while() -> None:
    clock = Clock()
    shares = Shares(5, 10, clock)
    used_up(shares, ALICE)
    clock.now = 1.0
    assert used_up(shares, ALICE) == 5


def test_all_together_have_a_bound_which_who_is_over_his_share_does_not_use_up() -> None:
    shares = Shares(5, 10, Clock())
    assert sum(used_up(shares, ip_address(number)) for number in range(100)) == 10 * FOR_ALL


def test_no_more_shares_are_remembered_than_have_room() -> None:
    shares = Shares(5, 10, Clock())
    for number in range(3 * MOST):
        shares.allows(ip_address(number))
        assert len(shares) <= MOST


def test_what_happens_often_is_told_once_a_minute_with_how_often_it_was() -> None:
    clock = Clock()
    tally = Tally(60, clock)
    assert [tally.count(ALICE) for _ in range(4)] == [1, 0, 0, 0]
    assert tally.count(BOB) == 1
    clock.now = 60.0
    assert [tally.count(ALICE) for _ in range(2)] == [4, 0]
