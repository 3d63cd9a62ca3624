"""What of a connection's interface shall stand: a view of its state. It follows the tunnel.

It is up while a tunnel of its children sends, or a packet may begin one; its routes stand no longer than that. What
they lead to is unreachable else, so that nothing of it leaves in the clear by another route; but not where all children
let their traffic do so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from ikevd.addresses import Address
from ikevd.host.links import LAST_METRIC, METRIC_6, Link, LinkAddress, Route, Thing
from ikevd.peer import start
from ikevd.peer.child_state import ChildState
from ikevd.peer.desired import sending
from ikevd.peer.state import PeerState
from ikevd.policy.child import Child
from ikevd.policy.connection import Connection
from ikevd.policy.interface import Interface, InterfaceKind
from ikevd.policy.overhead import MIN_MTU_6, inner_mtu
from ikevd.sa.model import IpsecSa

PathMtu = Callable[[Address, Address], int | None]


def desired_links(connection: Connection, state: PeerState) -> tuple[Thing, ...]:
    """In the order in which it is put: what is unreachable, the interface, its addresses, the routes through it."""
    interface = connection.interface
    if interface is None:
        return ()
    children = [(child, state.children.get(child.name, ChildState())) for child in connection.children if child.routed]
    up = any(sending(known) is not None or start.has_trap(child, known) for child, known in children)
    blocked = any(not _clear(child, known) for child, known in children)
    return (
        *(_unreachable(interface) if blocked else ()),
        _link(connection, interface, up=up),
        *(_through(interface) if up else ()),
    )


def longest_packet(connection: Connection, state: PeerState, path_mtu: PathMtu) -> int | None:
    """That goes into the tunnels through which its children send; None: not known, as while none does. `path_mtu`: of
    the way between two addresses."""
    found = [fits(sa, path) for sa in _sending(connection, state) if (path := path_mtu(sa.local, sa.remote))]
    if not found or connection.interface is None:
        return None
    carries_6 = any(one.version == 6 for one in (*connection.interface.addresses, *connection.interface.routes))
    return max(min(found), MIN_MTU_6) if carries_6 else min(found)


def _sending(connection: Connection, state: PeerState) -> Iterator[IpsecSa]:
    for child in connection.children:
        known = state.children.get(child.name)
        if child.routed and known is not None and (sa := sending(known)) is not None:
            yield sa


def fits(sa: IpsecSa, path: int) -> int:
    """The longest packet that goes into its tunnel, over a way that takes packets of that length."""
    return inner_mtu(sa.suite, path, sa.local.version, udp=sa.encap is not None, icv_bits=sa.icv_bits)


def all_links(connection: Connection) -> tuple[Thing, ...]:
    """All that may stand of it at one time or another."""
    interface = connection.interface
    if interface is None:
        return ()
    return (*_unreachable(interface), _link(connection, interface, up=False), *_through(interface))


def namespaces_of(connections: Iterable[Connection]) -> frozenset[str]:
    """Other network namespaces, in which interfaces of theirs are."""
    return frozenset(one.interface.namespace for one in connections if one.interface is not None) - {""}


def _clear(child: Child, known: ChildState) -> bool:
    """May its traffic leave in the clear while it is down?"""
    return child.fail_open or known.open


def _link(connection: Connection, interface: Interface, *, up: bool) -> Link:
    kind = interface.kind or InterfaceKind.XFRM
    ends = (connection.local, connection.remote) if kind is InterfaceKind.VTI else (None, None)
    return Link(interface.name, kind, interface.number, connection.name, up, *ends, interface.mtu, interface.namespace)


def _unreachable(interface: Interface) -> Iterator[Route]:
    networks = dict.fromkeys((*interface.routes, *interface.unreachable))
    return (Route(network, None, interface.table, LAST_METRIC, interface.namespace) for network in networks)


def _through(interface: Interface) -> Iterator[LinkAddress | Route]:
    for address in interface.addresses:
        yield LinkAddress(interface.name, address, interface.namespace)
    for network in interface.routes:
        metric = interface.metric or (METRIC_6 if network.version == 6 else 0)
        yield Route(network, interface.name, interface.table, metric, interface.namespace)
