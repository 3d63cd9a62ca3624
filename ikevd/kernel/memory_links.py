"""Interfaces and routes in memory: `Links` as a Linux kernel is, for tests."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable, Collection, Iterable
from itertools import count

from ikevd.addresses import Address
from ikevd.errors import KernelRefused
from ikevd.frozen import replace
from ikevd.host.links import ALIAS, FoundLink, FoundLinks, Link, LinkAddress, Route, Thing
from ikevd.kernel.link_refusals import kind_missing, link_down, link_taken, number_taken, thing_refused
from ikevd.policy.interface import InterfaceKind

MTU = 1500


class MemoryLinks:
    """Without packets. `changed` is told that something is otherwise than before."""

    def __init__(self) -> None:
        self._index = count(100)
        self.links: dict[str, FoundLink] = {}
        self.addresses: list[LinkAddress] = []
        self.routes: list[Route] = []
        """Ours, and others' that are `planted`."""
        self.planted: list[Route] = []
        self.lacking: set[InterfaceKind] = set()
        """Kinds that it does not have."""
        self.refusing: dict[type[Thing], int] = {}
        """The errno with which it refuses to put each kind of thing."""
        self.path: int | None = MTU
        """The longest packet that reaches any peer."""
        self.takes = 0.0
        """Seconds for each thing that is put."""
        self.gone: set[str] = set()
        """Network namespaces that are not there."""
        self.stuck = 0
        """The errno with which it refuses to remove anything."""
        self.changed: Callable[[], None] = lambda: None
        self.looked: Callable[[], None] = lambda: None
        """Somebody reads what stands."""
        self.done: list[tuple[str, Thing]] = []
        """What was put and removed, in this order."""

    async def kinds(self) -> Collection[InterfaceKind]:
        return [kind for kind in InterfaceKind if kind not in self.lacking]

    async def read(self, name: str, namespace: str = "") -> FoundLinks:
        self.looked()
        self._enter(namespace)
        return self._found([link for link in self.links.values() if link.name == name])

    async def read_ours(self, namespaces: Collection[str] = ()) -> FoundLinks:
        return self._found([link for link in self.links.values() if link.ours])

    def _found(self, links: list[FoundLink]) -> FoundLinks:
        names = {link.name for link in links}
        routes = [route for route in self.routes if route not in self.planted]
        return FoundLinks(links, [one for one in self.addresses if one.link in names], routes)

    async def put(self, thing: Thing) -> None:
        await asyncio.sleep(self.takes)
        self._enter(thing.namespace)
        if code := self.refusing.get(type(thing), 0):
            raise thing_refused(thing, code)
        if isinstance(thing, Link):
            self._put_link(thing)
        else:
            self._put_on_link(thing)
        self.done.append(("put", thing))
        self.changed()

    def _enter(self, namespace: str) -> None:
        if namespace in self.gone:
            raise KernelRefused(f"there is no network namespace {namespace}", errno.ENOENT)

    def _put_link(self, link: Link) -> None:
        found = self.links.get(link.name)
        if found is not None and found.is_adopted_as(link):
            self.links[link.name] = replace(found, up=found.up or link.up)
            return
        if found is not None and not found.is_of(link):
            raise link_taken(link, found)
        if found is None or not found.is_made_as(link):
            self._drop(link.name)
            found = self._made(link)
        self.links[link.name] = replace(found, alias=f"{ALIAS}{link.owner}", up=link.up, mtu=link.mtu or found.mtu)
        if not link.up:
            self._flush(link.name)

    def _made(self, link: Link) -> FoundLink:
        if link.kind in self.lacking:
            raise kind_missing(link)
        if any((one.kind, one.number) == (link.kind, link.number) for one in self.links.values()):
            raise number_taken(link)
        ends = (link.local, link.remote) if link.kind is InterfaceKind.VTI else (None, None)
        return FoundLink(
            link.name, next(self._index), True, link.kind, link.number, "", False, MTU, *ends, namespace=link.namespace
        )

    def _put_on_link(self, thing: LinkAddress | Route) -> None:
        link = self.links.get(thing.link) if thing.link is not None else None
        if thing.link is not None and (link is None or not link.up):
            raise link_down(thing)
        if isinstance(thing, LinkAddress):
            self.addresses = [*(one for one in self.addresses if one != thing), thing]
        elif thing not in self.routes:
            if any((one.to, one.table, one.metric) == (thing.to, thing.table, thing.metric) for one in self.routes):
                raise thing_refused(thing, errno.EEXIST)
            self.routes.append(thing)

    async def remove(self, thing: Thing) -> None:
        if self.stuck:
            raise thing_refused(thing, self.stuck)
        match thing:
            case Link(name):
                if (found := self.links.get(name)) is not None and found.is_of(thing):
                    self._drop(name)
            case LinkAddress(name):
                if (found := self.links.get(name)) is not None and found.ours:
                    self.addresses = [one for one in self.addresses if one != thing]
            case Route():
                self.routes = [one for one in self.routes if one != thing or one in self.planted]
        self.done.append(("remove", thing))
        self.changed()

    def path_mtu(self, source: Address, destination: Address) -> int | None:
        return self.path

    def close(self) -> None:
        """Nothing to close."""

    # -- by the hand of another program

    def plant(self, link: FoundLink) -> None:
        """It makes an interface."""
        self.links[link.name] = link
        self.changed()

    def plant_route(self, route: Route) -> None:
        """It sets a route."""
        self.routes.append(route)
        self.planted.append(route)

    def take(self, names: Iterable[str]) -> None:
        """It removes interfaces, and what stands on them."""
        for name in names:
            self._drop(name)
        self.changed()

    def _drop(self, name: str) -> None:
        self.links.pop(name, None)
        self.addresses = [one for one in self.addresses if one.link != name]
        self._flush(name)

    def _flush(self, name: str) -> None:
        """What stands no longer than its interface is up."""
        self.routes = [one for one in self.routes if one.link != name]
        self.addresses = [one for one in self.addresses if one.link != name or one.address.version == 4]
