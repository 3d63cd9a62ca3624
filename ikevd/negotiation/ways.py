"""This machine's addresses, links and routes are watched: whose address has gone, and who has a way to the peer again.

An event tells only that something has changed. What matters to the sessions is asked for, once for however many events
came.
"""

from __future__ import annotations

import asyncio
from functools import cache, partial

from ikevd.negotiation import own_end, phase1
from ikevd.negotiation.paced import paced
from ikevd.negotiation.peers import Peers
from ikevd.negotiation.ports import Ports


class Ways:
    """Of all sessions of one daemon."""

    def __init__(self, peers: Peers, ports: Ports) -> None:
        self._peers = peers
        self._ports = ports
        self._doubt = False
        self._looking: asyncio.Task[None] | None = None
        self._closed = False

    def changed(self) -> None:
        """Something may be otherwise than before."""
        self._doubt = True
        if self._looking is None and not self._closed:
            self._looking = asyncio.get_running_loop().create_task(self._look())

    def close(self) -> None:
        """Look no more."""
        self._closed = True
        if self._looking is not None:
            self._looking.cancel()

    async def _look(self) -> None:
        try:
            while self._doubt:
                self._doubt = False
                is_ours = cache(self._ports.kernel.has_address)
                async for session in paced(self._peers):
                    has_way = partial(phase1.has_way, session.connection, self._ports)
                    session.post(*own_end.news(session.state, session.phase1_source, is_ours, has_way))
        finally:
            self._looking = None
