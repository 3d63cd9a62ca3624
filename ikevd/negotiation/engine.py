"""All negotiations of one daemon: router, lobby and the sessions of *(connection, remote identity)*.

Knows no socket: `datagram` takes what arrived, `transmit` sends. The daemon and the tests in virtual time run this
same class.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from ikevd.addresses import Path
from ikevd.conversation.timing import FAREWELL, pauses
from ikevd.errors import Abandoned, LimitReached
from ikevd.findings import Unreachable
from ikevd.frozen import replace
from ikevd.host.interface import Kernel, KernelEvent, SaId
from ikevd.negotiation.held import HeldSelectors
from ikevd.negotiation.instances import Instances
from ikevd.negotiation.lobby import Lobby
from ikevd.negotiation.matching import ByAddress
from ikevd.negotiation.outside import Outside
from ikevd.negotiation.paced import paced
from ikevd.negotiation.ports import Ports
from ikevd.negotiation.restart import InKernel, former_connection, remove
from ikevd.negotiation.router import Authenticated, Router
from ikevd.negotiation.session import Session
from ikevd.negotiation.watch import Watch
from ikevd.peer.outside import outside
from ikevd.peer.state import PeerKey, PeerState
from ikevd.policy.digest import digest
from ikevd.policy.identity import Identity
from ikevd.policy.model import Config, Connection, Start
from ikevd.policy.reqids import Holder, Reqids
from ikevd.policy.selectors import Network
from ikevd.store.interface import Changes, NoStore, StoredPeer
from ikevd.store.scalars import Unreadable

MAX_SESSIONS = 10_000
"""Peers of connections with `remote: any` that are authenticated at one time, in all."""
STOP_WITHIN = 3.5
"""Seconds; systemd and our users are promised five."""
MAX_EARLY = 500
"""Datagrams that wait until the peers of an earlier process are known; the oldest make way."""
LAST_WORDS = sum(list(pauses(FAREWELL))[:2])
"""At exit a Delete is sent three times, which takes so many seconds."""


class Engine:
    """Begins, routes and ends negotiations. Must be made inside the running event loop."""

    def __init__(self, config: Config, ports: Ports, connected: Iterable[Network] = ()) -> None:
        """`connected`: the networks of this machine's interfaces."""
        self._config = config
        self._ports = ports
        self._outside = Outside(ports.kernel, outside(config, connected), ports.trouble)
        self._router = Router(ports.entropy, ports.counters, ports.transmit, ports.now, ports.trouble)
        self._lobby = Lobby(config.connections, config.limits, self._router, self._ports)
        self._connections = {connection.name: connection for connection in config.connections}
        self._reqids = Reqids.of(config.connections)
        self._by_remote = ByAddress(config.connections)
        self._anywhere = [connection.name for connection in config.connections if connection.remote is None]
        self._stopping = False
        self._sessions: dict[str, dict[PeerKey, Session]] = {}
        """By connection: one of a peer that has an address, many for `remote: any`."""
        self._instances = Instances()
        self._held = HeldSelectors()
        self.restored = asyncio.Event()
        """No command is carried out before."""
        self.restored.set()
        self._early: deque[tuple[bytes, Path]] | None = None
        """Datagrams that came before the peers of an earlier process were known."""
        self._former: list[Session] = []
        """Peers of connections that have changed: they only say Delete."""
        self._watch = Watch(self._sessions, self._reqids, self._outside, ports)
        ports.kernel.on_event(self._kernel_event)

    @property
    def half_open(self) -> int:
        """Negotiations whose peer is not authenticated yet."""
        return self._lobby.half_open

    @property
    def kernel(self) -> Kernel:
        """For the counters of a pair."""
        return self._ports.kernel

    def datagram(self, octets: bytes, path: Path) -> None:
        """Everything that arrives. A bug in here costs one datagram, never the daemon."""
        if self._early is not None:
            self._early.append((octets, path))
            return
        try:
            self._hand_over(octets, path)
        except Exception as bug:
            self._ports.counters.count("bug: datagram dropped")
            context = {"message": f"internal error at a datagram from {path.remote}", "exception": bug}
            asyncio.get_running_loop().call_exception_handler(context)

    def _hand_over(self, octets: bytes, path: Path) -> None:
        found = self._router.find(octets, path)
        if found is None:
            return
        header, handler = found
        if handler is None:
            if not self._stopping:
                self._lobby.first_message(header, octets, path)
        elif peer := handler.heard(header, octets, path):
            self._established(peer)
        elif isinstance(handler, Session):
            self._instances.follow(handler.state)

    def wait(self) -> None:
        """What arrives from here on is heard after `restore`."""
        self._early = deque(maxlen=MAX_EARLY)
        self.restored.clear()

    async def restore(self) -> int:
        """Before `start`: go on where an earlier process was; gives the number of peers. One whose connection has
        changed, or is gone from the file, is told Delete under its old ISAKMP SA. Raises `KernelRefused`."""
        await self._outside.put()
        peers, found = await self._stored_peers(), await InKernel.read(self._ports.kernel)
        restored = 0
        async for stored in paced(peers):
            connection = self._connections.get(stored.state.key.connection)
            if connection is not None and stored.digest == digest(connection):
                self._restore(connection, stored, found)
                restored += 1
            else:
                self._dismiss(stored, found)
        taken = list(self.sessions())
        await self._open()
        async for session in paced(self.sessions()):
            await session.settled()
        if self._config.remove_unknown and self._is_alone:
            await self._remove_unknown(found, taken)
        early, self._early = self._early, None
        async for octets, path in paced(early or ()):
            self.datagram(octets, path)
        self.restored.set()
        return restored

    @property
    def _is_alone(self) -> bool:
        """Are both ports of IKE ours, on every address of this network namespace? Else another ikevd may be here."""
        return (self._ports.port, self._ports.nat_port) == (500, 4500) and not self._config.listen.addresses

    def _restore(self, connection: Connection, stored: StoredPeer, found: InKernel) -> None:
        session = self._session(connection, stored.state.key, stored.state)
        session.restore(stored, found)
        self._instances.follow(stored.state)
        if connection.remote is None:
            self._held.restore(session, stored.state)

    async def _stored_peers(self) -> list[StoredPeer]:
        try:
            return [stored async for stored in paced(self._ports.store.load())]
        except Unreadable as flaw:
            self._ports.trouble(f"the peers of the process before are lost: {flaw}")
            return []

    def _dismiss(self, stored: StoredPeer, found: InKernel) -> None:
        """Its connection is not what it was."""
        ports = replace(self._ports, store=NoStore("its connection has changed"))
        self._ports.store.put(Changes(stored.state.key, gone=True))
        if connection := former_connection(stored.state):
            session = Session(stored.state.key, connection, self._router, ports, HeldSelectors())
            session.restore(stored, InKernel(found.sas, {}))
            session.end(announce=False)
            self._former.append(session)

    async def _remove_unknown(self, found: InKernel, taken: Iterable[Session]) -> None:
        """What no store knows, where both ports are ours: its store was lost. What the sessions that have `taken` over
        theirs desire no more, they have removed themselves."""
        sas, policies = set[SaId](), dict(self._outside.policies)
        async for session in paced((*self.sessions(), *self._former)):
            for view in session.desired:
                sas.update(view.sas)
                policies.update(view.policies)
        async for session in paced(taken):
            sas.update(name for child in session.connection.children for name in found.of(child.reqid)[0])
        for said in await remove(self._ports.kernel, found.unknown(sas, policies)):
            self._ports.trouble(said)

    async def _open(self) -> None:
        """From here on nothing of a configured child leaves in the clear."""
        async for connection in paced(self._config.connections):
            self._shut_gates(connection)

    def _shut_gates(self, connection: Connection) -> None:
        """Of peers from anywhere nothing is known beforehand but what a template says that they may ask for."""
        if connection.remote is not None:
            self.session(connection).start()
        elif any(child.template for child in connection.children):
            self._session(connection, PeerKey(connection.name, None)).start()

    def start(self) -> None:
        """Bring up every child with `start: auto`, but for those that an operator took down before a restart."""
        for connection in self._config.connections:
            self._shut_gates(connection)
            if connection.remote is None:
                continue
            session = self.session(connection)
            for child in connection.children:
                if child.start is Start.AUTO and not session.states[child.name].by_command:
                    session.want(child.name).add_done_callback(_retrieve)

    async def hand_over(self) -> bool:
        """Another process goes on: nothing is said, all stays in the kernel, each SA with what is left of its life as
        its limit. False where nothing is stored, so that none can."""
        if self._ports.store.invalid is not None:
            return False
        self._stopping = True
        self._watch.close()
        _surely(self._lobby.close)
        try:
            async with asyncio.timeout(STOP_WITHIN):
                async for session in paced(self.sessions()):
                    await session.hand_over()
        except TimeoutError:
            self._ports.trouble("the kernel is slow: some SAs keep the limits that they have")
        for session in (*self.sessions(), *self._former):
            _surely(session.close)
        return True

    def session(self, connection: Connection) -> Session:
        """The session of the peer that the connection names, made where there is none yet; raises `Abandoned` while
        the daemon stops."""
        if self._stopping:
            raise Abandoned("ikevd is stopping")
        return self._session(connection, PeerKey(connection.name, self._expected_identity(connection)))

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
                session.note_unreachable(path, found)

    async def stop(self, last_words: float = LAST_WORDS) -> None:
        """Take everything down, tell the peers for `last_words` seconds, leave nothing in the kernel. What a kernel
        that is too slow leaves after `STOP_WITHIN` is known by its marks and removed at the next start."""
        self._stopping = True
        self._watch.close()
        _surely(self._lobby.close)
        try:
            async with asyncio.timeout(STOP_WITHIN):
                await self._take_down(announce=True)
                if any(session.has_peer for session in self.sessions()):
                    await asyncio.sleep(last_words)
                await self._take_down(announce=False)  # what a negotiation in flight brought up meanwhile
                for session in (*self.sessions(), *self._former):
                    await session.clear()
                    session.forget()
                await self._outside.remove()
        except TimeoutError:
            self._ports.trouble("the kernel is slow; what is left in it is removed at the next start")
        for session in (*self.sessions(), *self._former):
            _surely(session.close)

    async def _take_down(self, *, announce: bool) -> None:
        for session in self.sessions():
            _surely(partial(session.end, announce=announce))
        for session in self.sessions():
            await session.settled()

    def _expected_identity(self, connection: Connection) -> Identity | None:
        if connection.remote_id is not None or connection.remote is None:
            return connection.remote_id
        return Identity.of_address(connection.remote)

    def _session(self, connection: Connection, key: PeerKey, state: PeerState | None = None) -> Session:
        """`state`: as it was in an earlier process."""
        peers = self._sessions.setdefault(connection.name, {})
        if key not in peers:
            leased = self._leased(connection, key, state)
            peers[key] = Session(key, leased, self._router, self._ports, self._held, connection)
        return peers[key]

    def _leased(self, connection: Connection, key: PeerKey, state: PeerState | None) -> Connection:
        """The peers of a connection with `remote: any` each get reqids of their own: so what one of them holds in the
        kernel is never taken for another's. Raises `LimitReached`."""
        if connection.remote is not None:
            return connection
        children, own = [], key.identity is not None
        for child in connection.children:
            holder = Holder(connection.name, child.name, key.identity, key.instance)
            pairs = state.children[child.name].pairs if state and child.name in state.children else ()
            reqid = self._reqids.restore(holder, pairs[-1].sa.reqid) if pairs else self._reqids.lease(holder)
            children.append(replace(child, reqid=reqid, instance=own))
        return replace(connection, children=tuple(children))

    def _established(self, peer: Authenticated) -> None:
        """A responder's phase 1 has authenticated its peer: from the lobby to the peer's session."""
        sa, running = peer.sa, peer.running
        connection = self._connections[sa.connection]
        key = self._instances.key(connection, sa.remote_id, sa.path.remote)
        try:
            self._find_room(connection, key)
            session = self._session(connection, key)
        except LimitReached as full:
            self._release(connection, key)
            running.conversation.unconfirmed = sa
            running.release()
            self._router.forget(sa.cookies.responder)
            self._lobby.say_farewell(running, full)
            return
        session.adopt(sa, running)
        self._instances.follow(session.state)

    def _find_room(self, connection: Connection, key: PeerKey) -> None:
        """A peer with an address of its own in the configuration always finds it. Raises `LimitReached`."""
        if connection.remote is not None or key in self._sessions.get(connection.name, {}):
            return
        if self._roaming >= MAX_SESSIONS:
            self._drop_idle_sessions()
        if self._roaming >= MAX_SESSIONS:
            raise LimitReached("too many peers at one time")

    @property
    def _roaming(self) -> int:
        return sum(len(self._sessions.get(name, ())) for name in self._anywhere)

    def _drop_idle_sessions(self) -> None:
        for name in self._anywhere:
            peers = self._sessions.get(name, {})
            for key, session in tuple(peers.items()):
                if session.idle and key.identity is not None:
                    session.close()
                    session.forget()
                    del peers[key]
                    self._instances.gone(key)
                    self._release(session.connection, key)

    def _release(self, connection: Connection, key: PeerKey) -> None:
        for child in connection.children:
            self._reqids.release(Holder(connection.name, child.name, key.identity, key.instance))

    def _kernel_event(self, event: KernelEvent) -> None:
        self._watch.event(event)


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
