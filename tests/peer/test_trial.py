"""The trial of ESP in UDP: what it makes, what keeps it, and what is left where it does not help."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikevd.errors import Abandoned, PeerRefused
from ikevd.path_findings import EspBlocked, UdpInVain
from ikevd.peer import blocked
from ikevd.peer.child_state import ChildState
from ikevd.peer.command_facts import Reset
from ikevd.peer.exchange_facts import PhaseOneFailed, PhaseOneUp
from ikevd.peer.exchange_state import Attempt
from ikevd.peer.facts import Restarted
from ikevd.peer.message_facts import Informed
from ikevd.peer.notices import delete_ipsec
from ikevd.peer.one_way_state import OneWay
from ikevd.peer.path_facts import AddressGone, Balance
from ikevd.peer.state import PeerState
from ikevd.policy.child import Start
from ikevd.policy.nat import NatMethod
from ikevd.sa.model import NatTraversal
from ikevd.wire.registry import NotifyType
from tests.builders import ALICE, child
from tests.peer.records import NOW, VIEW, A, B, C, isakmp, isakmp_sa, mode, pair, peer, told

PLAIN = NatTraversal(NatMethod.RFC_3947, local=False, remote=False)
TRIED = replace(PLAIN, tried=True)
SEVEN = Attempt(7)
OLD = replace(pair(1), rekey_at=NOW + 2700)
REPLACED = replace(pair(1), delete_at=NOW + 4, leave_at=NOW + 6)
MADE = replace(pair(2), under=B, born=NOW - 12, rekey_at=NOW + 2700)
BEGUN = OneWay(NOW - 31, attempt=SEVEN, children=("lan",))
STANDS = OneWay(NOW - 13, look_at=NOW, under=B, children=("lan",))
REFUSED = PeerRefused("the peer refuses it", NotifyType.NO_PROPOSAL_CHOSEN)
HELPED = EspBlocked("192.0.2.1", "198.51.100.1")


def under_way(known: OneWay = BEGUN) -> PeerState:
    """Its phase 1 is."""
    lan = ChildState(wanted=True, pairs=(OLD,), since=5.0)
    return peer(isakmp(A), lan=lan, phase1=SEVEN, one_way=known)


def unjudged(*pairs: object, known: OneWay = STANDS, **changes: object) -> PeerState:
    """Its ISAKMP SA stands."""
    lan = ChildState(wanted=True, pairs=pairs or (REPLACED, MADE), since=5.0)  # type: ignore[arg-type]
    newer = isakmp(B, sa=replace(isakmp_sa(B), nat=TRIED), born=NOW - 13)
    return peer(isakmp(A), newer, lan=lan, one_way=known, **changes)  # type: ignore[arg-type]


def up(nat: NatTraversal | None = TRIED, attempt: Attempt | None = SEVEN) -> PhaseOneUp:
    return PhaseOneUp(attempt, replace(isakmp_sa(B, initiator=attempt is not None), nat=nat))


# -- its beginning


def test_both_sides_shall_believe_in_a_nat_in_its_phase_1_and_in_later_ones_if_it_helped() -> None:
    assert blocked.forges(under_way())
    assert blocked.forges(peer(one_way=OneWay(NOW, helps=True)))
    assert not blocked.forges(peer(phase1=SEVEN))
    assert not blocked.forges(replace(under_way(), phase1=Attempt(8)))


def test_under_its_isakmp_sa_the_children_that_send_are_negotiated_anew_and_nothing_gives_way() -> None:
    after, effects = told(under_way(), up())
    assert effects[-1] == "begin lan as 11 under B"
    assert after.one_way == replace(BEGUN, since=NOW, look_at=NOW + 2, attempt=None, under=B)
    assert after.isakmp[A].retire_at is None
    assert after.children["lan"].pairs == (replace(OLD, rekey_at=None),)


@pytest.mark.parametrize("nat", [None, PLAIN])
def test_a_peer_that_takes_no_part_is_not_asked_for_pairs(nat: NatTraversal | None) -> None:
    after, effects = told(under_way(), up(nat))
    assert "say under B: delete ISAKMP SA B" in effects
    assert after.one_way is not None
    assert (after.one_way.again_at, after.one_way.vain) == (NOW + 3600, 1)
    assert after.waiting == ()


def test_a_phase_1_that_is_refused_leaves_all_as_it_was() -> None:
    before = under_way(replace(BEGUN, vain=1))
    after, effects = told(before, PhaseOneFailed(SEVEN, REFUSED))
    (said,) = effects
    assert said.startswith("record of A: ESP in UDP could not be tried: ")
    assert said.endswith("what stood before carries on, and it is not tried again for 2 h")
    assert after.children == before.children
    assert after.one_way is not None
    assert after.one_way.again_at == NOW + 7200


def test_one_that_is_told_to_end_proves_nothing() -> None:
    assert told(under_way(), PhaseOneFailed(SEVEN, Abandoned("by command")))[0].one_way is None


# -- its end


def test_a_packet_in_udp_keeps_it_and_what_stood_before_gives_way() -> None:
    dmz = ChildState(wanted=True, pairs=(replace(pair(3, "dmz"), rekey_at=NOW + 2700),))
    after, effects = told(unjudged(dmz=dmz), Balance(B, 30, 1, ("lan",)))
    assert after.one_way == OneWay(NOW, helps=True, found=HELPED)
    assert after.isakmp[A].retire_at == NOW + 30
    assert effects[-1] == "begin dmz as 11 under B"
    assert sum("is blocked between 192.0.2.1 and 198.51.100.1" in effect for effect in effects) == 2


def test_none_within_12_s_undoes_it_and_the_former_pair_carries_on() -> None:
    after, effects = told(unjudged(), Balance(B, 30, 0, ("lan",)))
    assert after.one_way == OneWay(NOW, vain=1, again_at=NOW + 3600, found=UdpInVain(30, 3600.0))
    (left,) = after.children["lan"].pairs
    assert (left.sa, left.delete_at, left.leave_at) == (REPLACED.sa, None, None)
    assert effects[-2:] == [f"say under B: delete {MADE.sa.inbound}", "say under B: delete ISAKMP SA B"]


def test_until_then_its_pairs_carry_what_is_sent() -> None:
    young = replace(MADE, born=NOW - 2, use_at=NOW + 3)
    after, effects = told(unjudged(OLD, young), Balance(B, 30, 0, ("lan",)))
    assert effects == []
    assert after.one_way == replace(STANDS, look_at=NOW + 2)
    assert [pair.use_at for pair in after.children["lan"].pairs] == [None, None]
    assert after.children["lan"].pairs[0].leave_at == NOW + 16


def test_without_a_pair_it_is_over_after_40_s() -> None:
    assert told(unjudged(OLD), Balance(B, 0, 0))[0].one_way == replace(STANDS, look_at=NOW + 2)
    late = replace(STANDS, since=NOW - 40)
    making = unjudged(OLD, known=late, modes={8: replace(mode(), under=B)})
    making = replace(making, children={"lan": replace(making.children["lan"], attempt=Attempt(8))})
    after, effects = told(making, Balance(B, 0, 0))
    assert "ESP in UDP did not help: 0 packets left in it" in " ".join(effects)
    assert after.children["lan"].attempt is None
    assert after.waiting == ()


def test_what_the_kernel_tells_of_a_former_trial_changes_nothing() -> None:
    before = unjudged()
    assert told(before, Balance(C, 30, 1, ("lan",))) == (before, [])


def test_a_peer_that_deletes_all_with_what_the_trial_made_is_called_anew() -> None:
    before = told(unjudged(), Balance(B, 30, 0, ("lan",)))[0]
    manual = replace(VIEW, children=(child(start=Start.MANUAL),))
    unwanted = replace(before, children={"lan": replace(before.children["lan"], wanted=False)})
    for now, begins in ((NOW + 9, True), (NOW + 10, False)):
        for state in (before, unwanted):
            _, effects = told(state, Informed(A, (delete_ipsec(OLD.sa.outbound),)), now=now, view=manual)
            assert any(effect.startswith("begin lan") for effect in effects) is begins


# -- after it


def test_a_phase_1_of_the_peer_without_it_is_followed_by_one_of_ours() -> None:
    lan = ChildState(wanted=True, pairs=(MADE,), since=5.0)
    before = peer(lan=lan, one_way=OneWay(NOW - 500, helps=True, found=HELPED))
    after, effects = told(before, up(PLAIN, None))
    assert any(effect.startswith("begin phase 1 as 11") for effect in effects)
    again = told(
        replace(after, phase1=None), replace(up(PLAIN, None), sa=replace(isakmp_sa(C, initiator=False), nat=PLAIN))
    )
    assert not any(effect.startswith("begin phase 1") for effect in again[1]), "not twice within five minutes"


def test_it_is_forgotten_where_its_phase_1_fails_and_nothing_else_stands() -> None:
    known = OneWay(NOW - 500, helps=True, found=HELPED)
    alone = peer(phase1=SEVEN, one_way=known)
    assert told(alone, PhaseOneFailed(SEVEN, REFUSED))[0].one_way is None
    beside = peer(isakmp(A), phase1=SEVEN, one_way=known)
    assert told(beside, PhaseOneFailed(SEVEN, REFUSED))[0].one_way == known


def test_a_restart_goes_on_with_it_unless_its_phase_1_is_gone() -> None:
    assert told(under_way(), Restarted())[0].one_way is None
    assert told(unjudged(), Restarted())[0].one_way == STANDS


def test_another_address_of_ours_and_a_reset_begin_anew() -> None:
    known = OneWay(NOW - 500, helps=True, found=HELPED)
    assert told(peer(isakmp(A), one_way=known), AddressGone(ALICE))[0].one_way is None
    assert told(peer(isakmp(A), one_way=known), Reset())[0].one_way is None
