"""AH and transport mode in the life of a peer: whose SPI is meant, what the gate of a child is, what moves."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, ip_address

import pytest

from ikevd.addresses import Endpoint, Path
from ikevd.host.policies import Action, Direction
from ikevd.host.sas import SaId
from ikevd.peer.child_state import ChildState, PairState
from ikevd.peer.command_facts import Unwanted
from ikevd.peer.decide import decide
from ikevd.peer.desired import View, desired_child
from ikevd.peer.draft import Draft
from ikevd.peer.effects import Say
from ikevd.peer.message_facts import Informed
from ikevd.peer.moves import arrive
from ikevd.peer.notices import delete_ipsec
from ikevd.policy.child import Child
from ikevd.policy.proposals import parse_ah
from ikevd.policy.selectors import Dynamic, TrafficSelector
from ikevd.sa.model import Spi
from ikevd.wire.payloads import DeletePayload
from ikevd.wire.registry import Encapsulation, Protocol
from tests.builders import ALICE, BOB, ESP_AES128_SHA256, child, connection
from tests.peer.mapped import behind_nat, in_udp
from tests.peer.records import NOW, SALT, VIEW, A, isakmp, ours, pair, peer, theirs, told

AH = parse_ah("sha256")
TRANSPORT = replace(ESP_AES128_SHA256, mode=Encapsulation.TRANSPORT)
ANY = IPv4Address(0)


def of_ah(spi: Spi) -> Spi:
    """The same number as an SPI of AH."""
    return Spi.of(Protocol.AH, spi.octets)


def ah_pair(number: int = 1, name: str = "dmz") -> PairState:
    """A pair of AH under the numbers that one of ESP has."""
    plain = pair(number, name)
    sa = replace(plain.sa, suite=AH, inbound=of_ah(plain.sa.inbound), outbound=of_ah(plain.sa.outbound))
    return replace(plain, sa=sa)


BOTH = peer(isakmp(), lan=ChildState(pairs=(pair(1),)), dmz=ChildState(pairs=(ah_pair(1),)))
"""ESP and AH under the same numbers."""


@pytest.mark.parametrize(("spi", "left"), [(theirs(1), "dmz"), (of_ah(theirs(1)), "lan")], ids=["esp", "ah"])
def test_a_delete_ends_the_sa_of_its_protocol_alone(spi: Spi, left: str) -> None:
    after, _ = told(BOTH, Informed(A, (delete_ipsec(spi),)))
    assert [name for name, state in after.children.items() if state.pairs] == [left]


def test_a_delete_of_ours_names_each_protocol() -> None:
    _, effects = decide(VIEW, BOTH, Unwanted(("lan", "dmz")), NOW, SALT)
    payloads = [payload for effect in effects if isinstance(effect, Say) for payload in effect.payloads]
    assert payloads == [
        DeletePayload(Protocol.ESP, (ours(1).octets,)),
        DeletePayload(Protocol.AH, (ours(1).octets,)),
    ]


def test_sas_and_templates_of_ah_are_of_ah() -> None:
    dmz = VIEW.children[1]
    view = desired_child(VIEW, replace(dmz, suites=(AH,)), ChildState(pairs=(ah_pair(1),)))
    assert set(view.sas) == {SaId(ALICE, of_ah(ours(1))), SaId(BOB, of_ah(theirs(1)))}
    templates = [policy.template for policy in view.policies.values() if policy.template]
    assert {template.protocol for template in templates} == {Protocol.AH}


# -- transport mode


def hosts(local: TrafficSelector | None = None, remote: TrafficSelector | None = None) -> Child:
    """In transport mode; by default between the ends that the connection names."""
    return replace(
        child(),
        suites=(TRANSPORT,),
        local=local or TrafficSelector.of_address(ALICE),
        remote=remote or TrafficSelector.of_address(BOB),
    )


def networks(view: View, way: Direction) -> list[str]:
    return [f"{name.source} -> {name.destination}" for name in view.policies if name.direction is way]


def test_what_is_between_the_peers_is_blocked_and_nothing_is_forwarded() -> None:
    view = desired_child(connection(), hosts(), ChildState())
    assert networks(view, Direction.OUT) == [f"{ALICE}/32 -> {BOB}/32"]
    assert networks(view, Direction.FWD) == []
    assert {policy.template.transport for policy in view.policies.values() if policy.template} == {True}


def test_where_our_address_is_open_all_of_ours_is_blocked() -> None:
    view = desired_child(connection(local=None), hosts(local=Dynamic.of_end(ANY, 17, 1701)), ChildState())
    assert networks(view, Direction.OUT) == [f"0.0.0.0/0 -> {BOB}/32"]
    assert [policy.action for policy in view.policies.values()] == [Action.TUNNEL, Action.BLOCK]


def test_where_the_peer_may_be_anywhere_nothing_is_blocked() -> None:
    view = desired_child(connection(remote=None), hosts(remote=Dynamic.of_end(ANY)), ChildState())
    assert not view.policies


def test_of_a_protocol_of_which_the_pair_has_one_port_the_rest_is_blocked() -> None:
    one = in_udp()
    web = TrafficSelector(BOB, BOB, 17, 80)
    sa = replace(one.sa, suite=TRANSPORT, local_selector=TrafficSelector(ALICE, ALICE, 17), remote_selector=web)
    state = ChildState(pairs=(replace(one, sa=sa),))
    whole = hosts(TrafficSelector(ALICE, ALICE, 17), TrafficSelector(BOB, BOB, 17))
    policies = desired_child(connection(), whole, state).policies
    outwards = sorted((policy.priority, policy) for name, policy in policies.items() if name.direction is Direction.OUT)
    assert [(policy.action, policy.id.destination_port) for _, policy in outwards] == [
        (Action.TUNNEL, 80),
        (Action.BLOCK, 0),
    ]


def test_a_peer_that_moves_takes_its_selector_along() -> None:
    plain = in_udp()
    moving = replace(
        plain,
        sa=replace(plain.sa, suite=TRANSPORT, remote_selector=TrafficSelector(BOB, BOB, 17, 1701)),
    )
    before = peer(behind_nat(), lan=ChildState(pairs=(moving,)))
    draft = Draft(VIEW, before, NOW, SALT)
    there = ip_address("203.0.113.7")
    arrive(draft, A, Path(before.isakmp[A].path.local, Endpoint(there, 40001)), answered=True)
    (after,) = draft.child("lan").pairs
    assert (after.sa.remote, str(after.sa.remote_selector)) == (there, f"{there}/32[udp/1701]")
