"""This machine's addresses, links and routes are watched, and the names of peers: whose address has gone, and who has a
way to the peer again.

An event tells only that something has changed. What matters to the sessions is asked for, once for however many events
came.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import cache, partial

from ikevd.negotiation import own_end
from ikevd.negotiation.paced import paced
from ikevd.negotiation.peers import Peers
from ikevd.negotiation.ports import Ports
from ikevd.negotiation.session import Session
from ikevd.peer import ways
from ikevd.peer.path_facts import WayFound

ASK_EVERY = 60.0
"""Seconds after which the name of a peer that is down is asked for again."""


class Ways:
    """Of all sessions of one daemon."""

    def __init__(self, peers: Peers, ports: Ports) -> None:
        self._peers = peers
        self._ports = ports
        self._doubt = False
        self._looking: asyncio.Task[None] | None = None
        self._closed = False
        self._naming: asyncio.Task[None] | None = None

    def watch_names(self) -> None:
        """From now on, if a peer has one."""
        if self._naming is None and any(self._named()):
            self._naming = asyncio.get_running_loop().create_task(self._watch_names())

    def changed(self) -> None:
        """Something may be otherwise than before."""
        self._doubt = True
        if self._looking is None and not self._closed:
            self._looking = asyncio.get_running_loop().create_task(self._look())

    def close(self) -> None:
        """Look no more."""
        self._closed = True
        for task in (self._looking, self._naming):
            if task is not None:
                task.cancel()
        self._ports.names.close()

    async def _look(self) -> None:
        try:
            while self._doubt:
                self._doubt = False
                self._ports.routing.doubt()
                is_ours = cache(self._ports.kernel.has_address)
                async for session in paced(self._peers):
                    has_way = partial(session.at_work.callee.has_way, session.state)
                    source = session.at_work.phase1_source(session.state)
                    session.post(*own_end.news(session.state, source, is_ours, has_way))
                    session.doubt_links()
        finally:
            self._looking = None

    # -- names --------------------------------------------------------------------------------------------------

    async def _watch_names(self) -> None:
        names = self._ports.names
        while True:
            try:
                async with asyncio.timeout(ASK_EVERY):
                    await names.changed.wait()
            except TimeoutError:
                for session, name in self._named():
                    if ways.is_down(session.state):
                        names.ask(name)
            else:
                names.changed.clear()
                self._answered(names.take_news())

    def _answered(self, news: set[str]) -> None:
        """What waits for an answer goes on. What is down is tried again where there is another one; what is up does not
        notice."""
        sessions = {session: name in news for session, name in self._named()}
        for session, has_news in sessions.items():
            session.post(*session.at_work.names_answered(session.state))
            if has_news and ways.is_down(session.state):
                session.post(WayFound(anew=True))
        self.changed()

    def _named(self) -> Iterator[tuple[Session, str]]:
        for session in self._peers:
            yield from ((session, place) for place in session.connection.places if isinstance(place, str))
