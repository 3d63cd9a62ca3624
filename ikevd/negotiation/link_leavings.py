"""Interfaces, addresses and routes that no connection has any more: removed once the gates of all stand, and tried
again where the kernel refuses.

What the store names is ours, as far as the kernel shows our marks on it. What bears these marks and no store knows is
taken for ours where no other ikevd can be.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping

from ikevd.errors import IkeError
from ikevd.host.links import FoundLinks, Link, Route, Thing
from ikevd.negotiation.placed import PlacedRows
from ikevd.negotiation.ports import Ports
from ikevd.observe.words import say_error
from ikevd.peer.links import all_links
from ikevd.policy.connection import Connection
from ikevd.policy.interface import InterfaceKind
from ikevd.store.interface import Placed

FIRST_PAUSE, LAST_PAUSE = 1.0, 60.0


class LinkLeavings:
    """Of one daemon."""

    def __init__(self, ports: Ports, rows: PlacedRows) -> None:
        self._ports = ports
        self._rows = rows
        self._left: dict[Thing, None] = {}
        """In the order in which they were put."""
        self._said: set[str] = set()

    @property
    def over(self) -> bool:
        """Is nothing left?"""
        return not self._left

    async def of_restart(
        self, placed: Mapping[str, Placed], connections: Iterable[Connection], *, unknown: bool
    ) -> None:
        """What an earlier process may have left, by the store's rows. `unknown`: and what no store knows."""
        links, wanted = self._ports.links, _wanted(connections)
        if links is None:
            return
        known = [thing for one in placed.values() for thing in one.things]
        if unknown and (wanted or known or not placed):  # else none was ever made
            try:
                there = {thing.namespace for thing in (*wanted, *known)} - {""}
                known += _things(await links.read_ours(there))
            except IkeError as refusal:
                self._tell("what an earlier ikevd left of interfaces and routes is not known", refusal)
        self.add(known, connections)

    def add(self, things: Iterable[Thing], connections: Iterable[Connection]) -> None:
        """These go, but for what a connection has. Stored before anything is removed."""
        wanted = _wanted(connections)
        links = {_whose(thing) for thing in wanted if isinstance(thing, Link)}
        self._left = {
            thing: None
            for thing in (*self._left, *things)
            if not (_whose(thing) in links if isinstance(thing, Link) else thing in wanted)
        }
        self._store()

    async def go(self) -> None:
        """Remove what can be removed now, routes first, but last those that let nothing leave in the clear."""
        links = self._ports.links
        if links is None or self.over:
            return
        backwards = tuple(reversed(self._left))
        for thing in sorted(backwards, key=_is_unreachable):
            try:
                await links.remove(thing)
            except IkeError as refusal:
                self._tell("an interface or route that no connection has any more is still there", refusal)
            else:
                self._left.pop(thing, None)
        self._store()

    async def finish(self) -> None:
        """Until nothing is left."""
        pause = FIRST_PAUSE
        while not self.over:
            await asyncio.sleep(pause)
            await self.go()
            pause = min(2 * pause, LAST_PAUSE)

    def _store(self) -> None:
        self._rows.leave_links(self._left)

    def _tell(self, what: str, refusal: IkeError) -> None:
        """Once."""
        text = f"{what}: {say_error(refusal)}"
        if text not in self._said:
            self._said.add(text)
            self._ports.trouble(text)


def _whose(link: Link) -> tuple[str, str, str]:
    """By which it stays the same though all else of it changes."""
    return link.namespace, link.name, link.owner


def _is_unreachable(thing: Thing) -> bool:
    return isinstance(thing, Route) and thing.link is None


def _wanted(connections: Iterable[Connection]) -> dict[Thing, None]:
    return {thing: None for connection in connections for thing in all_links(connection)}


def _things(found: FoundLinks) -> Iterator[Thing]:
    """As far as they are to be removed."""
    for link in found.links:
        yield Link(
            link.name, link.kind or InterfaceKind.XFRM, link.number, link.owner, up=False, namespace=link.namespace
        )
    yield from found.routes
