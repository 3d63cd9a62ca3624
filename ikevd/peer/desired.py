"""What of one child shall stand in the kernel: a view of its state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from types import MappingProxyType

from ikevd.addresses import Address
from ikevd.host.interface import Action, Direction, KernelPolicy, KernelSa, PolicyId, SaId, Template, UdpPorts
from ikevd.peer.state import ChildState, Half, PairState
from ikevd.policy.model import Child, Connection
from ikevd.policy.priorities import priority
from ikevd.policy.selectors import TrafficSelector
from ikevd.sa.model import IpsecSa, UdpEncapsulation

INBOUND = (Direction.IN, Direction.FWD)


@dataclass(frozen=True, slots=True)
class View:
    """SAs and policies, by name."""

    sas: Mapping[SaId, KernelSa]
    policies: Mapping[PolicyId, KernelPolicy]


NOTHING = View(MappingProxyType({}), MappingProxyType({}))


def desired_child(connection: Connection, child: Child, state: ChildState) -> View:
    """The SAs of its pairs, as far as they shall stand; and its gate.

    Out: the newest pair that stands both ways, else a block. In and fwd: the tunnel of the newest pair, else of none,
    which drops what comes in the clear. None of it where its traffic may pass in the clear, or its peer may be anybody;
    but what a template is for is stated, and its gate is shut until a peer gets a part of it.
    """
    sas = {sa.id: sa for pair in state.pairs for sa in _sas(pair)}
    policies = {policy.id: policy for policy in _gate(connection, child, state)}
    return View(sas, policies)


# -- SAs


def _sas(pair: PairState) -> Iterator[KernelSa]:
    yield _kernel_sa(pair.sa, outbound=False)
    if pair.half is Half.BOTH:
        yield _kernel_sa(pair.sa, outbound=True)


def _kernel_sa(sa: IpsecSa, *, outbound: bool) -> KernelSa:
    source, destination = (sa.local, sa.remote) if outbound else (sa.remote, sa.local)
    spi = sa.outbound if outbound else sa.inbound
    encap = _ports(sa.encap, outbound=outbound) if sa.encap else None
    return KernelSa(source, destination, spi, sa.reqid, sa.suite, sa.lifetime, sa.replay_window, encap, sa.icv_bits)


def _ports(encap: UdpEncapsulation, *, outbound: bool) -> UdpPorts:
    ours, theirs = encap.local_port, encap.remote_port
    return UdpPorts(ours, theirs) if outbound else UdpPorts(theirs, ours)


# -- the gate


@dataclass(frozen=True, slots=True)
class _Tunnel:
    """Selectors and ends of a child's policies, seen from this machine."""

    local_selector: TrafficSelector
    remote_selector: TrafficSelector
    local: Address
    remote: Address
    reqid: int
    template: bool = False
    """Are these the selectors that peers may ask for a part of?"""


def _gate(connection: Connection, child: Child, state: ChildState) -> Iterator[KernelPolicy]:
    clear = child.fail_open or state.open or (connection.remote is None and (child.instance or not child.template))
    if clear and not state.pairs:
        return
    newest = _of_pair(state.pairs[-1].sa) if state.pairs else _of_child(connection, child)
    for direction in INBOUND:
        yield from _policies(newest, direction, Action.TUNNEL)
    if both := [pair.sa for pair in state.pairs if pair.half is Half.BOTH]:
        yield from _policies(_of_pair(both[-1]), Direction.OUT, Action.TUNNEL)
    elif not clear:
        yield from _policies(newest, Direction.OUT, Action.BLOCK)


def _of_pair(sa: IpsecSa) -> _Tunnel:
    return _Tunnel(sa.local_selector, sa.remote_selector, sa.local, sa.remote, sa.reqid)


def _of_child(connection: Connection, child: Child) -> _Tunnel:
    """No pair: the ends as far as they are configured, in one IP version."""
    remote = connection.remote or _any_like(connection.local)
    local = connection.local or _any_like(remote)
    return _Tunnel(child.local, child.remote, local, remote, child.reqid, child.template)


def _any_like(address: Address | None) -> Address:
    return IPv6Address(0) if isinstance(address, IPv6Address) else IPv4Address(0)


def _policies(tunnel: _Tunnel, direction: Direction, action: Action) -> Iterator[KernelPolicy]:
    """One policy for each pair of subnets that make up the two selectors."""
    ours, theirs = tunnel.local_selector, tunnel.remote_selector
    out = direction is Direction.OUT
    source, destination = (ours, theirs) if out else (theirs, ours)
    ends = (tunnel.local, tunnel.remote) if out else (tunnel.remote, tunnel.local)
    packets = (source.protocol or destination.protocol, source.port, destination.port)
    for source_network in source.networks:
        for destination_network in destination.networks:
            name = PolicyId(source_network, destination_network, *packets, direction)
            number = priority(source_network, destination_network, *packets, template=tunnel.template)
            yield KernelPolicy(name, action, number, Template(*ends, tunnel.reqid))
