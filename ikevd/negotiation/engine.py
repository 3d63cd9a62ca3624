"""All negotiations of one daemon: router, lobby and the sessions of *(connection, remote identity)*.

Knows no socket: `datagram` takes what arrived, `transmit` sends. The daemon and the tests in virtual time run this
same class.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from ikevd.addresses import Path
from ikevd.conversation.timing import FAREWELL, pauses
from ikevd.errors import IkeError
from ikevd.host.interface import SaExpired
from ikevd.negotiation.install import Installer
from ikevd.negotiation.lobby import Lobby
from ikevd.negotiation.ports import Ports
from ikevd.negotiation.router import Router
from ikevd.negotiation.runner import Runner
from ikevd.negotiation.session import Session
from ikevd.policy.identity import Identity
from ikevd.policy.model import Config, Connection, Start
from ikevd.sa.model import IsakmpSa

MAX_SESSIONS = 10_000
"""Peers of connections with `remote: any` that are authenticated at one time, in all."""
LAST_WORDS = sum(list(pauses(FAREWELL))[:2])
"""At exit a Delete is sent three times, which takes so many seconds."""


class Engine:
    """Begins, routes and ends negotiations. Must be made inside the running event loop."""

    def __init__(self, config: Config, ports: Ports) -> None:
        self._config = config
        self._ports = ports
        self._router = Router(
            ports.entropy,
            ports.counters,
            ports.transmit,
            ports.now,
            on_first_message=lambda header, octets, path: self._lobby.first_message(header, octets, path),
            on_ikev2=lambda path: ports.on_trouble(
                f"{path.remote} speaks IKEv2; this daemon speaks IKEv1 only and has told it so"
            ),
        )
        self._lobby = Lobby(
            config.connections,
            config.limits,
            self._router,
            self._ports,
            on_established=self._established,
            on_stranger=lambda path, why: ports.on_trouble(f"{path.remote} was turned away: {why}"),
        )
        self._connections = {connection.name: connection for connection in config.connections}
        self._sessions: dict[tuple[str, Identity | None], Session] = {}
        ports.installer.on_expire(self._expired)

    @property
    def half_open(self) -> int:
        """Negotiations whose peer is not authenticated yet."""
        return self._lobby.half_open.total

    @property
    def installer(self) -> Installer:
        """For the counters of a pair."""
        return self._ports.installer

    def datagram(self, octets: bytes, path: Path) -> None:
        """Everything that arrives. A bug in here costs one datagram, never the daemon."""
        try:
            self._router.datagram(octets, path)
        except Exception as bug:
            self._ports.counters.count("bug: datagram dropped")
            context = {"message": f"internal error at a datagram from {path.remote}", "exception": bug}
            asyncio.get_running_loop().call_exception_handler(context)

    def start(self) -> None:
        """Bring up every child with `start: auto`."""
        for connection in self._config.connections:
            for child in connection.children:
                if child.start is Start.AUTO and connection.remote is not None:
                    future = self.session(connection).want(child.name)
                    future.add_done_callback(_retrieve)

    def session(self, connection: Connection) -> Session:
        """The session of the peer that the connection names, made where there is none yet."""
        return self._session(connection, self._expected_identity(connection))

    def sessions(self) -> Iterator[Session]:
        """All of them, in the order of their birth."""
        return iter(tuple(self._sessions.values()))

    def hint_unreachable(self, path: Path, reason: str) -> None:
        """An ICMP error or a failing send: evidence for whatever is under way with that peer."""
        for session in self.sessions():
            session.initiator.note_unreachable(path.remote.address, reason)

    async def stop(self, last_words: float = LAST_WORDS) -> None:
        """Take everything down, tell the peers for `last_words` seconds, leave nothing in the kernel."""
        peers = [session for session in self._sessions.values() if session.live or session.initiator.negotiating]
        for session in self.sessions():
            session.end()
        for session in self.sessions():
            await session.settled()
        if peers:
            await asyncio.sleep(last_words)
        for session in self.sessions():
            session.close()
        self._lobby.close()

    def _expected_identity(self, connection: Connection) -> Identity | None:
        if connection.remote_id is not None or connection.remote is None:
            return connection.remote_id
        return Identity.of_address(connection.remote)

    def _session(self, connection: Connection, identity: Identity | None) -> Session:
        key = connection.name, identity
        if key not in self._sessions:
            self._sessions[key] = Session(connection, self._router, self._ports)
        return self._sessions[key]

    def _established(self, sa: IsakmpSa, phase1: Runner) -> None:
        """A responder's phase 1 has authenticated its peer: from the lobby to the peer's session."""
        if len(self._sessions) >= MAX_SESSIONS:
            self._drop_idle_sessions()
        self._session(self._connections[sa.connection], sa.remote_id).adopt(sa, phase1)

    def _drop_idle_sessions(self) -> None:
        for key, session in tuple(self._sessions.items()):
            if session.connection.remote is None and session.idle:
                session.close()
                del self._sessions[key]

    def _expired(self, expired: SaExpired) -> None:
        if not expired.hard:
            return
        for session in self.sessions():
            for child in session.connection.children:
                if child.reqid == expired.reqid:
                    session.expired(child.name, expired.id.spi)


def _retrieve(future: asyncio.Future[None]) -> None:
    """An attempt at start that failed is retried; its cause is in the record."""
    if not future.cancelled() and isinstance(future.exception(), IkeError):
        return
