"""The file was read again: what ends of a peer, what begins anew, and what stays."""

from __future__ import annotations

from dataclasses import replace

from ikevd.errors import Said
from ikevd.peer.facts import Reloaded
from ikevd.peer.state import Attempt, ChildState, Stage
from tests.builders import child
from tests.peer.records import NOW, VIEW, A, isakmp, mode, opening, ours, pair, peer, told

SEVEN = Attempt(7)
CHANGED = Said("its configuration has changed")
UP = ChildState(wanted=True, pairs=(pair(1),), since=5.0)
WITHOUT_LAN = replace(VIEW, children=VIEW.children[1:])
LAN = frozenset({"lan"})


def test_what_has_not_changed_stays_the_very_same() -> None:
    before = peer(isakmp(), lan=UP, dmz=ChildState(pairs=(pair(2, "dmz"),)))
    after, effects = told(before, Reloaded())
    assert (after, effects) == (before, [])
    assert after.children["lan"] is before.children["lan"]


def test_a_child_that_ends_tells_its_peer_and_begins_anew_if_it_is_wanted() -> None:
    before = peer(isakmp(), lan=UP, dmz=ChildState(wanted=True, pairs=(pair(2, "dmz"),)))
    after, effects = told(before, Reloaded(LAN))
    assert effects == ["say under A: delete d0000001", "begin lan as 11 under A"]
    assert after.children["lan"] == ChildState(wanted=True, attempt=Attempt(11), cause=CHANGED, since=NOW)
    assert after.children["dmz"] is before.children["dmz"]


def test_one_that_only_the_peer_brought_up_waits_for_the_peer() -> None:
    before = peer(isakmp(), lan=replace(UP, wanted=False))
    after, effects = told(before, Reloaded(LAN))
    assert effects == ["say under A: delete d0000001", "answer lan: Abandoned (its configuration has changed)"]
    assert after.children["lan"] == ChildState(cause=CHANGED, since=NOW)


def test_what_the_operator_took_down_stays_down_and_open() -> None:
    down = ChildState(cause=Said("taken down by command"), since=5.0, open=True, by_command=True)
    after, _ = told(peer(isakmp(), lan=down), Reloaded(LAN))
    assert after.children["lan"] == down


def test_a_child_that_is_gone_has_no_record_any_more() -> None:
    before = peer(isakmp(), lan=UP, dmz=ChildState())
    after, effects = told(before, Reloaded(), view=WITHOUT_LAN)
    assert effects == ["say under A: delete d0000001", "answer lan: Abandoned (its configuration has changed)"]
    assert after.children.keys() == {"dmz"}


def test_a_new_child_has_a_record() -> None:
    before = peer(isakmp(), lan=UP, dmz=ChildState())
    after, effects = told(before, Reloaded(), view=replace(VIEW, children=(*VIEW.children, child(name="new"))))
    assert (after.children["new"], effects) == (ChildState(), [])


def test_the_quick_mode_of_a_child_that_ends_is_told_to_end_and_a_siblings_goes_on() -> None:
    lan = ChildState(wanted=True, attempt=SEVEN, pairs=(opening(3, 7),), since=5.0)
    dmz = ChildState(wanted=True, attempt=Attempt(8), since=5.0)
    before = peer(isakmp(), lan=lan, dmz=dmz, modes={7: mode(spi=ours(3)), 8: mode("dmz")})
    after, effects = told(before, Reloaded(LAN))
    assert effects == ["abort 7: Abandoned (its configuration has changed)"]
    assert after.children["lan"] == ChildState(wanted=True, since=5.0)
    assert after.waiting == ("lan",)
    assert after.children["dmz"] is before.children["dmz"]


def test_a_quick_mode_of_the_peers_that_names_no_child_yet_ends_with_any_child() -> None:
    before = peer(isakmp(), lan=ChildState(), modes={7: mode(None, ours=False)})
    assert told(before, Reloaded())[1] == []
    assert told(before, Reloaded(LAN))[1][0] == "abort 7: Abandoned (its configuration has changed)"


def test_where_phase_1_begins_anew_the_isakmp_sa_leaves_after_the_words_of_its_children() -> None:
    after, effects = told(peer(isakmp(), lan=UP), Reloaded(LAN, phase1=True))
    assert effects == ["say under A: delete d0000001", "say under A: delete ISAKMP SA A", "begin phase 1 as 11"]
    assert after.isakmp[A].stage is Stage.LEAVING
    assert after.waiting == ("lan",)


def test_a_phase_1_of_ours_under_way_begins_anew_with_those_who_wait_for_it() -> None:
    before = replace(peer(lan=ChildState(wanted=True), phase1=SEVEN), waiting=("lan",))
    after, effects = told(before, Reloaded(LAN, phase1=True))
    assert effects == ["abort 7: Abandoned (its configuration has changed)", "begin phase 1 as 11"]
    assert after.waiting == ("lan",)
