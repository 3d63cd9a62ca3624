"""All negotiations of one daemon: router, lobby and the sessions of *(connection, remote identity)*.

Knows no socket: `datagram` takes what arrived, `transmit` sends. The daemon and the tests in virtual time run this
same class.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from ikevd.addresses import Address, Path
from ikevd.errors import Abandoned, IkeError, LimitReached
from ikevd.findings import Unreachable
from ikevd.frozen import replace
from ikevd.host.events import KernelEvent, Lost, WaysChanged
from ikevd.host.interface import Kernel
from ikevd.host.policies import KernelPolicy
from ikevd.negotiation.agenda import Agenda
from ikevd.negotiation.contacts import Contacts
from ikevd.negotiation.ending import LAST_WORDS, Ending
from ikevd.negotiation.half_way import HalfWay
from ikevd.negotiation.in_kernel import InKernel
from ikevd.negotiation.leavings import Ground
from ikevd.negotiation.ledger import Kept
from ikevd.negotiation.link_leavings import LinkLeavings
from ikevd.negotiation.lobby import Lobby
from ikevd.negotiation.matching import ByAddress
from ikevd.negotiation.outside import Outside
from ikevd.negotiation.paced import apart, paced
from ikevd.negotiation.peers import Peers
from ikevd.negotiation.placed import PlacedRows
from ikevd.negotiation.ports import Ports
from ikevd.negotiation.reload import Reload
from ikevd.negotiation.remains import Remains
from ikevd.negotiation.reports import report, surely
from ikevd.negotiation.restart import Restart
from ikevd.negotiation.router import Authenticated, Router
from ikevd.negotiation.session import Session
from ikevd.negotiation.strays import Strays
from ikevd.negotiation.wanted import wanted
from ikevd.negotiation.watch import Watch
from ikevd.negotiation.ways import Ways
from ikevd.peer import lost
from ikevd.peer.outside import outside
from ikevd.policy.changes import ChangedConnection, Changes, Reach, effective
from ikevd.policy.child import Start
from ikevd.policy.connection import Connection
from ikevd.policy.selectors import Network
from ikevd.policy.settings import Config
from ikevd.sa.model import Spi
from ikevd.store.interface import ExchangeState

MAX_EARLY = 500
"""Datagrams that wait until the peers of an earlier process are known; the oldest make way."""


class Engine:
    """Begins, routes and ends negotiations. Must be made inside the running event loop."""

    def __init__(
        self,
        config: Config,
        ports: Ports,
        connected: Iterable[Network] = (),
        at_boot: Iterable[KernelPolicy] = (),
    ) -> None:
        """`connected`: the networks of this machine's interfaces; `at_boot`: the policies that were installed before
        any ikevd ran."""
        self._config = config
        self._at_boot = at_boot
        self._ports = ports
        self._outside = Outside(ports.kernel, outside(config, connected), ports.trouble)
        self._router = Router(ports.entropy, ports.counters, ports.transmit, ports.now, ports.trouble)
        contacts = Contacts(ports.now)
        self._peers = Peers(config.connections, self._router, ports, contacts)
        half_way = HalfWay(self._peers, ports)
        self._lobby = Lobby(config.connections, config.limits, self._router, ports, half_way, contacts)
        self._strays = Strays(self._peers, self._router, ports)
        self._by_name = {connection.name: connection for connection in config.connections}
        self._starts: Agenda[str] = Agenda(self._bring_up, now=ports.now)
        self._by_remote = ByAddress(config.connections)
        self._stopping = False
        self.restored = asyncio.Event()
        """No command is carried out before, nor while a file that was read again is."""
        self.restored.set()
        self._early: deque[tuple[bytes, Path]] | None = None
        """Datagrams that came before the peers of an earlier process were known."""
        self._letting_go = set[asyncio.Task[None]]()
        self._rows = PlacedRows(ports)
        self._remains = Remains(ports, self._rows)
        self._link_leavings = LinkLeavings(ports, self._rows)
        self._ground = Ground.of(config.listen, ports.port, ports.nat_port)
        self._finishing: asyncio.Task[None] | None = None
        self._watch = Watch(self._peers, self._outside, ports)
        self._ways = Ways(self._peers, ports)
        self._ending = Ending(self._peers, self._outside, self._remains, ports)
        ports.kernel.on_event(self._kernel_event)
        ports.routing.peers = self._peer_addresses

    @property
    def config(self) -> Config:
        """As it takes effect."""
        return self._config

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
            report(f"at a datagram from {path.remote}", bug)

    def _hand_over(self, octets: bytes, path: Path) -> None:
        found = self._router.find(octets, path)
        if found is None:
            self._strays.nobodys(octets, path, self._by_remote)
            return
        header, handler = found
        if handler is None:
            if not self._stopping:
                self._lobby.first_message(header, octets, path)
        elif peer := handler.heard(header, octets, path):
            self._established(peer)
        elif isinstance(handler, Session):
            self._peers.follow(handler)
            self._strays.in_the_clear(handler, header, octets)

    def stray_esp(self, source: Address, destination: Address, spi: int) -> None:
        """ESP came from `source` under an SPI that nobody has here."""
        self._strays.esp(source, destination, Spi(spi), self._by_remote)

    def known_spis(self) -> Sequence[int]:
        """Those that are no news to `stray_esp`."""
        return self._strays.known_spis()

    def wait(self) -> None:
        """What arrives from here on is heard after `restore`."""
        self._early = deque(maxlen=MAX_EARLY)
        self.restored.clear()

    async def restore(self) -> int:
        """Before `start`: go on where an earlier process was; gives the number of peers. One whose connection has
        changed, or is gone from the file, is told Delete under its old ISAKMP SA. Raises `KernelRefused`."""
        restart = Restart(
            self._config,
            self._ports,
            self._peers,
            self._outside,
            self._rows,
            self._remains,
            self._link_leavings,
            self._at_boot,
        )
        restored = await restart.run()
        for state, kept in restart.half_way:
            self._complete(state, kept)
        self._finish_later()
        early, self._early = self._early, None
        async for octets, path in paced(early or ()):
            self.datagram(octets, path)
        self.restored.set()
        return restored

    async def reload(self, config: Config, found: Changes, connected: Iterable[Network] = ()) -> None:
        """The file was read again: `found` is what `config` changes. Children of connections that have changed or are
        new are brought up as at the start. Raises `KernelRefused` and `LimitReached`; then nothing has changed."""
        shall = outside(config, connected)
        ends = shall != self._outside.policies or any(map(_ends_something, found.changed)) or found.removed
        in_kernel = await InKernel.read(self._ports.kernel) if ends else InKernel({}, {})
        connections = await self._peers.leased(config.connections)
        self._config = config = replace(effective(self._config, config), connections=connections)
        self._by_name = {connection.name: connection for connection in connections}
        self._by_remote = ByAddress(connections)
        self._lobby.reload(connections, config.limits)
        self.restored.clear()
        reload = Reload(
            self._ports, self._peers, self._outside, self._rows, self._remains, self._link_leavings, self._ground
        )
        try:
            await reload.run(config, found, shall, in_kernel)
        finally:
            self.restored.set()
        self._finish_later()
        self._ways.watch_names()
        names = {*found.added, *(one.name for one in found.changed)}
        self._bring_up_soon([one for one in connections if one.name in names])

    def _finish_later(self) -> None:
        """What is left of an earlier process, or of another file, and what the kernel has refused so far."""
        if self._outside.lacks:
            self._watch.event(Lost())
        loop = asyncio.get_running_loop()
        if self._finishing is None or self._finishing.done():
            look = partial(self._watch.event, Lost())
            self._finishing = loop.create_task(self._remains.finish(partial(wanted, self._peers, self._outside), look))
        if not self._link_leavings.over:
            self._later(self._link_leavings.finish())
        if self.dismissed:
            self._later(self._peers.let_dismissed_go())

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        """As long as the daemon runs."""
        task = asyncio.get_running_loop().create_task(work)
        self._letting_go.add(task)
        task.add_done_callback(self._letting_go.discard)

    def start(self) -> None:
        """Bring up every child with `start: always`, one peer after the other, but for those that an operator took
        down before a restart."""
        for session in self._peers.gatekeepers():
            session.start()
            session.start_links()
        self._ports.routing.open()
        self._ports.clamping.open()
        self._ways.changed()  # while no process was there
        self._ways.watch_names()
        self._bring_up_soon(self._config.connections)

    def _bring_up_soon(self, connections: Iterable[Connection]) -> None:
        mine = [one for one in connections if not one.anybody]
        for number, connection in enumerate(mine):
            self._starts.set(connection.name, self._ports.now() + number * apart(len(mine)))

    def _bring_up(self, names: Iterable[str]) -> None:
        for name in names:
            if name not in self._by_name:  # it is gone from the file meanwhile
                continue
            session = self._peers.named(self._by_name[name])
            for child in session.connection.children:
                if child.start is Start.ALWAYS and not session.states[child.name].by_command:
                    session.want(child.name).add_done_callback(_retrieve)

    async def hand_over(self) -> bool:
        """Another process goes on: nothing is said, all stays in the kernel, each SA with what is left of its life as
        its limit. False where nothing is stored, so that none can."""
        if self._ports.store.invalid is not None:
            return False
        self._begin_no_more()
        await self._ports.hooks.rest()
        await self._ending.hand_over()
        return True

    def session(self, connection: Connection) -> Session:
        """The session of the peer that the connection names, made where there is none yet; raises `Abandoned` while
        the daemon stops."""
        if self._stopping:
            raise Abandoned("ikevd is stopping")
        return self._peers.named(connection)

    def sessions(self) -> Iterator[Session]:
        """All of them, connection by connection."""
        return iter(self._peers)

    def _peer_addresses(self) -> Iterator[Address]:
        """Of all that are configured, and of all that there are SAs with."""
        for connection in self._config.connections:
            yield from connection.addresses
        for session in self._peers:
            yield from session.peer_addresses

    @property
    def dismissed(self) -> list[Session]:
        """Peers of connections that are gone from the file: they only hear Delete."""
        return self._peers.dismissed

    def hint_unreachable(self, path: Path, found: Unreachable, quoted: bytes = b"") -> None:
        """An ICMP error: evidence for the exchange whose message it quotes or, where it quotes too little, for what we
        have begun along that path."""
        if self._router.unreachable(quoted, path, found):
            return
        for connection in self._by_remote.exactly(path.remote.address):  # only those can be initiated
            for session in self._peers.of(connection.name):
                session.note_unreachable(path, found)

    async def stop(self, last_words: float = LAST_WORDS) -> None:
        """Take everything down, tell the peers for `last_words` seconds, leave nothing in the kernel. What a kernel
        that is too slow leaves is known by its marks and removed at the next start."""
        self._begin_no_more()
        await self._ending.stop(last_words)

    def _begin_no_more(self) -> None:
        self._stopping = True
        self._watch.close()
        self._ways.close()
        self._starts.close()
        self._ports.routing.rest()
        self._ports.clamping.rest()
        self._peers.ask_no_more()
        for task in (*self._letting_go, *((self._finishing,) if self._finishing else ())):
            task.cancel()
        surely(self._lobby.close)

    def _complete(self, state: ExchangeState, kept: Kept) -> None:
        """A Main Mode of a peer that the process before had not. A bug in here costs that one."""
        try:
            if peer := self._lobby.go_on(state, kept):
                self._established(peer)
        except Exception as bug:
            kept.forget()
            report("at a Main Mode that is to be completed", bug)

    def _established(self, peer: Authenticated) -> None:
        """A responder's phase 1 has authenticated its peer: from the lobby to the peer's session."""
        try:
            session = self._peers.proven(peer)
        except (LimitReached, Abandoned) as refusal:
            self._turn_away(peer, refusal)
        except Exception as bug:
            self._turn_away(peer, lost.error_of(bug))
            raise
        else:
            session.adopt(peer.sa, peer.running)
            self._peers.follow(session)

    def _turn_away(self, peer: Authenticated, refusal: IkeError) -> None:
        peer.running.conversation.unconfirmed = peer.sa
        peer.running.release()
        self._router.forget(peer.sa.cookies.responder)
        self._lobby.say_farewell(peer.running, refusal)

    def _kernel_event(self, event: KernelEvent) -> None:
        if isinstance(event, WaysChanged):
            self._ways.changed()
        else:
            self._watch.event(event)


def _ends_something(change: ChangedConnection) -> bool:
    """Does a pair, or a gate, have to go for it?"""
    reaches = (change.reach, *(child.reach for child in change.children))
    return bool(change.removed) or Reach.REPLACED in reaches


def _retrieve(future: asyncio.Future[None]) -> None:
    """An attempt at start that failed is retried and its cause is in the record, so nobody else asks for it."""
    if not future.cancelled():
        future.exception()
