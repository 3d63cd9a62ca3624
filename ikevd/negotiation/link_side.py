"""The interface of one session: what of it shall stand, and what of that does not stand yet.

What stands is read before each difference, since anybody may change it: nothing is believed from one time to the next
but that the interface was made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import field
from typing import final

from ikevd.errors import Finding, IkeError, Said
from ikevd.frozen import frozen, replace
from ikevd.host.links import Link, Links, Route, Thing
from ikevd.negotiation.agenda import Agenda
from ikevd.negotiation.contest import PUT_BACK, WITHIN, Contest
from ikevd.negotiation.link_difference import carry_out
from ikevd.negotiation.ports import Ports
from ikevd.observe.words import say
from ikevd.peer.facts import Fact
from ikevd.peer.kernel_facts import Linked, Unlinked
from ikevd.peer.links import all_links, desired_links, longest_packet
from ikevd.peer.state import PeerState
from ikevd.policy.connection import Connection
from ikevd.policy.interface import Interface

FIRST_PAUSE, LAST_PAUSE = 1.0, 60.0
"""Seconds until the kernel is asked again for what it refused; each pause is twice the one before."""
LOOK_EVERY = 5.0
"""Seconds from one look at what stands to the next, however often something changes on this machine."""


@final
@frozen
class LinksAgain:
    """What stands of the interface is to be compared with what shall."""

    pause: float = field(default=FIRST_PAUSE, compare=False)


class LinkSide:
    """Brings interface, addresses and routes to what the state of a session desires."""

    @classmethod
    def of(cls, connection: Connection, ports: Ports, agenda: Agenda[object]) -> LinkSide | None:
        """None: the connection has no interface."""
        return cls(connection, ports, agenda) if connection.interface is not None else None

    def __init__(self, connection: Connection, ports: Ports, agenda: Agenda[object]) -> None:
        """`agenda` tells the session when to compare again, with a `LinksAgain`."""
        self._connection = connection
        self._ports = ports
        self._agenda = agenda
        self._contest = Contest(ports.now)
        self._asked_for: tuple[Thing, ...] = ()
        self._closed = True
        self._at_work = asyncio.Lock()
        """Held while what stands is changed, so that nothing is put while all of it is removed."""
        self._made = False
        """Did the interface stand after the last look?"""
        self._looked_at = float("-inf")
        self._next: float | None = None
        """When it is compared again."""

    def reload(self, connection: Connection) -> None:
        """Its interface may be another one, or have other routes; what it has no more is removed elsewhere."""
        if connection.interface != self._connection.interface:
            self._made, self._closed = False, True
        self._connection = connection

    def open(self) -> None:
        """What stood in the way of it is removed: from here on it is brought about."""
        self._closed = False

    def close(self) -> None:
        """It is nobody's any more: what stands of it is removed elsewhere."""
        self._closed = True
        self._ports.unreachable.release(self)
        self._set(None)

    def unreachable(self, state: PeerState) -> frozenset[Route]:
        """What is to stand before what stood in the way of it goes; none where it is brought about already."""
        return (
            self._ports.unreachable.want(self, desired_links(self._connection, state)) if self._closed else frozenset()
        )

    def wants_anew(self, state: PeerState) -> bool:
        """Shall something else stand than was asked for last? Told once."""
        before, self._asked_for = self._asked_for, desired_links(self._connection, state)
        return not self._closed and before != self._asked_for

    def doubt(self) -> None:
        """Something has changed on this machine: a look, soon."""
        when = max(self._ports.now(), self._looked_at + LOOK_EVERY)
        if self._next is None or when < self._next:
            self._set(when)

    async def remove(self, which: Callable[[Thing], bool]) -> None:
        """These of all that may stand of it, for good. What the kernel refuses is for the next start."""
        self.close()
        links = self._ports.links
        if links is None:
            return
        async with self._at_work:
            for thing in filter(which, all_links(self._connection)):
                with suppress(IkeError):
                    await links.remove(thing)

    async def bring(self, state: PeerState, again: LinksAgain) -> list[Fact]:
        """What is new to the state. What was refused is tried again."""
        links, interface = self._ports.links, self._connection.interface
        if links is None or interface is None or self._closed:
            return []
        self._set(None)
        if (until := self._contest.blocked_until(interface.name)) is not None:
            self._set(until)
            return []
        self._asked_for, self._looked_at = desired_links(self._connection, state), self._ports.now()
        self._ports.unreachable.want(self, self._asked_for)
        async with self._at_work:
            shall = tuple(self._sized(state, links))
            vanished, cause = await self._compare(links, interface, shall)
        if cause is not None:
            pause = min(again.pause, LOOK_EVERY) if interface.namespace else again.pause
            self._set(self._contest.blocked_until(interface.name) or self._ports.now() + pause, 2 * again.pause)
        elif interface.namespace:  # of what changes there nobody tells us
            self._set(self._ports.now() + LOOK_EVERY)
        return list(self._news(state.unlinked, vanished, cause))

    def _sized(self, state: PeerState, links: Links) -> Iterator[Thing]:
        """What is asked for; where the file leaves the MTU open, with what fits into the tunnels."""
        for thing in self._asked_for:
            if isinstance(thing, Link) and thing.up and thing.mtu is None:
                yield replace(thing, mtu=longest_packet(self._connection, state, links.path_mtu))
            else:
                yield thing

    async def _compare(
        self, links: Links, interface: Interface, shall: tuple[Thing, ...]
    ) -> tuple[Finding | None, Finding | None]:
        """That somebody has removed the interface, and why something does not stand that shall."""
        name, vanished = interface.name, None
        try:
            found = await links.read(interface.name, interface.namespace)
            if self._made and not found.links:
                vanished = Said(f"the interface {name} is gone: somebody removed it")
                self._made = False
                if self._contest.changed(name):
                    return vanished, Said(
                        f"somebody removes the interface {name}, more than {PUT_BACK} times in {WITHIN:g} s: until "
                        "they are over it is not made again (`ip monitor link` shows when it goes)"
                    )
            refused = await carry_out(
                links,
                shall,
                all_links(self._connection),
                found,
                lambda: not self._closed,
                self._ports.unreachable.is_wanted,
            )
        except IkeError as refusal:
            return vanished, refusal.finding
        self._made = not any(isinstance(thing, Link) for thing, _ in refused)
        return vanished, refused[0][1].finding if refused else None

    def _news(self, known: Finding | None, *causes: Finding | None) -> Iterator[Fact]:
        """`known` to the state. The last of the causes is what is still so."""
        for cause in causes:
            if cause is not None and cause != known:
                self._ports.counters.count("interface: not as it shall be")
                self._ports.trouble(f"{self._connection.name}: {say(cause)}")
                yield Unlinked(cause)
                known = cause
        if causes[-1] is None and known is not None:
            yield Linked()

    def _set(self, when: float | None, pause: float = FIRST_PAUSE) -> None:
        self._next = when
        self._agenda.set(LinksAgain(min(pause, LAST_PAUSE)), when)
