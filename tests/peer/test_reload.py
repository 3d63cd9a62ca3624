"""The file was read again: what ends of a peer, what begins anew, and what stays."""

from __future__ import annotations

from dataclasses import replace

from ikevd.errors import NoAnswer, Said
from ikevd.peer.child_state import ChildState
from ikevd.peer.command_facts import RekeyWanted, Reloaded, Reset
from ikevd.peer.exchange_facts import PhaseOneFailed, PhaseOneUp
from ikevd.peer.exchange_state import Attempt
from ikevd.peer.isakmp_state import Stage
from ikevd.policy.changes import Reach
from ikevd.policy.child import Rekey
from tests.builders import child
from tests.peer.records import NOW, VIEW, A, B, isakmp, isakmp_sa, mode, opening, ours, pair, peer, told

SEVEN = Attempt(7)
CHANGED = Said("its configuration has changed")
UP = ChildState(wanted=True, pairs=(pair(1),), since=5.0)
TIMED = replace(UP, pairs=(pair(1, rekey_at=NOW + 900),))
WITHOUT_LAN = replace(VIEW, children=VIEW.children[1:])
LAN = frozenset({"lan"})
NOTED = "record of A: a new phase 1 begins, 85900 s before the lifetime of the ISAKMP SA ends"


def test_what_has_not_changed_stays_the_very_same() -> None:
    before = peer(isakmp(renew_at=80_000.0), lan=TIMED, dmz=ChildState(pairs=(pair(2, "dmz", rekey_at=NOW + 900),)))
    after, effects = told(before, Reloaded())
    assert (after, effects) == (before, [])
    assert after.children["lan"] is before.children["lan"]


def test_a_child_that_ends_tells_its_peer_and_begins_anew_if_it_is_wanted() -> None:
    before = peer(isakmp(), lan=UP, dmz=ChildState(wanted=True, pairs=(pair(2, "dmz", rekey_at=NOW + 900),)))
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


def test_where_phase_1_ends_the_isakmp_sa_leaves_after_the_words_of_its_children() -> None:
    after, effects = told(peer(isakmp(), lan=UP), Reloaded(LAN, phase1=Reach.REPLACED))
    assert effects == ["say under A: delete d0000001", "say under A: delete ISAKMP SA A", "begin phase 1 as 11"]
    assert after.isakmp[A].stage is Stage.LEAVING
    assert after.waiting == ("lan",)


def test_a_phase_1_of_ours_under_way_begins_anew_with_those_who_wait_for_it() -> None:
    before = replace(peer(lan=ChildState(wanted=True), phase1=SEVEN), waiting=("lan",))
    after, effects = told(before, Reloaded(LAN, phase1=Reach.REPLACED))
    assert effects == ["abort 7: Abandoned (its configuration has changed)", "begin phase 1 as 11"]
    assert after.waiting == ("lan",)


# -- make before break


def test_a_child_that_is_renewed_is_negotiated_anew_while_its_pair_carries_on() -> None:
    after, effects = told(peer(isakmp(), lan=UP), Reloaded(renewed=LAN))
    assert effects == ["begin lan as 11 under A"]
    assert after.children["lan"].pairs == UP.pairs


def test_one_that_is_not_up_yet_begins_with_the_new_settings() -> None:
    trying = ChildState(wanted=True, attempt=SEVEN, since=5.0)
    after, effects = told(peer(isakmp(), lan=trying, modes={7: mode(spi=ours(3))}), Reloaded(renewed=LAN))
    assert effects == ["abort 7: Abandoned (its configuration has changed)", "begin lan as 11 under A"]
    assert after.children["lan"].attempt == Attempt(11)


def test_where_phase_1_is_renewed_what_stands_serves_until_another_does() -> None:
    after, effects = told(peer(isakmp(), lan=TIMED), Reloaded(phase1=Reach.RENEWED))
    assert effects == ["begin phase 1 as 11", NOTED]
    assert after.isakmp[A].stage is Stage.READY
    assert after.isakmp[A].outdated
    assert after.children["lan"].pairs == TIMED.pairs


def test_under_what_follows_all_that_was_made_before_is_negotiated_anew() -> None:
    before = replace(peer(isakmp(outdated=True), lan=UP), phase1=SEVEN)
    after, effects = told(before, PhaseOneUp(SEVEN, isakmp_sa(B)))
    assert "begin lan as 11 under B" in effects
    assert after.children["lan"].pairs == UP.pairs
    assert not after.isakmp[A].outdated


def test_without_an_isakmp_sa_a_phase_1_begins_for_the_children_that_stand() -> None:
    after, effects = told(peer(lan=UP), Reloaded(phase1=Reach.RENEWED))
    assert effects == ["begin phase 1 as 11"]
    assert after.waiting == ("lan",)


# -- by command


def test_rekey_of_a_child_is_a_quick_mode_beside_its_pair_also_with_rekey_no() -> None:
    view = replace(VIEW, children=(replace(VIEW.children[0], rekey=Rekey.NO), VIEW.children[1]))
    after, effects = told(peer(isakmp(), lan=UP), RekeyWanted(("lan",)), view=view)
    assert effects == ["begin lan as 11 under A"]
    assert after.children["lan"].pairs == UP.pairs


def test_rekey_of_a_child_that_is_not_up_says_so() -> None:
    _, effects = told(peer(isakmp(), lan=ChildState()), RekeyWanted(("lan",)))
    assert effects == ["answer lan: Abandoned (lan is not up: `ikevd up lan` brings it up)"]


def test_rekey_with_phase_1_waits_for_the_new_isakmp_sa() -> None:
    after, effects = told(peer(isakmp(), lan=UP), RekeyWanted(("lan",), phase1=True))
    assert effects == ["begin phase 1 as 11", NOTED]
    assert after.waiting == ()


def test_who_waits_for_that_hears_of_its_failure_and_what_stands_stays() -> None:
    before = replace(peer(isakmp(outdated=True, renewals=1, renew_at=NOW + 99), lan=UP), phase1=SEVEN)
    after, effects = told(before, PhaseOneFailed(SEVEN, NoAnswer("silent")))
    assert "answer lan: NoAnswer (silent)" in effects
    assert after.children["lan"] == UP
    assert after.isakmp[A].renew_at is not None


def test_a_reset_ends_all_at_once_and_what_is_wanted_begins_anew() -> None:
    before = peer(isakmp(), lan=UP, dmz=ChildState(pairs=(pair(2, "dmz"),)))
    after, effects = told(before, Reset())
    assert effects == [
        "say under A: delete d0000001 d0000002",
        "answer dmz: Abandoned (it was reset by command)",
        "say under A: delete ISAKMP SA A",
        "begin phase 1 as 11",
    ]
    assert not after.children["lan"].pairs
    assert after.waiting == ("lan",)
