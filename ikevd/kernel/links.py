"""The `Links` of this machine: Linux interfaces and routes over rtnetlink, in one thread."""

from __future__ import annotations

import errno
import socket
from collections.abc import Collection, Iterable, Mapping
from functools import partial

from ikevd.addresses import Address
from ikevd.errors import IkeError
from ikevd.frozen import replace
from ikevd.host.links import FoundLink, FoundLinks, Link, LinkAddress, Route, Thing
from ikevd.kernel.interfaces import (
    build_address,
    build_address_dump,
    build_change,
    build_link_id,
    build_move,
    build_name,
    build_new_link,
    build_up,
    read_address,
    read_link,
)
from ikevd.kernel.link_refusals import describe_thing, kind_missing, link_down, link_taken, number_taken, thing_refused
from ikevd.kernel.netlink import NetlinkError
from ikevd.kernel.network_namespaces import is_gone, opened, route_socket_in
from ikevd.kernel.refusals import refused
from ikevd.kernel.route_socket import RouteSocket
from ikevd.kernel.route_thread import RouteThread
from ikevd.kernel.routes import build_route, build_route_dump, read_route
from ikevd.kernel.rtnetlink import NLM_F_CREATE, NLM_F_EXCL, Rtm
from ikevd.policy.interface import NUMBERS_FIRST, InterfaceKind
from ikevd.vrf import bind_to, gone, index_of, is_away

TRIAL = "ikevd-trial"
ON_ITS_WAY = "ikevd-moves"
NEW = NLM_F_CREATE | NLM_F_EXCL
IP_MTU, IPV6_MTU = 14, 24
"""linux/in.h, linux/in6.h"""
DISCARD = 9
"""A port; nothing is sent there."""
GONE = (errno.ENODEV, errno.ESRCH, errno.EADDRNOTAVAIL, errno.ENOENT)


class LinuxLinks(RouteThread):
    """See `Links`."""

    async def kinds(self) -> Collection[InterfaceKind]:
        """Those of which a trial interface could be made, and was removed."""
        return [kind for kind in InterfaceKind if await self._run(_can_make, kind)]

    async def read(self, name: str, namespace: str = "") -> FoundLinks:
        """See `Links.read`."""
        found = await self._run(_read, name, namespace)
        return replace(found, links=[self._above(link) for link in found.links])

    async def read_ours(self, namespaces: Collection[str] = ()) -> FoundLinks:
        """See `Links.read_ours`."""
        found = await self._run(_read_ours, None)
        for namespace in namespaces:
            try:
                there = await self._run(_read_ours, None, namespace)
            except IkeError as refusal:
                if not is_gone(refusal):
                    raise
                continue
            found = FoundLinks(
                (*found.links, *there.links), (*found.addresses, *there.addresses), (*found.routes, *there.routes)
            )
        return found

    async def put(self, thing: Thing) -> None:
        """See `Links.put`."""
        if isinstance(thing, Link):
            if thing.kind is InterfaceKind.XFRM and is_away(self._vrf):
                raise gone(self._vrf)
            step = partial(_put_link, index_of(self._vrf), self._socket())
            await self._run(step, thing, thing.namespace)
        else:
            await self._run(_put_on_link, thing, thing.namespace)

    async def remove(self, thing: Thing) -> None:
        """See `Links.remove`."""
        try:
            await self._run(_remove, thing, thing.namespace)
        except IkeError as refusal:
            if not (thing.namespace and is_gone(refusal)):
                raise

    def _above(self, found: FoundLink) -> FoundLink:
        """Told where it lies above another VRF; not while ours is away, which may come back."""
        xfrm = found.ours and found.kind is InterfaceKind.XFRM
        return replace(found, astray=xfrm and not is_away(self._vrf) and found.below != index_of(self._vrf))

    def path_mtu(self, source: Address, destination: Address) -> int | None:
        """As the route has it, or a router on the way has told."""
        six = destination.version == 6
        level, option = (socket.IPPROTO_IPV6, IPV6_MTU) if six else (socket.IPPROTO_IP, IP_MTU)
        try:
            with socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM) as asking:
                bind_to(asking, self._vrf)
                asking.bind((str(source), 0))
                asking.connect((str(destination), DISCARD))
                return int(asking.getsockopt(level, option))
        except OSError:
            return None


# -- in the thread -----------------------------------------------------------------------------------------------------


def _can_make(netlink: RouteSocket, kind: InterfaceKind) -> bool:
    trial = Link(TRIAL, kind, NUMBERS_FIRST - 1, "", up=False)
    try:
        netlink.ask(Rtm.NEWLINK, build_new_link(trial), NEW)
    except NetlinkError as error:
        if error.code == errno.EOPNOTSUPP:
            return False
        if error.code != errno.EEXIST:  # it stands since a trial that was killed
            raise thing_refused(trial, error.code, error.detail) from None
    _remove(netlink, trial)
    return True


def _find(netlink: RouteSocket, name: str) -> FoundLink | None:
    try:
        (answer,) = netlink.ask(Rtm.GETLINK, build_link_id(name=name))
    except NetlinkError as error:
        if error.code == errno.ENODEV:
            return None
        raise refused(f"read the interface {name}", error.code, error.detail) from None
    return replace(read_link(answer), namespace=netlink.namespace)


def _read(netlink: RouteSocket, name: str) -> FoundLinks:
    link = _find(netlink, name)
    return _with_all(netlink, [link] if link is not None else [])


def _read_ours(netlink: RouteSocket, _: None) -> FoundLinks:
    bodies = _dump(netlink, Rtm.GETLINK, build_link_id(), "list the interfaces")
    links = (replace(read_link(body), namespace=netlink.namespace) for body in bodies)
    return _with_all(netlink, [link for link in links if link.ours])


def _with_all(netlink: RouteSocket, links: list[FoundLink]) -> FoundLinks:
    names = {link.index: link.name for link in links}
    addresses = [
        replace(found, namespace=netlink.namespace)
        for index in names
        for body in _dump(netlink, Rtm.GETADDR, build_address_dump(index), "list addresses")
        if (found := read_address(body, {index: names[index]})) is not None
    ]
    return FoundLinks(links, addresses, list(_routes(netlink, names)))


def _routes(netlink: RouteSocket, names: Mapping[int, str]) -> Iterable[Route]:
    for version in (4, 6):
        for body in _dump(netlink, Rtm.GETROUTE, build_route_dump(version), "list the routes"):
            if (found := read_route(body, lambda index: names.get(index) or _name_of(netlink, index))) is not None:
                yield replace(found, namespace=netlink.namespace)


def _name_of(netlink: RouteSocket, index: int) -> str:
    try:
        return f"if{index}" if netlink.namespace else socket.if_indextoname(index)
    except OSError:
        return f"if{index}"


def _dump(netlink: RouteSocket, kind: Rtm, body: bytes, what: str) -> list[bytes]:
    try:
        return netlink.dump(kind, body)
    except NetlinkError as error:
        if error.code in GONE:  # its interface is
            return []
        raise refused(what, error.code, error.detail) from None


def _put_link(below: int, home: RouteSocket, netlink: RouteSocket, link: Link) -> None:
    found = _find(netlink, link.name)
    if found is not None and found.is_adopted_as(link):
        _adopt(netlink, found, link)
        return
    if found is not None and not found.is_of(link):
        raise link_taken(link, found)
    if found is not None and (not found.is_made_as(link) or (link.kind is InterfaceKind.XFRM and found.below != below)):
        _remove(netlink, link)
        found = None
    if found is None:
        _make(home, link, below)
        found = _find(netlink, link.name)
    if found is None:
        raise thing_refused(link, errno.ENODEV)
    _change(netlink, build_change(found.index, link), link)


def _adopt(netlink: RouteSocket, found: FoundLink, link: Link) -> None:
    if link.up and not found.up:
        _change(netlink, build_up(found.index), link)


def _change(netlink: RouteSocket, body: bytes, link: Link) -> None:
    try:
        netlink.ask(Rtm.NEWLINK, body)
    except NetlinkError as error:
        raise thing_refused(link, error.code, error.detail) from None


def _make(home: RouteSocket, link: Link, below: int) -> None:
    """Where its SAs are; what stands elsewhere goes there, under a name that it has on its way alone."""
    made = replace(link, name=ON_ITS_WAY, namespace="") if link.namespace else link
    if link.namespace:
        _remove(home, made)  # left where ikevd was killed
    try:
        home.ask(Rtm.NEWLINK, build_new_link(made, below), NEW)
    except NetlinkError as error:
        if error.code == errno.EOPNOTSUPP:
            raise kind_missing(link) from None
        if error.code == errno.EEXIST:
            raise number_taken(link) from None
        raise thing_refused(link, error.code, error.detail) from None
    if link.namespace:
        _move(home, made, link)


def _move(home: RouteSocket, made: Link, link: Link) -> None:
    try:
        with opened(link.namespace) as handle:
            home.ask(Rtm.NEWLINK, build_move(made.name, handle))
        with route_socket_in(link.namespace) as there:
            moved = _find(there, made.name)
            there.ask(Rtm.NEWLINK, build_name(moved.index if moved else 0, link.name))
    except NetlinkError as error:
        _remove(home, made)
        raise refused(f"move {describe_thing(link)} there", error.code, error.detail) from None
    except IkeError:
        _remove(home, made)
        raise


def _put_on_link(netlink: RouteSocket, thing: LinkAddress | Route) -> None:
    found = _find(netlink, thing.link) if thing.link is not None else None
    if thing.link is not None and (found is None or not found.up):
        raise link_down(thing)
    index = found.index if found is not None else None
    try:
        if isinstance(thing, Route):
            netlink.ask(Rtm.NEWROUTE, build_route(thing, index), NEW)
        else:
            netlink.ask(Rtm.NEWADDR, build_address(index or 0, thing), NEW)
    except NetlinkError as error:
        if error.code != errno.EEXIST or not _stands(netlink, thing):
            raise thing_refused(thing, error.code, error.detail) from None


def _stands(netlink: RouteSocket, thing: LinkAddress | Route) -> bool:
    """Is it just this one that is in its way?"""
    found = _read(netlink, thing.link or "lo")
    return thing in found.addresses or thing in found.routes


def _remove(netlink: RouteSocket, thing: Thing) -> None:
    name = thing.name if isinstance(thing, Link) else thing.link
    found = _find(netlink, name) if name is not None else None
    if name is not None and found is None:
        return
    index = found.index if found is not None else None
    try:
        if isinstance(thing, Route):
            netlink.ask(Rtm.DELROUTE, build_route(thing, index))
        elif isinstance(thing, LinkAddress):
            if found is not None and found.ours:  # on another's it may have stood before
                netlink.ask(Rtm.DELADDR, build_address(found.index, thing))
        elif found is not None and found.is_of(thing):
            netlink.ask(Rtm.DELLINK, build_link_id(found.index))
    except NetlinkError as error:
        if error.code not in GONE:
            raise refused(f"remove {describe_thing(thing)}", error.code, error.detail) from None
