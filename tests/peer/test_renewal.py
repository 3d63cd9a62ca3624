"""When an ISAKMP SA is renewed, and which of several gives way."""

from __future__ import annotations

import pytest

from ikevd.peer import renewal
from ikevd.peer.isakmp_state import IsakmpState
from ikevd.sa.model import Cookies
from tests.peer.records import A, B, isakmp, isakmp_sa

NIL, FULL = Cookies(bytes(8), bytes(8)), Cookies(bytes(8), b"\xff" * 8)
"""Without jitter, and with nearly all of it."""


@pytest.mark.parametrize(
    ("seconds", "initiator", "earliest", "latest"),
    [
        (86400, True, 86400 - 1620, 86400 - 1080),
        (86400, False, 86400 - 810, 86400 - 540),
        (3600, True, 2520, 2880),
        (3600, False, 3060, 3240),
        (60, True, 42, 48),
        (60, False, 51, 54),
        (2**32 - 1, True, 2**32 - 1 - 1620, 2**32 - 1 - 1080),
        (1, True, 30, 30),
    ],
)
def test_an_isakmp_sa_is_renewed_some_margins_before_its_end_and_first_by_the_end_that_began_it(
    seconds: int, *, initiator: bool, earliest: float, latest: float
) -> None:
    at = [renewal.first_at(isakmp_sa(cookies, initiator=initiator), 0.0, float(seconds)) for cookies in (FULL, NIL)]
    assert at == pytest.approx([earliest, latest], abs=0.001)


def test_both_ends_draw_the_same_share_and_each_isakmp_sa_another() -> None:
    drawn = {renewal.jitter(Cookies(bytes([n]) * 8, bytes(8))) for n in range(256)}
    assert len(drawn) == 256
    assert all(0 <= share < 1 for share in drawn)


@pytest.mark.parametrize(("now", "end", "again"), [(0.0, 1600.0, 800.0), (1598.0, 1600.0, 1600.0), (5.0, 5.0, 7.0)])
def test_what_cannot_be_done_is_looked_at_after_half_of_the_time_that_is_left(
    now: float, end: float, again: float
) -> None:
    assert renewal.later(now, end) == again


def stood(born: float, began: float | None, cookies: Cookies = A, *, initiator: bool = True) -> IsakmpState:
    return isakmp(cookies, sa=isakmp_sa(cookies, initiator=initiator), born=born, began=began)


@pytest.mark.parametrize(
    ("old", "new", "replaces"),
    [
        (stood(100, 99), stood(200, 199, B), True),
        (stood(100, 99), stood(200, 100, B), True),
        (stood(100, 99), stood(200, 99.5, B), False),
        (stood(100, None), stood(200, None, B), True),
        (stood(200, 199), stood(100, 99, B), False),
        (stood(100, None), stood(100, None, B), False),
    ],
    ids=["later", "right after", "overlapping", "not known when they began", "earlier", "at one time"],
)
def test_one_that_stood_before_the_other_began_is_replaced_by_it(
    old: IsakmpState, new: IsakmpState, *, replaces: bool
) -> None:
    assert renewal.replaces(new, old) is replaces


@pytest.mark.parametrize(
    ("one", "other", "crossed"),
    [
        (stood(100, 99), stood(100.5, 99.5, B, initiator=False), True),
        (stood(100, 99), stood(101, 99.9, B, initiator=False), True),
        (stood(100, 99), stood(101, 100, B, initiator=False), False),
        (stood(100, 99), stood(101, 99.9, B), False),
    ],
    ids=["at once", "just", "one after the other", "both by one end"],
)
def test_two_cross_whose_phase_1s_overlapped_and_that_were_begun_by_both_ends(
    one: IsakmpState, other: IsakmpState, *, crossed: bool
) -> None:
    assert renewal.crossed(one, other) is renewal.crossed(other, one) is crossed


def test_of_two_that_crossed_each_end_gives_up_its_own_and_the_lower_cookies_go_first() -> None:
    lower, higher = isakmp(A), isakmp(B)
    assert renewal.gives_way_at(lower, higher, 1000.0) == 1030.0
    assert renewal.gives_way_at(higher, lower, 1000.0) == 1040.0
