"""When something is to be done about a peer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikevd.peer.child_state import ChildState
from ikevd.peer.due import child_due, isakmp_due, next_at, next_due, turn_due
from ikevd.peer.facts import Due
from ikevd.peer.isakmp_state import IsakmpState, Liveness, Stage
from ikevd.peer.state import PeerState
from tests.peer.records import NOW, B, isakmp, mode, opening, pair, peer, told

WANTED = ChildState(wanted=True)
UP = ChildState(pairs=(pair(1, expires=NOW + 100),))
NOT_YET_USED = ChildState(pairs=(pair(1), pair(2, use_at=NOW + 5)))


@pytest.mark.parametrize(
    ("child", "due"),
    [
        (WANTED, None),
        (replace(WANTED, retry_at=NOW + 16), NOW + 16),
        (UP, NOW + 100),
        (replace(UP, pairs=(pair(1, expires=NOW + 100), pair(2, expires=NOW + 50))), NOW + 50),
        (replace(UP, retry_at=NOW + 16), NOW + 16),
        (ChildState(pairs=(opening(3, 7),)), None),
    ],
    ids=["nothing", "a retry", "the end of a pair", "of two the first", "the first of all", "being made"],
)
def test_a_child_is_due(child: ChildState, due: float | None) -> None:
    assert child_due(child) == due


@pytest.mark.parametrize(
    ("stands", "due"),
    [
        (isakmp(), 86900.0),
        (isakmp(leave_at=NOW + 8), NOW + 8),
        (isakmp(leave_at=NOW + 8, expires=NOW + 5), NOW + 5),
        (isakmp(stage=Stage.LEAVING, leave_at=NOW + 10, expires=NOW + 5), NOW + 10),
    ],
    ids=[
        "at the end of its lifetime",
        "only there to say Delete",
        "whichever is first",
        "until its farewells are said",
    ],
)
def test_an_isakmp_sa_is_due(stands: IsakmpState, due: float) -> None:
    assert isakmp_due(stands) == due


@pytest.mark.parametrize(
    ("state", "due"),
    [
        (peer(isakmp(), modes={7: mode()}), None),
        (peer(waiting=("lan",)), None),
        (peer(isakmp(), waiting=("lan",), modes={7: mode(born=990.0), 8: mode(born=999.5)}), 1001.5),
        (peer(isakmp(), waiting=("lan",), modes={7: mode(born=999.5, ours=False), 8: mode(born=990.0)}), 991.0),
        (peer(isakmp(), isakmp(B), waiting=("lan",), modes={7: mode(born=999.5)}), 0.0),
        (peer(isakmp(), lan=NOT_YET_USED, waiting=("lan",)), None),
        (peer(isakmp(), lan=NOT_YET_USED, waiting=("lan", "dmz"), modes={7: mode(born=999.5)}), 1000.5),
    ],
    ids=[
        "nobody waits",
        "for phase 1",
        "for the newest of ours",
        "the peer's do not count",
        "nor under another",
        "for the use of its newest pair",
        "another one passes it",
    ],
)
def test_the_turn_of_the_next_child_comes(state: PeerState, due: float | None) -> None:
    assert turn_due(state) == due


def test_the_first_of_all_is_next() -> None:
    assert next_due(peer()) is None
    assert next_due(peer(isakmp(expires=NOW + 9), lan=UP, dmz=replace(WANTED, retry_at=NOW + 5))) == NOW + 5


def test_what_was_due_is_due_no_more() -> None:
    """Else the timer would fire for ever."""
    state = peer(
        isakmp(expires=NOW),
        isakmp(B, leave_at=NOW),
        lan=replace(WANTED, retry_at=NOW),
        dmz=replace(UP, pairs=(pair(1, "dmz", expires=NOW - 5),)),
    )
    due = next_due(told(state, Due())[0])
    assert due is not None
    assert due > NOW


def test_nobody_is_asked_under_an_isakmp_sa_that_has_been_replaced() -> None:
    """Else it would be due for ever."""
    live = Liveness(100, look_at=NOW)
    assert isakmp_due(isakmp(liveness=live)) == NOW
    assert isakmp_due(isakmp(liveness=live, retired=True)) == 86900.0


@pytest.mark.parametrize(
    ("born", "when"),
    [((), 0.0), ((NOW,), NOW + 1), ((NOW - 5, NOW), NOW + 2), ((NOW,) * 3, NOW + 4), ((NOW,) * 9, NOW + 8)],
)
def test_the_more_quick_modes_of_ours_are_unanswered_the_later_the_next_one_begins(
    born: tuple[float, ...], when: float
) -> None:
    assert next_at(born) == when
