"""Who holds a connection to the control socket: so many at most and for so long, so that nobody takes the descriptors
that the daemon needs for itself.

An idle connection ends after `IDLE_SECONDS`, and the oldest idle one makes way for a new one. Where all are busy, a new
one waits until one of them ends.
"""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

from ikevd.control.sockets import Peer, peer_of

IDLE_SECONDS = 15.0
"""Without a whole request: before the first one, between two, and while the rest of one does not come."""
MOST, LEAST = 256, 4
SHARE = 4
"""One descriptor in so many may be a connection's."""
PAUSE = 1.0
"""Seconds until the next try where this machine has no descriptor to give."""


def room(*, looks: bool = False) -> int:
    """How many connections may be held at one time, of the descriptors that this process may have. `looks`: to the
    socket of those who may only look, half as many."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    share = 2 * SHARE if looks else SHARE
    return MOST if soft == resource.RLIM_INFINITY else max(LEAST, min(MOST, soft // share))


class Connections:
    """Accepts on `listening` for as long as it is open. `protocol` makes the speaker of each connection."""

    def __init__(self, listening: socket.socket, protocol: Callable[[], asyncio.Protocol], most: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._listening = listening
        self._protocol = protocol
        self._most = most
        self._held: dict[asyncio.BaseProtocol, _Connection] = {}
        """By their speaker; the one that became idle first stands first."""
        self._opening: set[asyncio.Task[object]] = set()
        self._open = True
        self.resume()

    def close(self) -> None:
        """Accept no more, and end those that wait for a request."""
        self._open = False
        self._loop.remove_reader(self._listening)
        for connection in list(self._held.values()):
            if not connection.busy:
                connection.end()

    @contextmanager
    def busy(self, speaker: asyncio.BaseProtocol, seconds: float) -> Iterator[None]:
        """While a request is answered, which may take so long; the connection then ends, whatever is under way.

        Raises `ConnectionError` where it has ended.
        """
        connection = self._held.get(speaker)
        if connection is None:
            raise ConnectionAbortedError("it made way for a newer one")
        connection.busy = True
        connection.allow(seconds)
        try:
            yield
        finally:
            self.rest(connection)

    def allow(self, speaker: asyncio.BaseProtocol, seconds: float) -> None:
        """The request that is being answered may take so long from now on."""
        if connection := self._held.get(speaker):
            connection.allow(seconds)

    def peer(self, speaker: asyncio.BaseProtocol) -> Peer | None:
        """Who is at the other end, while somebody is."""
        connection = self._held.get(speaker)
        return connection.peer if connection else None

    # -- told by the loop and by the connections

    def resume(self) -> None:
        """There may be room again."""
        if self._open:
            self._loop.add_reader(self._listening, self._accept)

    def rest(self, connection: _Connection) -> None:
        """It waits for a request from now on."""
        connection.busy = False
        if self._held.pop(connection.speaker, None):
            self._held[connection.speaker] = connection
            connection.allow(IDLE_SECONDS)
        self.resume()

    def ended(self, connection: _Connection) -> None:
        """Its descriptor is free, or will be in a moment."""
        self._held.pop(connection.speaker, None)
        self.resume()

    def _accept(self) -> None:
        """One at a time: a burst of them takes no more than may be held."""
        if len(self._held) >= self._most and not self._make_room():
            self._loop.remove_reader(self._listening)
            return
        try:
            accepted, _ = self._listening.accept()
        except OSError as error:
            if not isinstance(error, BlockingIOError | ConnectionAbortedError):
                self._loop.remove_reader(self._listening)
                self._loop.call_later(PAUSE, self.resume)
            return
        accepted.setblocking(False)
        connection = _Connection(self, self._protocol(), peer_of(accepted))
        self._held[connection.speaker] = connection
        task = self._loop.create_task(self._connect(connection, accepted))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _connect(self, connection: _Connection, accepted: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(lambda: connection, accepted)
        except OSError:
            accepted.close()
            self.ended(connection)

    def _make_room(self) -> bool:
        oldest = next((connection for connection in self._held.values() if connection.idle), None)
        if oldest is not None:
            oldest.end()
        return oldest is not None


class _Connection(asyncio.Protocol):
    """Passes everything on to `speaker`, and ends when its time is over."""

    def __init__(self, connections: Connections, speaker: asyncio.Protocol, peer: Peer) -> None:
        self._connections = connections
        self.speaker = speaker
        self.peer = peer
        self.busy = False
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> bool:
        """Is it open and waits for a request?"""
        return self._transport is not None and not self.busy

    def allow(self, seconds: float) -> None:
        """The connection ends so many seconds from now, unless it is allowed more."""
        self._stop_timer()
        self._timer = asyncio.get_running_loop().call_later(seconds, self.end)

    def end(self) -> None:
        """At once; what is still to be sent is lost."""
        self._stop_timer()
        if self._transport is not None:
            self._transport.abort()
            self._connections.ended(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.speaker.connection_made(transport)
        self._connections.rest(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self.speaker.connection_lost(exc)
        self._connections.ended(self)

    def data_received(self, data: bytes) -> None:
        self.speaker.data_received(data)

    def eof_received(self) -> bool | None:
        return self.speaker.eof_received()

    def pause_writing(self) -> None:
        self.speaker.pause_writing()

    def resume_writing(self) -> None:
        self.speaker.resume_writing()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
