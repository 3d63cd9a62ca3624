"""What of one child shall stand in the kernel: a view of its state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address
from types import MappingProxyType

from ikevd.addresses import Address
from ikevd.frozen import frozen
from ikevd.host.interface import Action, Direction, KernelPolicy, KernelSa, PolicyId, SaId, Template, UdpPorts
from ikevd.peer.state import ChildState, Half, PairState
from ikevd.policy.model import Child, Connection
from ikevd.policy.priorities import priority
from ikevd.policy.selectors import Network, TrafficSelector
from ikevd.sa.model import IpsecSa, UdpEncapsulation

INBOUND = (Direction.IN, Direction.FWD)


@frozen
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
    return ChildView(connection, child).of(state)


def is_desired_alike(before: ChildState | None, state: ChildState) -> bool:
    """Does what shall stand in the kernel not depend on what has changed?"""
    return before is not None and before.pairs is state.pairs and before.open is state.open


class ChildView:
    """`desired_child` again and again, for one child: the names of its policies are made once."""

    __slots__ = ("_child", "_connection", "_names")

    def __init__(self, connection: Connection, child: Child) -> None:
        self._connection = connection
        self._child = child
        self._names = _Names(child.local, child.remote, template=False)

    def of(self, state: ChildState) -> View:
        """What shall stand."""
        sas = {sa.id: sa for pair in state.pairs for sa in _sas(pair)}
        policies = {policy.id: policy for policy in self._gate(state)}
        return View(sas, policies)

    def _gate(self, state: ChildState) -> Iterator[KernelPolicy]:
        child, anybody = self._child, self._connection.remote is None
        clear = child.fail_open or state.open or (anybody and (child.instance or not child.template))
        if clear and not state.pairs:
            return
        newest = _of_pair(state.pairs[-1].sa) if state.pairs else _of_child(self._connection, child)
        for direction in INBOUND:
            yield from self._policies(newest, direction, Action.TUNNEL)
        if both := [pair.sa for pair in state.pairs if pair.half is Half.BOTH]:
            yield from self._policies(_of_pair(both[-1]), Direction.OUT, Action.TUNNEL)
        elif not clear:
            yield from self._policies(newest, Direction.OUT, Action.BLOCK)

    def _policies(self, tunnel: _Tunnel, direction: Direction, action: Action) -> Iterator[KernelPolicy]:
        """One policy for each pair of subnets that make up the two selectors."""
        out = direction is Direction.OUT
        ends = (tunnel.local, tunnel.remote) if out else (tunnel.remote, tunnel.local)
        template = Template(*ends, tunnel.reqid)
        names = self._names
        if (tunnel.local_selector, tunnel.remote_selector, tunnel.template) != names.key:
            names = _Names(tunnel.local_selector, tunnel.remote_selector, template=tunnel.template)
        for name, number in names.of(direction):
            yield KernelPolicy(name, action, number, template)


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


@frozen
class _Tunnel:
    """Selectors and ends of a child's policies, seen from this machine."""

    local_selector: TrafficSelector
    remote_selector: TrafficSelector
    local: Address
    remote: Address
    reqid: int
    template: bool = False
    """Are these the selectors that peers may ask for a part of?"""


def _of_pair(sa: IpsecSa) -> _Tunnel:
    return _Tunnel(sa.local_selector, sa.remote_selector, sa.local, sa.remote, sa.reqid)


def _of_child(connection: Connection, child: Child) -> _Tunnel:
    """No pair: the ends as far as they are configured, in one IP version."""
    remote = connection.remote or _any_like(connection.local)
    local = connection.local or _any_like(remote)
    return _Tunnel(child.local, child.remote, local, remote, child.reqid, child.template)


def _any_like(address: Address | None) -> Address:
    return IPv6Address(0) if isinstance(address, IPv6Address) else IPv4Address(0)


class _Names:
    """Names and priorities of the policies between two selectors. `template`: peers may ask for a part of these."""

    __slots__ = ("_made", "key")

    def __init__(self, local: TrafficSelector, remote: TrafficSelector, *, template: bool) -> None:
        self.key = local, remote, template
        self._made: tuple[tuple[PolicyId, int], ...] = ()

    def of(self, direction: Direction) -> Iterator[tuple[PolicyId, int]]:
        """Those of one direction."""
        self._made = self._made or tuple(self._make())
        return (made for made in self._made if made[0].direction is direction)

    def _make(self) -> Iterator[tuple[PolicyId, int]]:
        ours, theirs, template = self.key
        inwards, outwards = tuple(_between(theirs, ours)), tuple(_between(ours, theirs))
        for direction in Direction:
            for name in outwards if direction is Direction.OUT else inwards:
                yield PolicyId(*name, direction), priority(*name, template=template)


def _between(source: TrafficSelector, destination: TrafficSelector) -> Iterator[tuple[Network, Network, int, int, int]]:
    packets = (source.protocol or destination.protocol, source.port, destination.port)
    for source_network in source.networks:
        for destination_network in destination.networks:
            yield source_network, destination_network, *packets
