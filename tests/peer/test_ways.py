"""An address of this machine goes away, and comes back."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from ikevd.addresses import Endpoint, Path
from ikevd.errors import Abandoned, Finding, Said
from ikevd.findings import Silence, Undelivered
from ikevd.observe.words import say
from ikevd.path_findings import LocalAddressGone, NoLocalAddress, NoRoute
from ikevd.peer import ways
from ikevd.peer.child_state import ChildState
from ikevd.peer.exchange_facts import PhaseOneFailed, QuickModeUp
from ikevd.peer.exchange_state import Attempt
from ikevd.peer.isakmp_state import Stage
from ikevd.peer.path_facts import AddressGone, WayFound
from tests.builders import ALICE, BOB
from tests.peer.records import NOW, A, B, ipsec, isakmp, mode, opening, pair, peer, told

OTHER = ip_address("192.0.2.7")
FROM_OTHER = Path(Endpoint(OTHER, 500), Endpoint(BOB, 500))
UP = ChildState(wanted=True, pairs=(pair(1),), since=5.0)
GONE = AddressGone(ALICE)
CAUSE = LocalAddressGone("192.0.2.1")
ABSENT = NoLocalAddress("192.0.2.1")
SILENT = Silence("MM2", "MM1", 3, 5, 500, 500, None, (), ())
UNSENT = replace(SILENT, unreachable=(Undelivered("there is no route"),))


def waiting(cause: Finding) -> ChildState:
    """For its next attempt, in a minute."""
    return ChildState(wanted=True, failures=6, retry_at=NOW + 64, cause=cause)


def test_what_used_the_address_ends_and_nothing_is_said() -> None:
    after, effects = told(peer(isakmp(), lan=UP), GONE)
    assert after.isakmp[A].stage is Stage.LEAVING
    assert after.children["lan"].pairs == ()
    assert effects == [
        "record of A: 192.0.2.1 is no address of this machine any more: what used it has ended",
        "begin phase 1 as 11",
    ]


def test_what_used_another_address_stays() -> None:
    up = ChildState(wanted=True, pairs=(pair(2, "dmz", sa=ipsec(2, "dmz", local=OTHER), under=B),))
    before = peer(isakmp(), isakmp(B, path=FROM_OTHER), lan=UP, dmz=up)
    after, effects = told(before, GONE)
    assert [known.stage for known in after.isakmp.values()] == [Stage.LEAVING, Stage.READY]
    assert after.children["dmz"] is before.children["dmz"]
    assert "say under B: delete d0000001" in effects
    assert "begin lan as 11 under B" in effects


def test_the_peer_hears_delete_of_the_pairs_under_its_next_isakmp_sa() -> None:
    after, _ = told(peer(isakmp(), lan=UP), GONE)
    assert after.deletes_to_send == (ipsec(1).inbound,)


def test_a_quick_mode_under_it_ends() -> None:
    child = ChildState(wanted=True, attempt=Attempt(7), pairs=(opening(1, 7),))
    _, effects = told(peer(isakmp(), lan=child, modes={7: mode()}), GONE)
    assert f"abort 7: Abandoned ({say(CAUSE)})" in effects


def test_our_phase_1_from_there_ends_and_one_from_elsewhere_goes_on() -> None:
    before = peer(phase1=Attempt(9), waiting=("lan",), lan=ChildState(wanted=True))
    after, effects = told(before, AddressGone(ALICE, Attempt(9)))
    assert f"abort 9: Abandoned ({say(CAUSE)})" in effects
    assert after.children["lan"].cause == CAUSE
    assert told(before, GONE) == (before, [])


@pytest.mark.parametrize("name", ["lan", "dmz"], ids=["always", "manual"])
def test_a_child_that_was_up_waits_for_an_address_by_whatever_start_action(name: str) -> None:
    up = ChildState(wanted=True, pairs=(pair(1, name),), since=5.0)
    before, _ = told(replace(peer(isakmp()), children={name: up}), GONE)
    after, _ = told(before, PhaseOneFailed(Attempt(11), Abandoned(ABSENT)))
    child = after.children[name]
    assert (child.wanted, child.cause) == (True, ABSENT)
    assert NOW + 1.5 <= (child.retry_at or 0) <= NOW + 2
    again, effects = told(after, WayFound())
    assert effects == ["begin phase 1 as 12"]
    assert again.children[name].failures == 0


def test_a_child_that_is_up_again_comes_back_no_more_than_any_other() -> None:
    before = peer(isakmp(), lan=ChildState(wanted=True, way_lost=True, pairs=(opening(1, 7),)), modes={7: mode()})
    after, _ = told(before, QuickModeUp(Attempt(7), ipsec(1)))
    assert not after.children["lan"].way_lost


def test_a_child_that_only_the_peer_brought_up_stays_down_and_nobody_is_called_for_it() -> None:
    after, effects = told(peer(isakmp(), dmz=ChildState(pairs=(pair(1, "dmz"),))), GONE)
    assert not after.children["dmz"].wanted
    assert after.deletes_to_send == ()
    assert "begin phase 1 as 11" not in effects


@pytest.mark.parametrize(
    "cause", [CAUSE, ABSENT, NoRoute("198.51.100.1", "unreachable"), UNSENT], ids=["gone", "absent", "route", "unsent"]
)
def test_where_there_is_a_way_again_nobody_waits_for_the_next_attempt(cause: Finding) -> None:
    before = peer(lan=waiting(cause))
    assert ways.waits(before)
    assert told(before, WayFound())[1] == ["begin phase 1 as 11"]


@pytest.mark.parametrize("cause", [Said("the peer refuses"), SILENT], ids=["refused", "silent"])
def test_but_what_failed_for_another_cause_does(cause: Finding) -> None:
    before = peer(lan=waiting(cause))
    assert not ways.waits(before)
    assert told(before, WayFound()) == (before, [])


def test_deletes_that_could_not_be_said_wait_for_a_way_too() -> None:
    before = peer(deletes_to_send=(ipsec(1).inbound,))
    assert ways.waits(before)
    assert told(before, WayFound())[1] == ["begin phase 1 as 11"]


def test_the_addresses_that_a_peer_uses() -> None:
    other = pair(2, "dmz", sa=ipsec(2, "dmz", local=OTHER))
    assert ways.in_use(peer(isakmp(), dmz=ChildState(pairs=(other,)))) == {ALICE, OTHER}
    assert ways.in_use(peer(isakmp(stage=Stage.LEAVING))) == set()
