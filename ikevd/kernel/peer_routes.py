"""The `Routes` of this machine: those that follow policy-based tunnels, over rtnetlink, in one thread."""

from __future__ import annotations

import errno
import socket
from collections.abc import Collection, Iterable, Sequence
from functools import partial

from ikevd.addresses import Address
from ikevd.errors import IkeError, KernelRefused
from ikevd.host.route_claims import is_part
from ikevd.host.routes import RULE_PRIORITY, PeerRoute, Routed, Rule, WantedRoute
from ikevd.kernel.netlink import NetlinkError
from ikevd.kernel.peer_route_messages import (
    Hop,
    build_peer_route,
    build_route_dump,
    build_rule,
    build_rule_dump,
    build_way,
    read_other,
    read_peer_route,
    read_rule,
    read_way,
)
from ikevd.kernel.refusals import refused
from ikevd.kernel.route_socket import RouteSocket
from ikevd.kernel.route_thread import RouteThread
from ikevd.kernel.rtnetlink import NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, Rtm
from ikevd.kernel.surroundings import addresses
from ikevd.policy.selectors import Network
from ikevd.vrf import index_of, is_away

GONE = (errno.ENODEV, errno.ESRCH, errno.ENOENT)
LACKING = (errno.EOPNOTSUPP, errno.EAFNOSUPPORT)
"""A kernel without rules, or without IPv6."""


class LinuxRoutes(RouteThread):
    """See `Routes`."""

    async def resolve(self, wanted: Sequence[WantedRoute]) -> list[PeerRoute | None]:
        """See `Routes.resolve`."""
        return await self._run(partial(_resolve, self._vrf), wanted)

    async def others(self, inside: Collection[Network]) -> frozenset[Network]:
        """See `Routes.others`."""
        return await self._run(_others, inside)

    async def read(self) -> frozenset[Routed]:
        """See `Routes.read`."""
        return await self._run(_read, None)

    async def put(self, thing: Routed, *, instead: bool) -> None:
        """See `Routes.put`."""
        await self._run(_put, (thing, instead))

    async def remove(self, thing: Routed) -> None:
        """See `Routes.remove`."""
        await self._run(_remove, thing)


def source_of(wanted: WantedRoute, own: Iterable[Address], chosen: Address | None) -> Address | None:
    """An address of this machine that the tunnel carries: that which the way has anyway, or the first; None: there is
    none. Where the file names some, the first of those."""
    candidates = wanted.sources or (*([chosen] if chosen is not None else []), *own)
    return next(
        (one for one in candidates if any(one.version == net.version and one in net for net in wanted.within)), None
    )


def describe(thing: Routed) -> str:
    """For example `the route to 10.2.0.0/16 via 192.0.2.254 on eth0 with source 10.1.0.1 (table 254, metric 0)`."""
    if isinstance(thing, Rule):
        return f"the rule for table {thing.table} (IPv{thing.version}, priority {RULE_PRIORITY})"
    way = f" via {thing.gateway}" if thing.gateway is not None else ""
    way += f" on {thing.link}" if thing.link is not None else ""
    way += f" with source {thing.source}" if thing.source is not None else ""
    return f"the route to {thing.to}{way} (table {thing.table}, metric {thing.metric})"


def route_refused(thing: Routed, code: int, detail: str = "") -> IkeError:
    """The exception for what the kernel does not set."""
    if code == errno.EEXIST and isinstance(thing, PeerRoute):
        version = "-6 " if thing.to.version == 6 else ""
        return KernelRefused(
            f"cannot set {describe(thing)}: somebody else's route to this network has that metric "
            f"(`ip {version}route show {thing.to} table {thing.table}`); wanted another `metric` or `table` of "
            "`route`, or that one removed",
            code,
        )
    if code == errno.EINVAL and isinstance(thing, PeerRoute) and thing.source is not None:
        return KernelRefused(
            f"cannot set {describe(thing)}: {thing.source} is no address of this machine now; wanted one of its own "
            "as `source` of `route`, or auto",
            code,
        )
    return refused(f"set {describe(thing)}", code, detail)


# -- in the thread -----------------------------------------------------------------------------------------------------


def _resolve(vrf: str, netlink: RouteSocket, wanted: Sequence[WantedRoute]) -> list[PeerRoute | None]:
    own = [found.address for found in addresses() if not found.address.is_loopback and not found.address.is_link_local]
    hops: dict[tuple[Address, Address | None], Hop | None] = {}
    found = list[PeerRoute | None]()
    for one in wanted:
        ends = one.peer, one.local
        if ends not in hops:
            hops[ends] = _hop(vrf, netlink, *ends)
        hop = hops[ends]
        found.append(_begun(one, hop, source_of(one, own, hop.source)) if hop is not None else None)
    return found


def _begun(wanted: WantedRoute, hop: Hop, source: Address | None) -> PeerRoute:
    """Where the outer way is one of another IP version its gateway is no hop of this one."""
    gateway = hop.gateway if hop.gateway is not None and hop.gateway.version == wanted.to.version else None
    return PeerRoute(wanted.to, wanted.table, wanted.metric, _name_of(hop.index), gateway, source, wanted.mtu)


def _hop(vrf: str, netlink: RouteSocket, peer: Address, local: Address | None) -> Hop | None:
    """None: there is no way now, or `local` is not ours."""
    if is_away(vrf):
        return None
    try:
        (answer,) = netlink.ask(Rtm.GETROUTE, build_way(peer, local, index_of(vrf)))
    except (NetlinkError, ValueError):
        return None
    return read_way(answer)


def _others(netlink: RouteSocket, inside: Collection[Network]) -> frozenset[Network]:
    found = set[Network]()
    for version in (4, 6):
        for body in _dump(netlink, Rtm.GETROUTE, build_route_dump(version, protocol=0), "list the routes"):
            if (network := read_other(body)) is not None and is_part(network, inside):
                found.add(network)
    return frozenset(found)


def _read(netlink: RouteSocket, _: None) -> frozenset[Routed]:
    found = set[Routed]()
    for version in (4, 6):
        for body in _dump(netlink, Rtm.GETROUTE, build_route_dump(version), "list the routes"):
            if (route := read_peer_route(body, _name_of)) is not None:
                found.add(route)
        for body in _dump(netlink, Rtm.GETRULE, build_rule_dump(version), "list the rules"):
            if (rule := read_rule(body)) is not None:
                found.add(rule)
    return frozenset(found)


def _dump(netlink: RouteSocket, kind: Rtm, body: bytes, what: str) -> list[bytes]:
    try:
        return netlink.dump(kind, body)
    except NetlinkError as error:
        if error.code in (*GONE, *LACKING):
            return []
        raise refused(what, error.code, error.detail) from None


def _put(netlink: RouteSocket, asked: tuple[Routed, bool]) -> None:
    thing, instead = asked
    # The kernel would replace somebody else's as well, which may have come since.
    ours = instead and any(stands.place == thing.place for stands in _read(netlink, None))
    flags = NLM_F_CREATE | (NLM_F_REPLACE if ours else NLM_F_EXCL)
    try:
        if isinstance(thing, Rule):
            netlink.ask(Rtm.NEWRULE, build_rule(thing), NLM_F_CREATE | NLM_F_EXCL)
        else:
            netlink.ask(Rtm.NEWROUTE, build_peer_route(thing, _index_of(thing)), flags)
    except NetlinkError as error:
        if error.code != errno.EEXIST or thing not in _read(netlink, None):
            raise route_refused(thing, error.code, error.detail) from None


def _remove(netlink: RouteSocket, thing: Routed) -> None:
    try:
        if isinstance(thing, Rule):
            netlink.ask(Rtm.DELRULE, build_rule(thing))
        else:
            netlink.ask(Rtm.DELROUTE, build_peer_route(thing, _index_of(thing)))
    except NetlinkError as error:
        if error.code not in GONE:
            raise refused(f"remove {describe(thing)}", error.code, error.detail) from None


def _index_of(route: PeerRoute) -> int | None:
    if route.link is None:
        return None
    try:
        return socket.if_nametoindex(route.link)
    except OSError as error:
        raise NetlinkError(error.errno or errno.ENODEV) from None


def _name_of(index: int) -> str:
    try:
        return socket.if_indextoname(index)
    except OSError:
        return f"if{index}"
