"""What of one child shall stand in the kernel: a view of its state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from itertools import product
from types import MappingProxyType

from ikevd.addresses import Address
from ikevd.frozen import frozen, replace
from ikevd.host.policies import Action, Direction, KernelPolicy, PolicyId, Template
from ikevd.host.sas import KernelSa, SaId, UdpPorts
from ikevd.peer import rekey, start
from ikevd.peer.child_state import ChildState, Half, PairState
from ikevd.peer.timing import BACKSTOP
from ikevd.policy.child import Child
from ikevd.policy.connection import Connection
from ikevd.policy.lives import Lifetime, hard_kilobytes
from ikevd.policy.marks import NO_MARKS, Marks, WantedMark, resolved
from ikevd.policy.packing import HwOffload, Packing
from ikevd.policy.priorities import priority
from ikevd.policy.selectors import Dynamic, Network, TrafficSelector
from ikevd.policy.suites import DEFLATE
from ikevd.sa.model import IpsecSa, Spi
from ikevd.wire.registry import Encapsulation, Protocol

BOTH, TUNNEL, BLOCK = Half.BOTH, Action.TUNNEL, Action.BLOCK
INBOUND = (Direction.IN, Direction.FWD)
Packets = tuple[Network, Network, int, int, int]
"""Source and destination, protocol, source port, destination port."""


@frozen
class View:
    """SAs and policies, by name."""

    sas: Mapping[SaId, KernelSa]
    policies: Mapping[PolicyId, KernelPolicy]
    """In, fwd, then out."""
    others: bool = False
    """Are its policies those of another child with the same selectors?"""


NOTHING = View(MappingProxyType({}), MappingProxyType({}))


def desired_child(connection: Connection, child: Child, state: ChildState) -> View:
    """The SAs of its pairs, as far as they shall stand; and its gate.

    Out: the outbound SA of the newest pair that is used; else a trap, which is the tunnel of none, or a block. The
    policy names the SPI: the kernel itself would choose by the second in which an SA was added, on a clock that may be
    set. In and fwd: the tunnel of the newest pair, else of none, which drops what comes in the clear. None of it where
    its traffic may pass in the clear, or its peer may be anybody; but what a template is for is stated, and its gate is
    shut until a peer gets a part of it.
    """
    return ChildView(connection, child).of(state)


def policies_of_pair(sa: IpsecSa) -> Iterator[PolicyId]:
    """The names of the policies that a pair had."""
    policies = _Policies(_of_pair(sa))
    return (policy.id for policy in (*policies.inwards, *policies.outwards(Action.TUNNEL)))


def is_desired_alike(before: ChildState | None, state: ChildState) -> bool:
    """Does what shall stand in the kernel not depend on what has changed?"""
    if before is None or before.open is not state.open:
        return False
    told = before.held is state.held and before.by_command is state.by_command and before.borrowed is state.borrowed
    return told and (before.pairs is state.pairs or _carries_alike(before, state))


def _carries_alike(before: ChildState, state: ChildState) -> bool:
    """Are these the same SAs, as when a pair that is whole has come to stand, and does the same one send?"""
    if len(before.pairs) != len(state.pairs):
        return False
    for one, other in zip(before.pairs, state.pairs, strict=True):
        if one.sa is not other.sa or one.half is not other.half:
            return False
    return sending(before) is sending(state)


def sending(state: ChildState) -> IpsecSa | None:
    """The pair whose outbound SA carries what we send: the newest that is used, else whichever stands both ways."""
    unused = None
    for pair in reversed(state.carrying):
        if pair.half is BOTH and pair.leave_at is None:
            if pair.attempt is None and pair.use_at is None:
                return pair.sa
            unused = unused or pair.sa
    return unused


def _arriving(state: ChildState) -> IpsecSa | None:
    """The pair whose tunnel is that of what comes: the newest. But another part of a template or child counts only with
    message 3: who asks for it may never say that, and be another member of a group."""
    pairs = state.carrying
    newest = pairs[-1].sa if pairs else None
    whole = next((pair.sa for pair in reversed(pairs) if pair.half is BOTH), newest)
    if newest is None or whole is None or newest.selectors == whole.selectors:
        return newest
    return whole


class ChildView:
    """`desired_child` again and again, for one child: what its pairs have in common is made once."""

    __slots__ = ("_child", "_connection", "_marks", "_policies", "_whole")

    def __init__(self, connection: Connection, child: Child) -> None:
        self._connection = connection
        self._child = child
        self._marks = child.marks
        self._policies: _Policies | None = None
        self._whole: _Policies | None = None

    def of(self, state: ChildState) -> View:
        """What shall stand."""
        return View(self.sas(state), self.policies(state))

    def sas(self, state: ChildState) -> Mapping[SaId, KernelSa]:
        """Of that, the SAs."""
        sas: dict[SaId, KernelSa] = {}
        for pair in state.pairs:
            sas.update(_sas(pair, self._child))
        return sas

    def policies(self, state: ChildState) -> Mapping[PolicyId, KernelPolicy]:
        """Of that, the policies."""
        return {policy.id: policy for policy in self._gate(state)}

    def _gate(self, state: ChildState) -> Iterator[KernelPolicy]:
        child, anybody = self._child, self._connection.anybody
        clear = child.fail_open or state.open or (anybody and (child.instance or not child.template))
        clear = clear or isinstance(child.remote, Dynamic)  # nobody knows what to block
        newest = _arriving(state)
        if clear and newest is None:
            return
        policies = self._between(_of_pair(newest, self._marks) if newest else _of_child(self._connection, child))
        yield from policies.inwards
        if newest is not None and not clear and _is_other(child, newest.local_selector, newest.remote_selector):
            yield from self._rest(policies)
        if sends := sending(state):
            leading = policies if sends is newest else self._between(_of_pair(sends, self._marks))
            yield from leading.outwards(TUNNEL, sends)
        elif not clear:
            yield from policies.outwards(TUNNEL if start.has_trap(child, state) else BLOCK)

    def _rest(self, carried: _Policies) -> Iterator[KernelPolicy]:
        """Blocks of what the child has beyond the selectors of its pair. They lose to the policies of that, as those of
        a template do."""
        if self._whole is None:
            self._whole = _Policies(replace(_of_child(self._connection, self._child), open=True))
        for policy in (*self._whole.inwards, *self._whole.outwards(BLOCK)):
            if policy.id not in carried.names:
                yield policy if policy.action is BLOCK else replace(policy, action=BLOCK)

    def _between(self, tunnel: _Tunnel) -> _Policies:
        if self._policies is None or self._policies.tunnel != tunnel:
            self._policies = _Policies(tunnel, self._child if self._is_part(tunnel) else None)
        return self._policies

    def _is_part(self, tunnel: _Tunnel) -> bool:
        """Has the peer chosen less than this child is for? A template is for that."""
        child = self._child
        return not (child.template or child.instance) and _is_other(
            child, tunnel.local_selector, tunnel.remote_selector
        )


def _is_other(child: Child, local: TrafficSelector, remote: TrafficSelector) -> bool:
    """Are these not the child's selectors? In transport mode its ends are whatever they are."""
    if not child.transport:
        return (local, remote) != (child.local, child.remote)
    return any(
        (one.protocol, one.port) != (whole.protocol, whole.port)
        for one, whole in ((local, child.local), (remote, child.remote))
    )


# -- SAs


def _sas(pair: PairState, child: Child) -> Iterator[tuple[SaId, KernelSa]]:
    """Its time is ours to measure. The kernel counts the volume."""
    sa, encap = pair.sa, pair.sa.encap
    life = _life(hard_kilobytes(sa.lifetime.kilobytes, child.lifetime.kilobytes))
    ports = _ports(encap.remote_port, encap.local_port) if encap else None
    for spi in sa.inbound_spis:
        yield _kernel_sa(sa, life, (sa.remote, sa.local, spi), ports, child, child.set_mark_in)
    if pair.half is BOTH:
        ports = _ports(encap.local_port, encap.remote_port) if encap else None
        for spi in sa.outbound_spis:
            yield _kernel_sa(sa, life, (sa.local, sa.remote, spi), ports, child, child.set_mark_out)


@lru_cache(maxsize=64)
def _life(kilobytes: int | None) -> Lifetime:
    """One for all SAs with that volume."""
    return Lifetime(BACKSTOP, kilobytes)


@lru_cache(maxsize=256)
def _ports(source: int, destination: int) -> UdpPorts:
    """One for all SAs with these ports."""
    return UdpPorts(source, destination)


def _kernel_sa(
    sa: IpsecSa,
    life: Lifetime,
    ends: tuple[Address, Address, Spi],
    encap: UdpPorts | None,
    child: Child,
    mark: WantedMark | None,
) -> tuple[SaId, KernelSa]:
    named, ours = (*ends, sa.reqid), (child.if_id, child.packing, resolved(mark, sa.reqid))
    soft = rekey.soft_kilobytes(sa)
    made = KernelSa(*named, sa.suite, life, sa.replay_window, encap, sa.icv_bits, soft, *ours)
    if sa.cpis is not None:
        made = _of_ipcomp(made) if made.spi.protocol == Protocol.IPCOMP else _around_ipcomp(made)
    return made.id, made


def _of_ipcomp(made: KernelSa) -> KernelSa:
    """It has the mode of the pair, and counts neither packets nor octets for us."""
    suite, packing = replace(DEFLATE, mode=made.suite.mode), replace(made.packing, hw_offload=HwOffload.NO)
    plain = replace(made, lifetime=_life(None), replay_window=0, icv_bits=None, soft_kilobytes=None)
    return replace(plain, suite=suite, packing=packing)


def _around_ipcomp(made: KernelSa) -> KernelSa:
    """Of ESP: the tunnel is that of IPComp."""
    suite = replace(made.suite, mode=Encapsulation.TRANSPORT)
    return replace(made, suite=suite, packing=Packing(hw_offload=made.packing.hw_offload))


# -- the gate


@frozen
class _Tunnel:
    """Selectors and ends of a child's policies, seen from this machine."""

    local_selector: TrafficSelector
    remote_selector: TrafficSelector
    inwards: Template
    """Of what comes: from the peer to this machine."""
    open: bool = False
    """Are these the selectors that peers may ask for a part of?"""
    marks: Marks = NO_MARKS


def _of_pair(sa: IpsecSa, marks: Marks = NO_MARKS) -> _Tunnel:
    suite = sa.suite
    compressed = sa.cpis is not None
    inwards = Template(sa.remote, sa.local, sa.reqid, None, suite.protocol, suite.transport, compressed)
    return _Tunnel(sa.local_selector, sa.remote_selector, inwards, False, marks)


def _of_child(connection: Connection, child: Child) -> _Tunnel:
    """No pair: the ends as far as they are configured, in one IP version."""
    remote = connection.remote or _any_like(connection.local)
    local = connection.local or _any_like(remote)
    ours = child.local.everywhere if isinstance(child.local, Dynamic) else child.local
    inwards = Template(remote, local, child.reqid, None, child.protocol, child.transport)
    return _Tunnel(ours, child.remote, inwards, child.template, child.marks)


def _any_like(address: Address | None) -> Address:
    return IPv6Address(0) if isinstance(address, IPv6Address) else IPv4Address(0)


class _Policies:
    """Those of one tunnel: one for each pair of the subnets that make up its selectors, in each direction."""

    __slots__ = ("_outwards", "_whole", "inwards", "tunnel")

    def __init__(self, tunnel: _Tunnel, whole: Child | None = None) -> None:
        """`whole`: the child, of which the selectors are a part that the peer has chosen. It wins and loses as the
        child does: no peer chooses what is narrower than other children and drops."""
        self.tunnel = tunnel
        self._whole = whole
        ours, theirs = tunnel.local_selector, tunnel.remote_selector
        protocol, networks = ours.protocol or theirs.protocol, tuple(product(ours.networks, theirs.networks))
        arriving = [(remote, local, protocol, theirs.port, ours.port) for local, remote in networks]
        leaving = [(local, remote, protocol, ours.port, theirs.port) for local, remote in networks]
        template, marks = tunnel.inwards, tunnel.marks
        ways = INBOUND[:1] if template.transport else INBOUND  # what is for this machine itself is not forwarded
        ordered = [(packets, self._priority(packets)) for packets in arriving]
        named = [
            (PolicyId(*packets, way, marks.if_id, marks.inwards), number) for way in ways for packets, number in ordered
        ]
        self.inwards = tuple([KernelPolicy(name, Action.TUNNEL, number, template) for name, number in named])
        self._outwards = tuple([PolicyId(*packets, Direction.OUT, marks.if_id, marks.outwards) for packets in leaving])

    @property
    def names(self) -> Set[PolicyId]:
        """Of all of them."""
        return {policy.id for policy in self.inwards} | set(self._outwards)

    def outwards(self, action: Action, sa: IpsecSa | None = None) -> Iterator[KernelPolicy]:
        """Those of the packets that leave. `sa`: through this pair."""
        back = self.tunnel.inwards
        spi, cpis = (sa.outbound, sa.cpis) if sa is not None else (None, None)
        cpi = cpis.outbound if cpis is not None else None
        ends = back.destination, back.source, back.reqid
        template = Template(*ends, spi, back.protocol, back.transport, back.compressed, cpi)
        for name, policy in zip(self._outwards, self.inwards, strict=False):  # of one pair of networks each
            yield KernelPolicy(name, action, policy.priority, template)

    def _priority(self, packets: Packets) -> int:
        marked = self.tunnel.marks.outwards is not None
        if self._whole is None:
            return priority(*packets, template=self.tunnel.open, marked=marked)
        ours, theirs = self._whole.local, self._whole.remote
        subnets = _around(packets[0], theirs), _around(packets[1], ours)
        return priority(*subnets, ours.protocol or theirs.protocol, theirs.port, ours.port, marked=marked)


def _around(part: Network, selector: TrafficSelector) -> Network:
    """The subnet of the selector in which that part of it lies: they are as large as can be, so it is one."""
    for network in selector.networks:
        if network.prefixlen <= part.prefixlen and part.network_address in network:
            return network
    return part
