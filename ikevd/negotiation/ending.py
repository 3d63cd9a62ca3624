"""How a daemon ends: its peers are handed over to another process, or all is taken down. Both in bounded time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial

from ikevd.conversation.timing import FAREWELL, pauses
from ikevd.negotiation.link_ending import LEFT, remove_links
from ikevd.negotiation.outside import Outside
from ikevd.negotiation.paced import paced
from ikevd.negotiation.peers import Peers
from ikevd.negotiation.ports import Ports
from ikevd.negotiation.remains import Remains
from ikevd.negotiation.reports import surely, surely_done
from ikevd.negotiation.session import Session

STOP_WITHIN = 3.5
"""Seconds; systemd and our users are promised five."""
SETTLED_WITHIN = 0.75
"""Seconds, twice: so long each session may be at what it does, before others are taken down without it."""
LAST_WORDS = sum(list(pauses(FAREWELL))[:2])
"""At exit a Delete is sent three times, which takes so many seconds."""


class Ending:
    """Of one daemon, which begins nothing any more."""

    def __init__(self, peers: Peers, outside: Outside, remains: Remains, ports: Ports) -> None:
        self._peers = peers
        self._outside = outside
        self._remains = remains
        self._ports = ports

    async def hand_over(self) -> None:
        """Nothing is said, and all stays in the kernel."""
        try:
            async with asyncio.timeout(STOP_WITHIN):
                late = await _each_settled(self._peers, Session.hand_over)
                await asyncio.gather(*(surely_done(session.hand_over()) for session in late))
        except TimeoutError:
            self._ports.trouble("the kernel is slow: some SAs keep the limits that they have")
        self._close()

    async def stop(self, last_words: float) -> None:
        """Take everything down; what is left after `STOP_WITHIN` stays."""
        for session in self._peers:
            session.stop_links()
        links = asyncio.ensure_future(surely_done(self._remove_links_and_routes()))
        try:
            async with asyncio.timeout(STOP_WITHIN):
                await self._take_down(announce=True)
                if any(session.state.has_peer for session in self._peers):
                    await asyncio.sleep(last_words)
                await self._take_down(announce=False)  # what a negotiation in flight brought up meanwhile
                late = await _each_settled((*self._peers, *self._peers.dismissed), _clear)
                await asyncio.gather(self._clear_the_rest(), *(surely_done(_clear(session)) for session in late))
                await links
        except TimeoutError:
            self._ports.trouble("the kernel is slow; what is left in it is removed at the next start")
            if links.cancelled() or links.cancel():
                self._ports.trouble(LEFT)
        self._close()

    async def _remove_links_and_routes(self) -> None:
        await asyncio.gather(self._ports.routing.remove_all(), self._ports.clamping.remove_all())
        await remove_links(tuple(self._peers), self._ports.links)

    async def _take_down(self, *, announce: bool) -> None:
        async for session in paced(self._peers):
            surely(partial(session.end, announce=announce))
        if late := [asyncio.ensure_future(session.settled()) for session in self._peers if not session.is_settled]:
            _, waiting = await asyncio.wait(late, timeout=SETTLED_WITHIN)
            for one in waiting:
                one.cancel()

    async def _clear_the_rest(self) -> None:
        await surely_done(self._remains.go({}))
        await surely_done(self._outside.remove())

    def _close(self) -> None:
        for session in (*self._peers, *self._peers.dismissed):
            surely(session.close)


async def _each_settled(sessions: Iterable[Session], step: Callable[[Session], Awaitable[None]]) -> list[Session]:
    """Do this with each session that waits for nothing. Gives those that do: they keep no other from it."""
    late = []
    async for session in paced(sessions):
        if session.is_settled:
            await surely_done(step(session))
        else:
            late.append(session)
    return late


async def _clear(session: Session) -> None:
    await session.settled()
    await session.clear()
    session.forget()
