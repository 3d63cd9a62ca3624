"""Our own phase 1: what it is begun for, and what its failure means."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikevd.errors import Abandoned, NoAnswer, Said
from ikevd.peer.child_state import ChildState
from ikevd.peer.command_facts import Unwanted, Wanted
from ikevd.peer.exchange_facts import PhaseOneFailed, PhaseOneUp
from ikevd.peer.exchange_state import Attempt
from ikevd.peer.facts import Due
from ikevd.peer.kernel_facts import Vanished
from ikevd.peer.state import PeerState
from tests.peer.records import NOW, A, B, isakmp, isakmp_sa, later, mode, ours, pair, peer, told

TEN = Attempt(10)
UP = ChildState(wanted=True, pairs=(pair(1),), since=5.0)
WANTED = ChildState(wanted=True, since=5.0)
SILENCE = NoAnswer("silence")


def under_way(**changes: object) -> PeerState:
    """Two children wait for phase 1."""
    waits = peer(lan=WANTED, dmz=WANTED, waiting=("lan", "dmz"), phase1=TEN)
    return replace(waits, **changes)  # type: ignore[arg-type]


def test_one_phase_1_serves_all_children_that_wait() -> None:
    after, effects = told(peer(), Wanted("lan"), Wanted("dmz"))
    assert effects == []
    assert (after.phase1, after.waiting, after.serial) == (11, ("lan", "dmz"), 11)


def test_it_begins_for_a_delete_that_no_isakmp_sa_is_there_to_protect() -> None:
    after, effects = told(peer(lan=UP), Unwanted(("lan",)))
    assert effects == ["answer lan: Abandoned (lan was taken down)", "begin phase 1 as 11"]
    assert after.deletes_to_send == (ours(1),)


def test_a_lifetime_that_ends_is_worth_none() -> None:
    """The peer sees it itself."""
    before = peer(lan=replace(UP, wanted=False, pairs=(pair(1, expires=NOW - 5),)))
    after, effects = told(before, Due())
    assert (after.deletes_to_send, effects) == ((), [])


def test_an_sa_that_somebody_removed_is_worth_one() -> None:
    _, effects = told(peer(lan=replace(UP, wanted=False)), Vanished("lan", ours(1)))
    assert effects == ["begin phase 1 as 11"]


# -- it ends well


def test_the_children_that_wait_begin_in_the_order_in_which_they_were_wanted() -> None:
    after, effects = told(under_way(), PhaseOneUp(TEN, isakmp_sa()))
    assert effects[1:] == ["begin lan as 11 under A"]
    assert (after.phase1, after.waiting) == (None, ("dmz",))


def test_the_peers_phase_1_serves_them_as_well_and_ours_goes_on() -> None:
    after, effects = told(under_way(), PhaseOneUp(None, isakmp_sa(initiator=False)))
    assert effects[1:] == ["begin lan as 11 under A"]
    assert after.phase1 == TEN


def test_one_that_was_given_up_meanwhile_goes_at_once() -> None:
    after, effects = told(peer(phase1=TEN), PhaseOneUp(Attempt(9), isakmp_sa()))
    assert effects[1:] == ["say under A: delete ISAKMP SA A"]
    assert after.phase1 == TEN


# -- it fails


def test_all_that_wait_for_it_fail() -> None:
    after, effects = told(under_way(), PhaseOneFailed(TEN, SILENCE))
    assert effects == ["answer lan: NoAnswer (silence)", "answer dmz: NoAnswer (silence)"]
    cause = Said("silence")
    assert after.children == {
        "lan": replace(WANTED, cause=cause, failures=1, retry_at=later(1)),
        "dmz": replace(WANTED, cause=cause, wanted=False),
    }
    assert (after.phase1, after.waiting) == (None, ())


def test_but_not_those_that_wait_for_their_turn_under_another_isakmp_sa() -> None:
    turn = peer(isakmp(B), dmz=WANTED, waiting=("dmz",), phase1=TEN, modes={7: mode(under=B)})
    after, effects = told(turn, PhaseOneFailed(TEN, SILENCE))
    assert (after, effects) == (replace(turn, phase1=None), [])


def test_those_begin_whose_turn_has_come() -> None:
    """The ISAKMP SA that was not trusted has answered after all."""
    _, effects = told(peer(isakmp(A), lan=WANTED, waiting=("lan",), phase1=TEN), PhaseOneFailed(TEN, SILENCE))
    assert effects == ["begin lan as 11 under A"]


@pytest.mark.parametrize(
    ("error", "left"),
    [(SILENCE, ()), (Abandoned("only the peer can initiate"), (ours(1),))],
    ids=["the peer does not answer", "it could not be begun"],
)
def test_a_delete_waits_on_only_where_nothing_was_tried(error: NoAnswer | Abandoned, left: tuple[object, ...]) -> None:
    after, effects = told(peer(phase1=TEN, deletes_to_send=(ours(1),)), PhaseOneFailed(TEN, error))
    assert after.deletes_to_send == left
    assert effects == [], "which begins nothing: else it would never end"


def test_the_failure_of_one_that_was_given_up_changes_nothing() -> None:
    assert told(under_way(), PhaseOneFailed(Attempt(9), SILENCE)) == (under_way(), [])
