"""Whether ESP is blocked on the way: when the kernel is asked, and what makes that a reason to try ESP in UDP."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikevd.errors import Said
from ikevd.peer.child_state import ChildState
from ikevd.peer.command_facts import Reset
from ikevd.peer.due import next_due
from ikevd.peer.exchange_state import Attempt
from ikevd.peer.facts import Due, Fact
from ikevd.peer.isakmp_state import IsakmpState, Liveness
from ikevd.peer.one_way_state import OneWay, OneWayStage
from ikevd.peer.path_facts import AddressGone, Balance
from ikevd.peer.state import PeerState
from ikevd.peer.volume_facts import Carried
from ikevd.policy.child import Start
from ikevd.policy.connection import Connection
from ikevd.policy.nat import Encap, NatMethod
from ikevd.sa.model import NatTraversal, UdpEncapsulation
from tests.builders import child
from tests.peer.records import NOW, VIEW, A, B, isakmp, isakmp_sa, pair, peer, told

NO_NAT = NatTraversal(NatMethod.RFC_3947, local=False, remote=False)
LOOKED_AT = Liveness(100, look_at=NOW)
UP = ChildState(wanted=True, pairs=(replace(pair(1), rekey_at=NOW + 2700),), since=5.0)
ASK, IF_LEFT = "ask how many packets came", "ask for traffic under A, if any has left"
LEFT = Carried(A, None, left=True)
PASSIVE = replace(VIEW, children=(child(start=Start.PASSIVE),))


def stands(*, nat: NatTraversal | None = NO_NAT, initiator: bool = True, **changes: object) -> IsakmpState:
    """Its peer was heard of 10 s ago."""
    return isakmp(
        A, **{"sa": replace(isakmp_sa(A, initiator=initiator), nat=nat, dpd=True), "liveness": LOOKED_AT} | changes
    )


def state(known: OneWay | None = None, **changes: object) -> PeerState:
    return peer(stands(**changes), lan=UP, one_way=known)  # type: ignore[arg-type]


def suspected(since: float = NOW - 30) -> OneWay:
    return OneWay(since, look_at=NOW)


# -- when the kernel is asked


def test_where_esp_has_come_from_the_peers_address_nothing_is_looked_for_under_later_isakmp_sas_either() -> None:
    after, _ = told(state(), Carried(A, NOW - 1))
    assert after.esp_came_from == stands().path.remote.address
    later = replace(state(), esp_came_from=after.esp_came_from)
    assert ASK not in told(later, LEFT)[1]
    elsewhere = replace(later, esp_came_from=stands().path.local.address)
    assert ASK in told(elsewhere, LEFT)[1]


def test_a_packet_in_udp_is_no_esp() -> None:
    in_udp = replace(UP.pairs[0], sa=replace(UP.pairs[0].sa, encap=UdpEncapsulation(4500, 4500)))
    after, _ = told(peer(stands(), lan=replace(UP, pairs=(in_udp,))), Carried(A, NOW - 1))
    assert after.esp_came_from is None


def test_it_is_forgotten_with_the_address_of_this_machine_and_by_reset() -> None:
    known = replace(state(), esp_came_from=stands().path.remote.address)
    for fact in (AddressGone(stands().path.local.address), Reset()):
        assert told(known, fact)[0].esp_came_from is None


def test_what_came_is_counted_where_packets_left_and_none_has_come_since_the_isakmp_sa_stands() -> None:
    assert ASK in told(state(), LEFT)[1]
    assert ASK not in told(state(), Carried(A, None))[1]
    assert ASK not in told(state(), Carried(A, NOW - 1, left=True))[1]
    assert ASK not in told(state(liveness=replace(LOOKED_AT, carried=NOW - 200)), LEFT)[1]


def test_of_a_peer_that_is_heard_by_ike_all_the_time_it_is_asked_whether_any_packet_has_left() -> None:
    after, effects = told(state(), Due())
    assert effects == [IF_LEFT]
    live = after.isakmp[A].liveness
    assert live is not None
    assert live.left_asked_at == NOW
    assert told(state(liveness=replace(LOOKED_AT, carried=NOW - 200)), Due())[1] == []


@pytest.mark.parametrize(("before", "effects"), [(45, [IF_LEFT]), (44, [])])
def test_that_is_asked_once_in_one_and_a_half_of_the_delay(before: float, effects: list[str]) -> None:
    assert told(state(liveness=replace(LOOKED_AT, left_asked_at=NOW - before)), Due())[1] == effects


def test_it_is_asked_in_place_of_whether_any_came_at_each_second_look() -> None:
    assert told(state(heard=NOW - 30), Due())[1] == [IF_LEFT]
    later = replace(LOOKED_AT, left_asked_at=NOW - 30)
    assert told(state(heard=NOW - 30, liveness=later), Due())[1] == ["ask for traffic under A"]


def test_it_waits_for_the_next_look_that_is_near() -> None:
    assert told(state(heard=NOW - 16), Due())[1] == []


def test_a_peer_that_owes_an_answer_is_asked_about_first() -> None:
    assert told(state(liveness=replace(LOOKED_AT, asked=1, asked_at=NOW - 1)), Due())[1] == ["ask for traffic under A"]


@pytest.mark.parametrize(
    ("changes", "view"),
    [
        ({"nat": None}, VIEW),
        ({"nat": replace(NO_NAT, remote=True)}, VIEW),
        ({"nat": replace(NO_NAT, tried=True)}, VIEW),
        ({}, replace(VIEW, encap=Encap.FORCE)),
        ({"initiator": False}, PASSIVE),
    ],
    ids=["no NAT traversal", "a NAT", "tried", "forced", "cannot call"],
)
def test_it_is_not_asked_where_a_trial_is_impossible_or_needless(changes: dict[str, object], view: Connection) -> None:
    assert ASK not in told(state(**changes), LEFT, view=view)[1]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "known",
    [
        OneWay(0.0, look_at=NOW + 5),
        OneWay(0.0, look_at=NOW + 5, under=B),
        OneWay(0.0, helps=True),
        OneWay(0.0, again_at=NOW + 1),
    ],
    ids=["looked at soon", "tried", "helps", "tried in vain"],
)
def test_it_is_not_asked_where_that_is_known(known: OneWay) -> None:
    assert ASK not in told(state(known), LEFT)[1]


def test_it_is_asked_again_an_hour_after_a_trial_in_vain() -> None:
    assert ASK in told(state(OneWay(0.0, again_at=NOW, vain=1)), LEFT)[1]


# -- what it says


def test_that_packets_only_leave_is_looked_at_once_more_after_30_s() -> None:
    after, effects = told(state(), Balance(None, 1, 0, ("lan",)))
    assert (after.one_way, effects) == (OneWay(NOW, look_at=NOW + 30), [])
    assert next_due(after) == NOW  # for dead peer detection
    assert next_due(replace(after, isakmp={})) == NOW + 30


def test_the_end_that_was_called_waits_a_minute() -> None:
    after, _ = told(state(initiator=False), Balance(None, 25, 0, ("lan",)))
    assert after.one_way == OneWay(NOW, look_at=NOW + 60)


def test_then_a_phase_1_begins() -> None:
    after, effects = told(state(suspected()), Balance(None, 20, 0, ("lan",)))
    silent = (
        "20 packets left and none came back for 30 s, though the peer answers by IKE: ESP may be blocked on the way; "
        "ESP in UDP is tried"
    )
    assert effects == [f"begin phase 1 as 11: {silent}", f"record of A: {silent}"]
    assert after.one_way is not None
    assert (after.one_way.attempt, after.one_way.children, after.one_way.look_at) == (Attempt(11), ("lan",), None)


@pytest.mark.parametrize(
    ("known", "fact"),
    [
        (suspected(), Balance(None, 19, 0, ("lan",))),
        (suspected(NOW - 29), Balance(None, 500, 0, ("lan",))),
        (suspected(NOW - 9), Balance(None, 500, 0, ("lan",))),
    ],
    ids=["19 packets", "29 s", "not heard of since"],
)
def test_less_than_that_is_looked_at_again(known: OneWay, fact: Fact) -> None:
    after, effects = told(state(known), fact)
    assert effects == []
    assert after.one_way == replace(known, look_at=NOW + 30 if known.since == NOW - 30 else known.since + 30)


@pytest.mark.parametrize("fact", [Balance(None, 500, 1, ("lan",)), Balance(None, 0, 0)], ids=["one came", "none left"])
def test_one_packet_that_comes_ends_all_doubt(fact: Balance) -> None:
    assert told(state(suspected()), fact)[0].one_way is None
    in_vain = replace(suspected(), vain=2, found=Said("in vain"))
    after = told(state(in_vain), fact)[0].one_way
    assert after == (None if fact.came else replace(in_vain, look_at=None))


def test_it_waits_for_a_phase_1_that_is_under_way() -> None:
    before = replace(state(suspected()), phase1=Attempt(7))
    after, effects = told(before, Balance(None, 20, 0, ("lan",)))
    assert effects == []
    assert after.one_way == OneWay(NOW - 30, look_at=NOW + 2)


# -- how far it is


@pytest.mark.parametrize(
    ("known", "stage"),
    [
        (OneWay(0.0, look_at=NOW), OneWayStage.SUSPECTED),
        (OneWay(0.0, look_at=NOW, vain=1, found=Said("in vain")), OneWayStage.SUSPECTED),
        (OneWay(0.0, attempt=Attempt(7)), OneWayStage.CALLING),
        (OneWay(0.0, look_at=NOW, under=B), OneWayStage.TRYING),
        (OneWay(0.0, helps=True, again_at=NOW), OneWayStage.HELPED),
        (OneWay(0.0, vain=1, again_at=NOW), OneWayStage.IN_VAIN),
    ],
    ids=["suspected", "suspected again", "calling", "trying", "helped", "in vain"],
)
def test_the_stage_of_a_trial_is_told_by_its_record(known: OneWay, stage: OneWayStage) -> None:
    assert known.stage is stage
