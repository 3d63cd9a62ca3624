"""All negotiations of one daemon: router, lobby and the sessions of *(connection, remote identity)*.

Knows no socket: `datagram` takes what arrived, `transmit` sends. The daemon and the tests in virtual time run this
same class.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from functools import partial

from ikevd.addresses import Path
from ikevd.conversation.timing import FAREWELL, pauses
from ikevd.errors import Abandoned, Finding, LimitReached
from ikevd.findings import Unreachable
from ikevd.host.interface import SaExpired
from ikevd.negotiation.farewell import say_farewell
from ikevd.negotiation.install import Installer
from ikevd.negotiation.lobby import Lobby
from ikevd.negotiation.matching import ByAddress
from ikevd.negotiation.ports import Ports
from ikevd.negotiation.router import Router
from ikevd.negotiation.runner import Runner
from ikevd.negotiation.session import Session
from ikevd.observe.refused import Refused
from ikevd.observe.words import say
from ikevd.policy.identity import Identity
from ikevd.policy.model import Config, Connection, Start
from ikevd.sa.model import IsakmpSa
from ikevd.wire.message import Header
from ikevd.wire.registry import ExchangeType

MAX_SESSIONS = 10_000
"""Peers of connections with `remote: any` that are authenticated at one time, in all."""
STOP_WITHIN = 3.5
"""Seconds; systemd and our users are promised five."""
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
            on_first_message=self._first_message,
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
            on_stranger=self._turned_away,
        )
        self._connections = {connection.name: connection for connection in config.connections}
        self._by_reqid = {child.reqid: (c.name, child.name) for c in config.connections for child in c.children}
        self._by_remote = ByAddress(config.connections)
        self._anywhere = [connection.name for connection in config.connections if connection.remote is None]
        self._stopping = False
        self._sessions: dict[str, dict[Identity | None, Session]] = {}
        """By connection and the peer's identity: one for a peer that has an address, many for `remote: any`."""
        ports.installer.on_expire(self._expired)

    @property
    def half_open(self) -> int:
        """Negotiations whose peer is not authenticated yet."""
        return self._lobby.half_open

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
        """The session of the peer that the connection names, made where there is none yet; raises `Abandoned` while
        the daemon stops."""
        if self._stopping:
            raise Abandoned("ikevd is stopping")
        return self._session(connection, self._expected_identity(connection))

    def sessions(self) -> Iterator[Session]:
        """All of them, connection by connection."""
        return iter([session for peers in self._sessions.values() for session in peers.values()])

    def hint_unreachable(self, path: Path, found: Unreachable, quoted: bytes = b"") -> None:
        """An ICMP error: evidence for the exchange whose message it quotes or, where it quotes too little, for what we
        have begun along that path."""
        if self._router.unreachable(quoted, path, found):
            return
        for connection in self._by_remote.exactly(path.remote.address):  # only those can be initiated
            for session in self._sessions.get(connection.name, {}).values():
                session.initiator.note_unreachable(path, found)

    async def stop(self, last_words: float = LAST_WORDS) -> None:
        """Take everything down, tell the peers for `last_words` seconds, leave nothing in the kernel. What a kernel
        that is too slow leaves after `STOP_WITHIN` stands in the journal and is removed at the next start."""
        self._stopping = True
        _surely(self._lobby.close)
        try:
            async with asyncio.timeout(STOP_WITHIN):
                await self._take_down(announce=True)
                if any(session.has_peer for session in self.sessions()):
                    await asyncio.sleep(last_words)
                await self._take_down(announce=False)  # what a negotiation in flight brought up meanwhile
                await self.installer.close_all()  # what a bug kept a session from removing
        except TimeoutError:
            self._ports.on_trouble("the kernel is slow; what is left in it is removed at the next start")
        for session in self.sessions():
            _surely(session.close)

    async def _take_down(self, *, announce: bool) -> None:
        for session in self.sessions():
            _surely(partial(session.end, announce=announce))
        for session in self.sessions():
            await session.settled()

    def _first_message(self, header: Header, octets: bytes, path: Path) -> None:
        if not self._stopping:
            self._lobby.first_message(header, octets, path)

    def _turned_away(self, kind: ExchangeType, path: Path, why: Finding) -> None:
        """A stranger, of whom nothing else is kept."""
        history = self._ports.history
        history.refused.add(Refused(kind, path.remote, None, None, why, history.now()))
        self._ports.on_trouble(f"{path.remote} was turned away: {say(why)}")

    def _expected_identity(self, connection: Connection) -> Identity | None:
        if connection.remote_id is not None or connection.remote is None:
            return connection.remote_id
        return Identity.of_address(connection.remote)

    def _session(self, connection: Connection, identity: Identity | None) -> Session:
        peers = self._sessions.setdefault(connection.name, {})
        if identity not in peers:
            peers[identity] = Session(connection, self._router, self._ports)
        return peers[identity]

    def _established(self, sa: IsakmpSa, phase1: Runner) -> None:
        """A responder's phase 1 has authenticated its peer: from the lobby to the peer's session."""
        if not self._has_room(sa):
            phase1.conversation.unconfirmed = sa
            self._router.forget(sa.cookies.responder)
            say_farewell(phase1, LimitReached("too many peers at one time"), self._ports)
            return
        self._session(self._connections[sa.connection], sa.remote_id).adopt(sa, phase1)

    def _has_room(self, sa: IsakmpSa) -> bool:
        """A peer with an address of its own in the configuration always finds it."""
        if self._connections[sa.connection].remote is not None or sa.remote_id in self._sessions.get(sa.connection, {}):
            return True
        if self._roaming >= MAX_SESSIONS:
            self._drop_idle_sessions()
        return self._roaming < MAX_SESSIONS

    @property
    def _roaming(self) -> int:
        return sum(len(self._sessions.get(name, ())) for name in self._anywhere)

    def _drop_idle_sessions(self) -> None:
        for name in self._anywhere:
            peers = self._sessions.get(name, {})
            for identity, session in tuple(peers.items()):
                if session.idle:
                    session.close()
                    del peers[identity]

    def _expired(self, expired: SaExpired) -> None:
        if not expired.hard:
            return
        connection, child = self._by_reqid.get(expired.reqid, ("", ""))
        for session in tuple(self._sessions.get(connection, {}).values()):
            session.expired(child, expired.id.spi)


def _surely(step: Callable[[], None]) -> None:
    """A bug in one step of the end is reported, and keeps no other from being done."""
    try:
        step()
    except Exception as bug:
        context = {"message": "internal error while ikevd stops", "exception": bug}
        asyncio.get_running_loop().call_exception_handler(context)


def _retrieve(future: asyncio.Future[None]) -> None:
    """An attempt at start that failed is retried and its cause is in the record, so nobody else asks for it."""
    if not future.cancelled():
        future.exception()
