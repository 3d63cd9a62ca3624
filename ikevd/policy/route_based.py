"""What the file leaves open about interfaces, since only this machine's kernel can tell."""

from __future__ import annotations

from collections.abc import Collection

from ikevd.frozen import replace
from ikevd.policy.child import Child
from ikevd.policy.connection import Connection
from ikevd.policy.interface import Interface, InterfaceKind, bearing
from ikevd.policy.settings import Config


def leaves_open(config: Config) -> bool:
    """Is there an interface of which the file does not say of what kind it is?"""
    return any(one.interface is not None and one.interface.kind is None for one in config.connections)


def resolved(config: Config, kinds: Collection[InterfaceKind]) -> Config:
    """Each interface of a kind: the first of those that the kernel has, or where it has none an XFRM interface, of
    which it will be said that it cannot be made."""
    kind = next((kind for kind in InterfaceKind if kind in kinds), InterfaceKind.XFRM)
    return replace(config, connections=tuple([_resolved(one, kind) for one in config.connections]))


def _resolved(connection: Connection, kind: InterfaceKind) -> Connection:
    if connection.interface is None or connection.interface.kind is not None:
        return connection
    interface = replace(connection.interface, kind=kind)
    children = tuple([_bound(child, interface) for child in connection.children])
    return replace(connection, interface=interface, children=children)


def _bound(child: Child, interface: Interface) -> Child:
    if not child.routed:
        return child
    if_id, mark = bearing(interface)
    return replace(child, if_id=if_id, mark_in=mark, mark_out=mark)
