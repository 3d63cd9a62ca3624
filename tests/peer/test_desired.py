"""What of one child shall stand in the kernel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from ipaddress import ip_address

import pytest

from ikevd.addresses import Address
from ikevd.errors import Said
from ikevd.host.policies import Action, Direction, Template
from ikevd.host.sas import KernelSa, UdpPorts
from ikevd.peer.child_state import ChildState, Flaps, Half, HookState, Idle, PairState
from ikevd.peer.desired import NOTHING, View, desired_child, is_desired_alike
from ikevd.peer.exchange_state import Attempt
from ikevd.peer.timing import BACKSTOP
from ikevd.policy.child import Child, Start
from ikevd.policy.connection import Connection
from ikevd.policy.lives import Lifetime
from ikevd.policy.priorities import priority
from ikevd.policy.selectors import TrafficSelector
from ikevd.sa.model import AskedFor, Cpis, IpsecSa, Spi, UdpEncapsulation
from ikevd.wire.registry import Protocol
from tests.builders import ALICE, BOB, ESP_AES128_SHA256, ESP_AES256_SHA1, child, connection, selector
from tests.hooks.calls import call
from tests.peer.records import B, ipsec, opening, ours, pair, theirs

LAN = child()
ON_DEMAND = replace(LAN, start=Start.ON_DEMAND)
VIEW = connection()
ANYONE = replace(VIEW, remote=None)
OUT, IN, FWD = Direction.OUT, Direction.IN, Direction.FWD
BLOCK, TUNNEL = Action.BLOCK, Action.TUNNEL
CAROL = ip_address("203.0.113.3")
GATE_OF_NONE = {OUT: BLOCK, IN: TUNNEL, FWD: TUNNEL}
GATE_OF_ONE = {OUT: TUNNEL, IN: TUNNEL, FWD: TUNNEL}
DOWN = ChildState()


def view(state: ChildState, connection: Connection = VIEW, lan: Child = LAN) -> View:
    return desired_child(connection, lan, state)


def gate(view: View) -> dict[Direction, Action]:
    return {policy.id.direction: policy.action for policy in view.policies.values()}


def ends(view: View) -> dict[Direction, tuple[Address, Address]]:
    """Of the templates: (source, destination)."""
    templates = {policy.id.direction: policy.template for policy in view.policies.values()}
    return {kind: (template.source, template.destination) for kind, template in templates.items() if template}


# -- SAs


def test_the_sas_of_a_pair_that_stands() -> None:
    plain = {"reqid": LAN.reqid, "suite": ESP_AES128_SHA256, "lifetime": Lifetime(BACKSTOP), "replay_window": 128}
    inbound = KernelSa(BOB, ALICE, ours(1), **plain)  # type: ignore[arg-type]
    outbound = KernelSa(ALICE, BOB, theirs(1), **plain)  # type: ignore[arg-type]
    assert view(ChildState(pairs=(pair(1),))).sas == {inbound.id: inbound, outbound.id: outbound}


def test_the_kernel_counts_volume_and_its_clock_ends_nothing() -> None:
    counted = pair(1, sa=ipsec(1, lifetime=Lifetime(3600, 4_608_000)))
    for sa in view(ChildState(pairs=(counted,))).sas.values():
        assert (sa.lifetime, sa.soft_kilobytes) == (Lifetime(BACKSTOP, 4_608_000), 3_456_000)


def test_of_a_pair_half_made_the_inbound_sa() -> None:
    assert [sa.spi for sa in view(ChildState(pairs=(opening(1, 7),))).sas.values()] == [ours(1)]


def test_the_ports_of_esp_in_udp_and_an_unusual_icv() -> None:
    odd = ipsec(1, encap=UdpEncapsulation(4500, 61000), icv_bits=96)
    inbound, outbound = view(ChildState(pairs=(pair(1, sa=odd),))).sas.values()
    assert (inbound.encap, outbound.encap) == (UdpPorts(61000, 4500), UdpPorts(4500, 61000))
    assert inbound.icv_bits == outbound.icv_bits == 96


def test_two_pairs_stand_side_by_side() -> None:
    assert len(view(ChildState(pairs=(pair(1), pair(2)))).sas) == 4


# -- the gate


@pytest.mark.parametrize(
    ("pairs", "wanted"),
    [
        ((), GATE_OF_NONE),
        ((opening(1, 7),), GATE_OF_NONE),
        ((opening(1, 7, Half.BOTH),), GATE_OF_ONE),
        ((pair(1),), GATE_OF_ONE),
        ((pair(1), opening(2, 7)), GATE_OF_ONE),
    ],
    ids=["no pair", "half a pair", "a pair that is about to stand", "one that stands", "and half another"],
)
def test_nothing_leaves_but_through_a_pair_and_nothing_enters_in_the_clear(
    pairs: tuple[object, ...], wanted: dict[Direction, Action]
) -> None:
    assert gate(view(ChildState(pairs=pairs))) == wanted  # type: ignore[arg-type]


TRAP = {OUT: TUNNEL, IN: TUNNEL, FWD: TUNNEL}
"""The first packet asks for an SA: the tunnel has none."""


@pytest.mark.parametrize(
    ("state", "lan", "wanted"),
    [
        (DOWN, ON_DEMAND, TRAP),
        (replace(DOWN, wanted=True), ON_DEMAND, TRAP),
        (replace(DOWN, pairs=(opening(1, 7),)), ON_DEMAND, TRAP),
        (replace(DOWN, by_command=True), ON_DEMAND, GATE_OF_NONE),
        (replace(DOWN, held=True), LAN, TRAP),
        (replace(DOWN, held=True, by_command=True), LAN, GATE_OF_NONE),
    ],
    ids=["down", "wanted", "half a pair", "taken down by command", "held", "held and taken down"],
)
def test_a_trap_stands_until_a_pair_does_or_the_operator_takes_it_down(
    state: ChildState, lan: Child, wanted: dict[Direction, Action]
) -> None:
    shown = view(state, lan=lan)
    assert gate(shown) == wanted
    assert {policy.reqid for policy in shown.policies.values()} == {lan.reqid}


def test_a_trap_without_a_configured_local_address_leaves_that_to_routing() -> None:
    assert ends(view(DOWN, replace(VIEW, local=None), ON_DEMAND))[OUT] == (ip_address("0.0.0.0"), BOB)


CLEAR = {
    "fail_open": (DOWN, VIEW, replace(LAN, fail_open=True)),
    "down --open": (replace(DOWN, open=True), VIEW, LAN),
    "remote: any": (DOWN, ANYONE, LAN),
}


@pytest.mark.parametrize(("state", "connection", "lan"), CLEAR.values(), ids=CLEAR)
def test_without_a_pair_the_clear_is_open(state: ChildState, connection: Connection, lan: Child) -> None:
    assert view(state, connection, lan) == NOTHING


@pytest.mark.parametrize(("state", "connection", "lan"), CLEAR.values(), ids=CLEAR)
def test_with_half_a_pair_its_inbound_sa_has_its_policies(
    state: ChildState, connection: Connection, lan: Child
) -> None:
    half = replace(state, pairs=(opening(1, 7),))
    assert gate(view(half, connection, lan)) == {IN: TUNNEL, FWD: TUNNEL}


@pytest.mark.parametrize(("state", "connection", "lan"), CLEAR.values(), ids=CLEAR)
def test_with_a_pair_it_is_closed(state: ChildState, connection: Connection, lan: Child) -> None:
    assert gate(view(replace(state, pairs=(pair(1),)), connection, lan)) == GATE_OF_ONE


# -- selectors, templates, priorities


def test_packets_are_seen_from_their_source() -> None:
    policies = {policy.id.direction: policy.id for policy in view(DOWN).policies.values()}
    (local,), (remote,) = LAN.local.networks, LAN.remote.networks
    assert (policies[OUT].source, policies[OUT].destination) == (local, remote)
    assert (policies[IN].source, policies[IN].destination) == (remote, local)
    assert (policies[FWD].source, policies[FWD].destination) == (remote, local)


def test_protocol_and_ports_change_sides_with_them() -> None:
    web = child(local="10.1.0.1/32", remote="10.2.0.0/24")
    web = replace(web, local=replace(web.local, protocol=6, port=443), remote=replace(web.remote, protocol=6))
    names = {policy.id.direction: policy.id for policy in view(DOWN, lan=web).policies.values()}
    assert (names[OUT].protocol, names[OUT].source_port, names[OUT].destination_port) == (6, 443, 0)
    assert (names[IN].protocol, names[IN].source_port, names[IN].destination_port) == (6, 0, 443)


def test_a_range_takes_a_policy_for_each_subnet_that_makes_it_up() -> None:
    odd = replace(LAN, local=TrafficSelector.parse("10.1.0.1-10.1.0.4"))
    networks = [policy.id.source for policy in view(DOWN, lan=odd).policies.values() if policy.id.direction is OUT]
    assert [str(network) for network in networks] == ["10.1.0.1/32", "10.1.0.2/31", "10.1.0.4/32"]


def test_block_and_tunnel_of_one_child_differ_in_nothing_but_the_action() -> None:
    """And in the SPI that the way out names: so that one becomes the other by one request."""
    down = {policy.id: replace(policy, action=TUNNEL) for policy in view(DOWN).policies.values()}
    (out,) = [name for name in down if name.direction is OUT]
    through = Template(ALICE, BOB, LAN.reqid, theirs(1))
    assert view(ChildState(pairs=(pair(1),))).policies == down | {out: replace(down[out], template=through)}


def test_the_priority_is_that_of_the_selector() -> None:
    (out,) = [policy for policy in view(DOWN).policies.values() if policy.id.direction is OUT]
    assert out.priority == priority(out.id.source, out.id.destination)


def test_a_block_bears_the_template_of_its_child() -> None:
    (out,) = [policy for policy in view(DOWN).policies.values() if policy.id.direction is OUT]
    assert out.template == Template(ALICE, BOB, LAN.reqid)


def test_out_follows_the_newest_pair_that_stands_both_ways_in_and_fwd_the_newest() -> None:
    """The peer has moved, and its new Quick Mode is half-way."""
    state = ChildState(pairs=(pair(1), replace(opening(2, 7), sa=ipsec(2, remote=CAROL))))
    assert ends(view(state)) == {OUT: (ALICE, BOB), IN: (CAROL, ALICE), FWD: (CAROL, ALICE)}


@pytest.mark.parametrize(("half", "comes_by"), [(Half.INBOUND, "10.2.0.0/25"), (Half.BOTH, "10.2.0.128/25")])
def test_another_part_of_a_template_counts_for_what_comes_once_message_3_has_come(half: Half, comes_by: str) -> None:
    one, other = (ipsec(n, remote_selector=selector(part)) for n, part in ((1, "10.2.0.0/25"), (2, "10.2.0.128/25")))
    of_one_peer = replace(LAN, template=True, instance=True)
    found = view(ChildState(pairs=(pair(1, sa=one), replace(opening(2, 7, half), sa=other))), ANYONE, of_one_peer)
    assert [str(name.source) for name in found.policies if name.direction is IN] == [comes_by]


def actions(found: View, way: Direction) -> dict[str, Action]:
    """By the network on the other side."""
    return {
        str(name.destination if way is OUT else name.source): policy.action
        for name, policy in found.policies.items()
        if name.direction is way
    }


def test_what_a_pair_leaves_out_of_its_child_is_blocked_both_ways_beneath_it() -> None:
    part = ipsec(1, remote_selector=selector("10.2.0.0/25"))
    found = view(ChildState(pairs=(pair(1, sa=part),)))
    for way in Direction:
        assert actions(found, way) == {"10.2.0.0/25": TUNNEL, "10.2.0.0/24": BLOCK}
    priorities = {str(name.destination): one.priority for name, one in found.policies.items() if name.direction is OUT}
    assert priorities["10.2.0.0/25"] < priorities["10.2.0.0/24"]


def test_a_peer_that_asks_for_less_gets_no_better_priority_by_it() -> None:
    """Else it would win over narrower children and drops."""
    lan = replace(LAN, remote=TrafficSelector.parse("10.2.0.1-10.2.0.254"))
    part = ipsec(1, remote_selector=TrafficSelector.parse("10.2.0.9-10.2.0.10"))
    carried = [
        one for one in view(ChildState(pairs=(pair(1, sa=part),)), lan=lan).policies.values() if one.action is TUNNEL
    ]
    whole = {
        str(one.id.destination): one for one in view(ChildState(), lan=lan).policies.values() if one.id.direction is OUT
    }
    for one in carried:
        if one.id.direction is OUT:
            assert one.priority == whole["10.2.0.8/29"].priority


def test_what_a_pair_leaves_out_of_its_child_is_as_clear_as_that_was_without() -> None:
    part = ipsec(1, remote_selector=selector("10.2.0.0/25"))
    found = view(ChildState(pairs=(pair(1, sa=part),)), lan=replace(LAN, fail_open=True))
    assert actions(found, OUT) == {"10.2.0.0/25": TUNNEL}


def test_a_child_leads_its_own_networks_through_a_pair_that_it_borrows_and_has_no_sa() -> None:
    lent = replace(pair(1), sa=ipsec(1, reqid=0x696B0007))
    found = view(ChildState(borrowed=(lent,)))
    assert found.sas == {}
    assert gate(found) == GATE_OF_ONE
    assert {policy.reqid for policy in found.policies.values()} == {0x696B0007}


@pytest.mark.parametrize(
    ("own", "reqid"),
    [
        (pair(2), LAN.reqid),
        (opening(2, 7), 0x696B0007),
        (replace(pair(2), leave_at=1.0), 0x696B0007),
    ],
    ids=["stands", "half made", "is replaced"],
)
@pytest.mark.parametrize("newer", [-1.0, 1.0], ids=["older", "newer"])
def test_a_borrowed_pair_counts_while_no_pair_of_its_own_stands(own: PairState, reqid: int, newer: float) -> None:
    """The peer sends by the narrower one. It would be dropped by a policy that wants the other."""
    lent = replace(pair(1), sa=ipsec(1, reqid=0x696B0007))
    state = ChildState(pairs=(own,), borrowed=(replace(lent, born=own.born + newer),))
    assert {policy.reqid for policy in view(state).policies.values()} == {reqid}


def test_of_two_pairs_that_stand_the_newer_wins() -> None:
    state = ChildState(pairs=(pair(1), pair(2, sa=ipsec(2, remote=CAROL))))
    assert ends(view(state)) == {OUT: (ALICE, CAROL), IN: (CAROL, ALICE), FWD: (CAROL, ALICE)}


@pytest.mark.parametrize(
    ("local", "remote", "wanted"),
    [("192.0.2.1", "198.51.100.1", "192.0.2.1"), (None, "198.51.100.1", "0.0.0.0"), (None, "2001:db8::1", "::")],
)
def test_without_a_pair_the_ends_are_those_that_are_configured(local: str | None, remote: str, wanted: str) -> None:
    configured = replace(VIEW, local=ip_address(local) if local else None, remote=ip_address(remote))
    assert ends(view(DOWN, configured))[OUT] == (ip_address(wanted), ip_address(remote))


# -- what may change without a look at the kernel

OF_SA: dict[str, object] = {
    "child": "dmz",
    "reqid": 0x696B0009,
    "local": CAROL,
    "remote": CAROL,
    "local_selector": selector("10.8.0.0/24"),
    "remote_selector": selector("10.9.0.0/24"),
    "suite": ESP_AES256_SHA1,
    "lifetime": Lifetime(60),
    "replay_window": 32,
    "inbound": ours(9),
    "outbound": theirs(9),
    "initiator": False,
    "encap": UdpEncapsulation(4500, 61000),
    "icv_bits": 96,
    "cpis": Cpis(Spi.of(Protocol.IPCOMP, b"\xd0\x01"), Spi.of(Protocol.IPCOMP, b"\x42\x42")),
    "asked": AskedFor(selector("10.0.0.0/8"), selector("0.0.0.0/0")),
}
OF_PAIR: dict[str, object] = {
    "under": B,
    "half": Half.INBOUND,
    "born": 5.0,
    "expires": 5.0,
    "attempt": Attempt(7),
    "behind_nat": True,
}
OF_PAIR |= {"rekey_at": 5.0, "use_at": 5.0, "delete_at": 5.0, "leave_at": 5.0}
OF_CHILD: dict[str, object] = {
    "wanted": True,
    "attempt": Attempt(7),
    "again": True,
    "failures": 3,
    "retry_at": 5.0,
    "cause": Said("silence"),
    "since": 5.0,
    "open": True,
    "by_command": True,
    "held": True,
    "idle": Idle(5.0, 5.0),
    "unplaced": Said("another owner's"),
    "way_lost": True,
    "flaps": Flaps(1, 5.0),
    "hurried": True,
    "borrowed": (pair(9),),
    "hook": HookState(call(), up=True),
}
"""Another value of each field; what holds other records is varied by theirs."""


def test_each_field_of_the_records_is_varied() -> None:
    assert OF_SA.keys() == {one.name for one in fields(IpsecSa)}
    assert OF_PAIR.keys() | {"sa"} == {one.name for one in fields(PairState)}
    assert OF_CHILD.keys() | {"pairs"} == {one.name for one in fields(ChildState)}


def varied(state: ChildState) -> Iterator[ChildState]:
    """One field after the other."""
    yield from (replace(state, **{name: value}) for name, value in OF_CHILD.items())  # type: ignore[arg-type]
    yield replace(state, pairs=state.pairs[:-1])
    yield replace(state, pairs=(*state.pairs, opening(8, 8)))
    for newest in state.pairs[-1:]:
        pairs = [replace(newest, **{name: value}) for name, value in OF_PAIR.items()]  # type: ignore[arg-type]
        sas = (replace(newest.sa, **{name: value}) for name, value in OF_SA.items())  # type: ignore[arg-type]
        for other in (*pairs, *(replace(newest, sa=sa) for sa in sas)):
            yield replace(state, pairs=(*state.pairs[:-1], other))


@pytest.mark.parametrize("clear", [False, True], ids=["", "open"])
@pytest.mark.parametrize("pairs", [(), (pair(1),), (opening(1, 7),), (pair(1), pair(2))])
@pytest.mark.parametrize(
    ("view_of", "lan"), [(VIEW, LAN), (VIEW, replace(LAN, fail_open=True)), (VIEW, ON_DEMAND), (ANYONE, LAN)]
)
def test_a_change_after_which_the_kernel_is_not_looked_at_changes_nothing_that_shall_stand(
    view_of: Connection, lan: Child, pairs: tuple[PairState, ...], clear: bool
) -> None:
    before = ChildState(pairs=pairs, open=clear)
    for after in varied(before):
        if is_desired_alike(before, after):
            assert view(after, view_of, lan) == view(before, view_of, lan), after
