"""What no tunnel carries, and is of this machine, not of a peer: what passes outside, which wins over every tunnel and
block, and what is dropped, which wins over what is as wide or wider."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_network
from itertools import product

from ikevd.frozen import replace
from ikevd.host.policies import Action, Direction, KernelPolicy, PolicyId
from ikevd.policy.priorities import priority
from ikevd.policy.selectors import Network, TrafficSelector
from ikevd.policy.settings import Config, Shunt

EVERYWHERE_4, EVERYWHERE_6, LOOPBACK_6 = map(ip_network, ("0.0.0.0/0", "::/0", "::1/128"))
ICMP, ICMPV6 = 1, 58
UNREACHABLE, FRAGMENTATION_NEEDED = 3, 4
TOO_BIG = 2
NEIGHBOUR_DISCOVERY = (133, 134, 135, 136, 137)
"""RFC 4861 section 4. Without it two hosts on one link lose each other while one of them has no SA."""
LISTENER_DISCOVERY = (130, 131, 132, 143)
"""RFC 2710 section 3, RFC 3810 section 5: without it a switch passes no neighbour discovery to us."""
OWN = (Direction.OUT, Direction.IN)
"""Of this machine's own traffic: what it forwards is another's."""


def outside(config: Config, connected: Iterable[Network]) -> Mapping[PolicyId, KernelPolicy]:
    """All that shall stand as long as anything of ours does. `connected`: the networks of this machine's interfaces."""
    passing = [*_always(config), *_each(config.bypasses), *(_within(connected) if config.bypass_connected else ())]
    dropped = {name: _policy(name, Action.BLOCK) for name in _each(config.drops)}
    dropped = {**_through(config), **dropped}
    bypasses = {name: _policy(name, Action.BYPASS) for name in passing}
    return {**bypasses, **dropped, **bypasses}  # first what passes; where both have one selector it does


def _policy(name: PolicyId, action: Action) -> KernelPolicy:
    passes = action is Action.BYPASS
    return KernelPolicy(name, action, priority(*_packets(name), bypass=passes, drop=not passes), None)


def _packets(name: PolicyId) -> tuple[Network, Network, int, int, int]:
    return name.source, name.destination, name.protocol, name.source_port, name.destination_port


def _always(config: Config) -> Iterator[PolicyId]:
    """The kernel exempts 127.0.0.0/8 from policies, and nothing of IPv6."""
    for direction in OWN:
        yield PolicyId(LOOPBACK_6, LOOPBACK_6, 0, 0, 0, direction)
        for kind in (*NEIGHBOUR_DISCOVERY, *LISTENER_DISCOVERY):
            yield _icmp(EVERYWHERE_6, kind, 0, direction)
    for network in _outer(config):
        if network.version == 4:
            yield _icmp(network, UNREACHABLE, FRAGMENTATION_NEEDED, Direction.IN)
        else:
            yield _icmp(network, TOO_BIG, 0, Direction.IN)


def _icmp(destination: Network, kind: int, code: int, direction: Direction) -> PolicyId:
    """In a selector of ICMP its type stands as source port, its code as destination port."""
    everywhere, protocol = (EVERYWHERE_4, ICMP) if destination.version == 4 else (EVERYWHERE_6, ICMPV6)
    return PolicyId(everywhere, destination, protocol, kind, code, direction)


def _outer(config: Config) -> Iterator[Network]:
    """Our ends of the tunnels: a router on the way says that a packet of ESP is too long for it."""
    for connection in config.connections:
        if connection.local is not None:
            yield ip_network(connection.local)
        elif connection.remote is None:
            yield from (EVERYWHERE_4, EVERYWHERE_6)
        else:
            yield EVERYWHERE_4 if connection.remote.version == 4 else EVERYWHERE_6


def _each(shunts: Iterable[Shunt]) -> Iterator[PolicyId]:
    for shunt in shunts:
        yield from _both_ways(shunt.local, shunt.remote)


def _through(config: Config) -> dict[PolicyId, KernelPolicy]:
    """What this machine forwards for a child that a drop reaches from its other end, as one of 10.0.0.0/8 with itself
    does: a forwarded packet is looked up twice, on its way in and out, and a child has a policy for one of the two."""
    found, gates = dict[PolicyId, KernelPolicy](), set[PolicyId]()
    children = [child for connection in config.connections for child in connection.children] if config.drops else []
    for child in children:
        turned = any(child.local.meet(drop.remote) and child.remote.meet(drop.local) for drop in config.drops)
        for out, into, forwarded in _triples(child.local, child.remote):
            gates.update((out, into, forwarded))
            for name in (
                (replace(out, direction=Direction.FWD), replace(into, direction=Direction.OUT)) if turned else ()
            ):
                found[name] = KernelPolicy(name, Action.BYPASS, priority(*_packets(name)), None)
    return {name: policy for name, policy in found.items() if name not in gates}


def _within(networks: Iterable[Network]) -> Iterator[PolicyId]:
    for network in networks:
        yield from _both_ways(TrafficSelector.of(network), TrafficSelector.of(network))


def _both_ways(local: TrafficSelector, remote: TrafficSelector) -> Iterator[PolicyId]:
    for names in _triples(local, remote):
        yield from names


def _triples(local: TrafficSelector, remote: TrafficSelector) -> Iterator[tuple[PolicyId, PolicyId, PolicyId]]:
    """Out, in, fwd of each pair of subnets."""
    protocol = local.protocol or remote.protocol
    for ours, theirs in product(local.networks, remote.networks):
        arriving = theirs, ours, protocol, remote.port, local.port
        yield (
            PolicyId(ours, theirs, protocol, local.port, remote.port, Direction.OUT),
            PolicyId(*arriving, Direction.IN),
            PolicyId(*arriving, Direction.FWD),
        )
