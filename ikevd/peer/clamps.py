"""The MSS of TCP connections that go through the tunnels of a peer: a view of its state."""

from __future__ import annotations

from collections.abc import Iterator

from ikevd.host.clamps import Clamp
from ikevd.peer.desired import sending
from ikevd.peer.links import PathMtu, fits
from ikevd.peer.state import PeerState
from ikevd.policy.child import Child
from ikevd.policy.connection import AUTO_MSS, Connection
from ikevd.policy.overhead import TCP_HEADERS
from ikevd.policy.selectors import Dynamic
from ikevd.sa.model import IpsecSa

TCP = 6


def desired_clamps(connection: Connection, state: PeerState, path_mtu: PathMtu) -> tuple[Clamp, ...]:
    """One for each child that sends, where the connection asks for it. `path_mtu`: of the way between two addresses."""
    if connection.mss is None:
        return ()
    found = [
        clamp
        for child in connection.children
        if (known := state.children.get(child.name)) is not None and (sa := sending(known)) is not None
        for clamp in _of_child(connection, child, sa, path_mtu)
    ]
    return tuple(_narrowest(found))


def _of_child(connection: Connection, child: Child, sa: IpsecSa, path_mtu: PathMtu) -> Iterator[Clamp]:
    ours, theirs = (sa.local_selector, sa.remote_selector) if connection.anybody else (child.local, child.remote)
    protocol = ours.protocol or theirs.protocol
    if child.transport or isinstance(ours, Dynamic) or isinstance(theirs, Dynamic) or protocol not in (0, TCP):
        return
    version = ours.first.version
    mss = connection.mss
    if mss == AUTO_MSS:
        path = path_mtu(sa.local, sa.remote)
        mss = fits(sa, path) - TCP_HEADERS[version] if path is not None else None
    if mss is None:
        return
    if child.routed and connection.interface is not None:
        yield Clamp(mss, version, connection.name, connection.interface.name)
    else:
        yield Clamp(mss, version, connection.name, None, ours.networks, theirs.networks)


def _narrowest(found: list[Clamp]) -> Iterator[Clamp]:
    """Of an interface one for each IP version, the least."""
    least: dict[object, Clamp] = {}
    for clamp in found:
        key = clamp.interface, clamp.version, clamp.ours, clamp.theirs
        if key not in least or clamp.mss < least[key].mss:
            least[key] = clamp
    yield from least.values()
