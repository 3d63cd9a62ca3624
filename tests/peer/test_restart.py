"""A new process has read the state from the store."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikevd.errors import Abandoned, NoAnswer
from ikevd.peer.child_state import ChildState, Half
from ikevd.peer.command_facts import Unwanted
from ikevd.peer.due import next_due
from ikevd.peer.exchange_facts import QuickModeFailed
from ikevd.peer.exchange_state import Attempt
from ikevd.peer.facts import Dismissed, Due, Owed, Restarted
from ikevd.peer.isakmp_state import IsakmpState, Stage
from ikevd.peer.message_facts import Informed, Worn
from ikevd.peer.notices import delete_isakmp
from ikevd.peer.restart import owed
from ikevd.peer.state import SaidDelete
from tests.peer.records import NOW, A, isakmp, mode, opening, ours, pair, peer, told

SEVEN = Attempt(7)
STANDS = isakmp(renew_at=80_000.0)
UP = ChildState(wanted=True, pairs=(pair(1),), since=5.0)
TIMED = replace(UP, pairs=(pair(1, rekey_at=NOW + 900),))
TRYING = ChildState(wanted=True, attempt=SEVEN, since=5.0)
MAKING = replace(TRYING, pairs=(opening(3, 7, Half.BOTH),))


def test_what_stands_stays() -> None:
    before = peer(STANDS, lan=TIMED, dmz=ChildState(wanted=True, retry_at=NOW + 9))
    assert told(before, Restarted()) == (before, [])


def test_a_quick_mode_of_ours_that_cannot_go_on_is_undone_on_both_sides_and_begins_anew() -> None:
    before = peer(isakmp(), lan=MAKING, modes={7: mode(spi=ours(3))})
    after, effects = told(before, Restarted())
    assert effects == ["say under A: delete d0000003", "begin lan as 11 under A"]
    assert after.children["lan"] == replace(TRYING, attempt=Attempt(11))
    assert SEVEN not in after.quick_modes


def test_a_rekeying_that_cannot_go_on_begins_anew() -> None:
    before = peer(isakmp(), lan=replace(UP, attempt=SEVEN), modes={7: mode()})
    after, effects = told(before, Restarted())
    assert (after.children["lan"].pairs, effects) == (UP.pairs, ["begin lan as 11 under A"])


def test_the_peers_quick_mode_that_cannot_go_on_is_undone() -> None:
    lan = ChildState(pairs=(opening(3, 7),))
    before = peer(replace(STANDS, early_deletes=(ours(9),)), lan=lan, modes={7: mode(ours=False, spi=ours(3))})
    after, effects = told(before, Restarted())
    assert effects == ["say under A: delete d0000003"]
    assert (after.children["lan"], after.quick_modes) == (ChildState(), {})
    assert after.isakmp[A] == STANDS


def test_where_no_isakmp_sa_is_left_its_delete_waits_for_one() -> None:
    before = peer(lan=MAKING, modes={7: mode(spi=ours(3))})
    after, effects = told(before, Restarted())
    assert (after.deletes_to_send, effects) == ((ours(3),), ["begin phase 1 as 11"])


def test_one_that_goes_on_stays() -> None:
    before = peer(STANDS, lan=MAKING, modes={7: mode(spi=ours(3))}, phase1=Attempt(6))
    assert told(before, Restarted(frozenset({SEVEN, Attempt(6)}))) == (before, [])


def test_one_that_was_told_to_end_is_told_again() -> None:
    before, _ = told(peer(STANDS, lan=MAKING, modes={7: mode(spi=ours(3))}), Unwanted(("lan",)))
    after, effects = told(before, Restarted(frozenset({SEVEN})))
    assert effects == ["abort 7: Abandoned (it was told to end before the restart)"]
    assert after == before


def test_a_phase_1_that_cannot_go_on_begins_anew_for_those_that_wait() -> None:
    before = peer(lan=ChildState(wanted=True), waiting=("lan",), phase1=Attempt(10))
    after, effects = told(before, Restarted())
    assert (after.phase1, after.waiting, effects) == (11, ("lan",), ["begin phase 1 as 11"])


def test_a_phase_1_that_nobody_waits_for_does_not_begin_anew() -> None:
    assert told(peer(phase1=Attempt(10)), Restarted()) == (peer(), [])


# -- its connection is not what it was


@pytest.mark.parametrize("replaced", [True, False])
def test_of_a_peer_whose_connection_has_changed_all_goes_and_it_hears_so(replaced: bool) -> None:
    going_on = replace(MAKING, pairs=(pair(1), opening(3, 7)), wanted=True)
    before = peer(isakmp(), lan=going_on, modes={7: mode(spi=ours(3))}, phase1=Attempt(6), waiting=("dmz",))
    before = replace(before, children={**before.children, "gone from the file": ChildState()})
    after, effects = told(before, Dismissed(replaced))
    assert effects == [
        "say under A: delete d0000003 d0000001",
        "say under A: delete ISAKMP SA A",
    ]
    assert after.children == {"lan": ChildState()}
    assert (after.quick_modes, after.phase1, after.waiting) == ({}, None, ())
    assert after.isakmp[A].stage is Stage.LEAVING


@pytest.mark.parametrize("open", [False, True], ids=["closed", "open"])
def test_what_the_operator_took_down_stays_down_where_its_connection_has_changed(open: bool) -> None:
    taken_down, _ = told(peer(isakmp(), lan=UP), Unwanted(("lan",), open))
    after, _ = told(taken_down, Dismissed(replaced=True))
    assert after.children == taken_down.children
    assert (after.children["lan"].by_command, after.children["lan"].open) == (True, open)


def test_also_where_the_peer_has_brought_it_up_since() -> None:
    after, _ = told(peer(isakmp(), lan=replace(UP, wanted=False, by_command=True)), Dismissed(replaced=True))
    assert after.children["lan"].by_command
    assert not after.children["lan"].pairs


def test_many_children_go_in_few_messages() -> None:
    many = {f"net{number}": replace(UP, pairs=(pair(number),)) for number in range(1, 301)}
    _, effects = told(replace(peer(isakmp()), children=many), Dismissed(replaced=False))
    assert [len(effect.split(": delete ")[1].split()) for effect in effects[:-1]] == [256, 44]
    assert effects[-1] == "say under A: delete ISAKMP SA A"


def test_where_no_isakmp_sa_is_left_the_new_connection_makes_one_to_say_it() -> None:
    after, effects = told(peer(lan=UP), Dismissed(replaced=True))
    assert (after.deletes_to_send, effects) == ((ours(1),), ["begin phase 1 as 11"])


@pytest.mark.parametrize("left", [(), (isakmp(stage=Stage.LEAVING, leave_at=NOW + 9, peer_deleted=True),)])
def test_but_where_there_is_no_new_one_nobody_is_called(left: tuple[IsakmpState, ...]) -> None:
    after, effects = told(peer(*left, lan=UP), Dismissed(replaced=False))
    assert (after.deletes_to_send, after.phase1, effects) == ((), None, [])


def test_it_is_said_even_under_an_isakmp_sa_that_leaves() -> None:
    leaving = isakmp(stage=Stage.LEAVING, leave_at=NOW + 9)
    _, effects = told(peer(leaving, lan=UP), Dismissed(replaced=False))
    assert effects == ["say under A: delete d0000001", "say under A: delete ISAKMP SA A"]


def test_it_is_said_again_by_the_process_after_that_one() -> None:
    before, first = told(peer(isakmp(), lan=UP), Dismissed(replaced=False))
    assert told(before, Dismissed(replaced=False), now=NOW + 1)[1] == first
    assert told(before, Restarted(), now=NOW + 1)[1] == first


def test_what_a_connection_that_is_gone_owes_the_same_peer_is_said_by_the_one_that_has_it_now() -> None:
    assert told(peer(isakmp()), Owed((ours(8), ours(9))))[1] == ["say under A: delete d0000008 d0000009"]
    after, effects = told(peer(), Owed((ours(8),)))
    assert (after.deletes_to_send, effects) == ((ours(8),), ["begin phase 1 as 11"])


def test_it_owes_what_waits_was_said_of_late_stands_or_was_being_made() -> None:
    before = peer(
        lan=replace(MAKING, pairs=(pair(1), opening(3, 7))),
        modes={7: mode(spi=ours(3)), 8: mode(spi=ours(4)), 9: mode()},
        deletes_to_send=(ours(5),),
        deletes_said=(SaidDelete(ours(6), NOW),),
    )
    assert set(owed(before)) == {ours(1), ours(3), ours(4), ours(5), ours(6)}
    assert len(owed(before)) == 5


# -- last words may have gone down with the process


@pytest.mark.parametrize("away", [0.1, 600.0])
def test_a_delete_whose_copies_may_not_have_left_is_said_again(away: float) -> None:
    before, _ = told(peer(isakmp(), lan=UP), Unwanted(("lan",)))
    assert before.deletes_said == (SaidDelete(ours(1), NOW),)
    assert told(before, Restarted(), now=NOW + away)[1] == ["say under A: delete d0000001"]


def test_under_an_isakmp_sa_that_leaves_where_there_is_no_other_and_its_own_delete_too() -> None:
    before, _ = told(peer(isakmp(), lan=UP), Unwanted(("lan",)), Worn(A))
    after, effects = told(before, Restarted(), now=NOW + 1)
    assert effects == ["say under A: delete d0000001", "say under A: delete ISAKMP SA A"]
    assert after.isakmp[A].stage is Stage.LEAVING


@pytest.mark.parametrize("crossed", [False, True], ids=["the peer deleted it", "both sides deleted it"])
def test_an_isakmp_sa_that_the_peer_deleted_is_told_nothing_any_more(crossed: bool) -> None:
    deleted = Informed(A, (delete_isakmp(A),))
    before, _ = told(peer(isakmp(), lan=UP), Unwanted(("lan",)), *((Worn(A),) if crossed else ()), deleted)
    assert told(before, Restarted(), now=NOW + 1)[1] == ["begin phase 1 as 11"]


def test_nor_by_the_process_in_which_the_peers_delete_came_while_ours_waited_for_a_quick_mode() -> None:
    before, _ = told(peer(isakmp(), lan=TRYING, modes={7: mode()}), Worn(A), Informed(A, (delete_isakmp(A),)))
    _, effects = told(before, QuickModeFailed(SEVEN, Abandoned("the end"), spoken=False, sent=False))
    assert not [effect for effect in effects if effect.startswith("say")]


def test_nor_of_a_quick_mode_under_it_that_cannot_go_on() -> None:
    leaving = isakmp(stage=Stage.LEAVING, leave_at=NOW + 9, peer_deleted=True)
    before = peer(leaving, modes={7: mode(ours=False, spi=ours(3), ending=True)})
    assert told(before, Restarted())[1] == []


def test_its_own_delete_waits_for_the_quick_modes_that_go_on() -> None:
    before, _ = told(peer(isakmp(), lan=TRYING, modes={7: mode()}), Worn(A))
    going_on, effects = told(before, Restarted(frozenset({SEVEN})))
    assert [effect[:7] for effect in effects] == ["abort 7"]
    _, effects = told(going_on, QuickModeFailed(SEVEN, NoAnswer("silence"), spoken=False, sent=False))
    assert "say under A: delete ISAKMP SA A" in effects


def test_else_it_waits_for_an_isakmp_sa() -> None:
    before, _ = told(peer(isakmp(), lan=UP), Unwanted(("lan",)))
    after, effects = told(replace(before, isakmp={}), Restarted())
    assert (after.deletes_to_send, effects) == ((ours(1),), ["begin phase 1 as 11"])


# -- an ISAKMP SA that came to its end while no process ran is the peer's no more

OVER = isakmp(expires=NOW - 1)
ITS_END = "say under A: delete ISAKMP SA A"


@pytest.mark.parametrize("replaced", [True, False])
def test_no_delete_is_said_under_it_where_the_connection_has_changed(replaced: bool) -> None:
    after, effects = told(peer(OVER, lan=UP, modes={7: mode(spi=ours(3))}), Dismissed(replaced))
    assert effects == [ITS_END, *(["begin phase 1 as 11"] if replaced else [])]
    assert set(after.deletes_to_send) == ({ours(1), ours(3)} if replaced else set())


def test_nor_of_a_quick_mode_that_cannot_go_on() -> None:
    after, effects = told(peer(OVER, lan=MAKING, modes={7: mode(spi=ours(3))}), Restarted())
    assert (after.deletes_to_send, effects) == ((ours(3),), [ITS_END, "begin phase 1 as 11"])
    assert after.isakmp[A].stage is Stage.LEAVING


def test_one_that_goes_on_ends_with_it() -> None:
    before = peer(OVER, lan=MAKING, modes={7: mode(spi=ours(3))})
    assert told(before, Restarted(frozenset({SEVEN})))[1] == [
        "abort 7: Abandoned (the lifetime of the ISAKMP SA ended)"
    ]


@pytest.mark.parametrize("leaves", [False, True])
def test_nor_is_a_delete_said_again_under_it(leaves: bool) -> None:
    before, _ = told(peer(isakmp(expires=NOW + 5), lan=UP), Unwanted(("lan",)), *((Worn(A),) if leaves else ()))
    after, effects = told(before, Restarted(), now=NOW + 6)
    assert (after.deletes_to_send, effects) == ((ours(1),), [ITS_END, "begin phase 1 as 11"])


def test_what_the_connection_before_owes_is_said_under_the_next_one() -> None:
    after, effects = told(peer(OVER), Owed((ours(8),)))
    assert (after.deletes_to_send, effects) == ((ours(8),), ["begin phase 1 as 11"])


# -- nothing is said for ever


def test_after_8_s_all_copies_have_left_and_nothing_is_said_again() -> None:
    said, _ = told(peer(isakmp(), lan=UP), Unwanted(("lan",)))
    assert next_due(said) == NOW + 8
    later, _ = told(said, Due(()), now=NOW + 8)
    assert later.deletes_said == ()
    assert told(later, Restarted(), now=NOW + 8)[1] == []
