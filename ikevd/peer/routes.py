"""The routes that shall lead to what the policy-based children of a peer protect: a view of its state.

They stand as long as the policies of the child do, with the tunnel and with the block: so the gateway's own packets
do not take another source address, and leave in the clear, while it is down. Of a peer that may be anybody, each has
the routes to its own part, as long as its tunnel stands (reverse routes).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from ikevd.addresses import Address
from ikevd.frozen import replace
from ikevd.host.links import METRIC_6
from ikevd.host.routes import WantedRoute
from ikevd.peer.child_state import ChildState
from ikevd.peer.desired import sending
from ikevd.peer.isakmp_state import IsakmpState
from ikevd.peer.state import PeerState
from ikevd.policy.child import Child
from ikevd.policy.child_route import ChildRoute
from ikevd.policy.connection import Connection
from ikevd.policy.interface import MAIN_TABLE
from ikevd.policy.selectors import Dynamic, Network, TrafficSelector


def desired_routes(connection: Connection, state: PeerState, yields: Callable[[str], bool]) -> tuple[WantedRoute, ...]:
    """In the order of the children. `yields`: are the policies of that child another connection's now?"""
    return tuple(
        one
        for child in connection.children
        if child.route is not None and not yields(child.name)
        for one in _of_child(
            connection, child, child.route, state.children.get(child.name, ChildState()), state.isakmp.values()
        )
    )


def _of_child(
    connection: Connection, child: Child, route: ChildRoute, state: ChildState, isakmp: Iterable[IsakmpState]
) -> Iterator[WantedRoute]:
    sa = sending(state)
    if sa is not None and connection.anybody:
        for one in _to(sa.remote_selector, sa.local_selector, sa.remote, sa.local, route):
            yield replace(one, inside=_around(one.to, child.remote))
    elif sa is not None:
        yield from _to(child.remote, child.local, sa.remote, sa.local, route)
    elif not (connection.anybody or child.fail_open or state.open) and (peer := _called_at(connection, isakmp)):
        yield from _to(child.remote, child.local, peer, connection.local, route)


def _called_at(connection: Connection, isakmp: Iterable[IsakmpState]) -> Address | None:
    """Of several places that where the peer was seen last, or else the first; None: it has names alone, and was not
    seen yet."""
    seen = tuple(known.path.remote.address for known in isakmp) if connection.places else ()
    return next(iter((*seen[-1:], *connection.addresses)), None)


def _to(
    theirs: TrafficSelector, ours: TrafficSelector, peer: Address, local: Address | None, route: ChildRoute
) -> Iterator[WantedRoute]:
    if isinstance(theirs, Dynamic) or isinstance(ours, Dynamic):
        return
    for network in theirs.networks:
        if not _is_in_the_way(network, peer, route.table):
            metric = route.metric or (METRIC_6 if network.version == 6 else 0)
            yield WantedRoute(network, peer, local, ours.networks, route.sources, route.table, metric, route.mtu)


def _around(to: Network, whole: TrafficSelector) -> Network | None:
    """The network of the file that the peer chose it out of; None: it had no choice, it is just that."""
    if isinstance(whole, Dynamic):
        return None
    around = (net for net in whole.networks if net.version == to.version and net.prefixlen < to.prefixlen)
    return next((net for net in around if to.network_address in net), None)


def _is_in_the_way(network: Network, peer: Address, table: int) -> bool:
    """What carries the tunnel would go by it. In a table of its own the peer is left out, unless there is no more."""
    covers = network.version == peer.version and peer in network
    return covers and (table == MAIN_TABLE or network.prefixlen == peer.max_prefixlen)
