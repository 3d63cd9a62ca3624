"""What the API can do with the engine."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from itertools import groupby, islice

from ikevd import __version__
from ikevd.addresses import Address, Endpoint
from ikevd.control import reload_shapes, shapes, status_shapes
from ikevd.control.interface import NotAllowed, Progress, TooMuch, UnknownName
from ikevd.control.pace import Pace
from ikevd.control.status import connection_view, has_peer, holder_view, refused_view
from ikevd.errors import Abandoned
from ikevd.frozen import frozen
from ikevd.negotiation.engine import Engine
from ikevd.negotiation.session import Session
from ikevd.observe.counters import Counters
from ikevd.observe.evidence import pcap
from ikevd.observe.history import Entry, History, Record
from ikevd.observe.keylog import key_line
from ikevd.observe.refused import Refused
from ikevd.observe.views import View, entry_view, lazy_record_view
from ikevd.peer.command_facts import Reset
from ikevd.policy.child import Child
from ikevd.policy.connection import Connection
from ikevd.policy.naming import children_meant, children_named, choices, configured_names, names_on_record
from ikevd.policy.settings import Config
from ikevd.service.holding import Holding, NoHolding
from ikevd.wire.registry import ExchangeType
from ikevd.wording import Names, unknown_name

MIB = 1024 * 1024
MAX_OCTETS = 16 * MIB
"""Of evidence in one answer; each is two digits of it."""
MAX_DECODED_OCTETS = 2 * MIB
"""Trees may be 25 times as large. So much hold the 20 newest records, whatever is in them."""
MAX_REFUSED = 20
"""Negotiations of peers that came to nothing, in one status."""
PHASE_1 = frozenset({ExchangeType.MAIN_MODE, ExchangeType.AGGRESSIVE})


Reload = Callable[[bool], Awaitable[reload_shapes.Reload]]
"""Reads the file again; True: only to tell what it changes."""


@frozen
class Wanted:
    """Which negotiations are asked for; None is any."""

    spi: str | None
    names: frozenset[str] | None
    """Of connections, of children, or `connection/child`."""
    peer: str | None


class EngineController:
    """Status, trace, up and down: a `Controller`."""

    def __init__(
        self,
        engine: Engine,
        history: History,
        counters: Counters,
        listening: Iterable[Endpoint],
        holding: Holding | None = None,
        reload: Reload | None = None,
    ) -> None:
        """`reload`: reads the file again; None: there is none."""
        self._engine = engine
        self._reload = reload
        self._history = history
        self._counters = counters
        self._listening = [str(endpoint) for endpoint in listening]
        self._holding = holding or NoHolding()
        self._started = time.time()

    @property
    def _config(self) -> Config:
        return self._engine.config

    # -- looking ------------------------------------------------------------------------------------------------

    async def status(
        self, name: str | None = None, peer: Address | None = None, pace: Pace | None = None
    ) -> tuple[View, AsyncIterator[status_shapes.Connection]]:
        """What stands: the fields of `status_shapes.Status`, the connections apart. Raises `UnknownName`."""
        shown = self._shown(name)
        return self._head(name, peer), self._connections(shown, peer, pace or Pace())

    def _head(self, name: str | None, peer: Address | None) -> View:
        return {
            "schema": shapes.SCHEMA,
            "version": __version__,
            "pid": os.getpid(),
            "uptime_seconds": round(time.time() - self._started, 1),
            "listening": self._listening,
            "socket_holder": holder_view(self._holding),
            "half_open": self._engine.half_open,
            "refused": list(map(refused_view, islice(self._refused(name, peer), MAX_REFUSED)))[::-1],
            "counters": self._counters.as_dict(),
        }

    def _refused(self, name: str | None, peer: Address | None) -> Iterator[Refused]:
        """The latest first."""
        meant = None if name is None else names_on_record(name, self._config.connections)
        for refused in reversed(list(self._history.refused)):
            its = {refused.connection, refused.child, f"{refused.connection}/{refused.child}"}
            if (meant is None or its & meant) and peer in (None, refused.peer.address):
                yield refused

    async def _connections(
        self, wanted: list[tuple[Connection, tuple[Child, ...]]], peer: Address | None, pace: Pace
    ) -> AsyncIterator[status_shapes.Connection]:
        sessions: dict[str, list[Session]] = {}
        for session in self._engine.sessions():
            sessions.setdefault(session.connection.name, []).append(session)
            await pace.keep()
        for connection, children in wanted:
            its = sessions.get(connection.name, [])
            if peer is None or has_peer(connection, its, peer):
                phase1 = self._history.newest(connection.name, PHASE_1)
                yield await connection_view(connection, children, its, phase1, self._engine.kernel, pace)
            await pace.keep()

    def names(self) -> Names:
        """Of connections and children."""
        return configured_names(self._config.connections)

    def _shown(self, name: str | None) -> list[tuple[Connection, tuple[Child, ...]]]:
        """Connections with those of their children that `name` fits; every child where several have it."""
        if name is None:
            return [(connection, connection.children) for connection in self._config.connections]
        found = children_named(name, self._config.connections)
        if not found:
            raise self._unknown(name)
        runs = [list(run) for _, run in groupby(found, key=lambda owned: owned[0].name)]
        return [(run[0][0], tuple(child for _, child in run)) for run in runs]

    async def trace(
        self, spi: str | None, connection: str | None, peer: str | None, last: int, *, decode: bool = False
    ) -> Iterator[View]:
        """The newest records that fit, oldest first, as views of `dissect.lazy`; with `decode` every message as a tree
        of its fields. Raises `TooMuch`."""
        most = MAX_DECODED_OCTETS if decode else MAX_OCTETS
        records = await self._newest(self._wanted(spi, connection, peer), last, most)
        return (lazy_record_view(record, decode=decode) for record in records)

    async def capture(self, spi: str | None, connection: str | None, peer: str | None, last: int) -> Iterator[bytes]:
        """The messages of the newest records that fit as a pcap file, in pieces. Raises `TooMuch`."""
        records = await self._newest(self._wanted(spi, connection, peer), last, MAX_OCTETS)
        return pcap(records, self._config.listen.nat_port)

    async def keys(self, spi: str | None, connection: str | None, peer: str | None) -> list[str]:
        """Lines of Wireshark's `ikev1_decryption_table`; raises `NotAllowed` unless the configuration allows it."""
        if not self._config.export_keys:
            raise NotAllowed("keys are given out only where the configuration has control.export_keys: true")
        wanted, lines, pace = self._wanted(spi, connection, peer), list[str](), Pace()
        cookies = {record.cookies async for record in self._fitting(wanted)}
        for session in self._engine.sessions():
            lines += [key_line(live.sa) for live in session.live if live.sa.cookies in cookies]
            await pace.keep()
        return lines

    def _wanted(self, spi: str | None, name: str | None, peer: str | None) -> Wanted:
        return Wanted(spi, None if name is None else names_on_record(name, self._config.connections), peer)

    async def _newest(self, wanted: Wanted, last: int, most: int) -> list[Record]:
        """The newest `last` records that are wanted, oldest first; raises `TooMuch` beyond `most` octets."""
        found, octets = list[Record](), 0
        async for record in self._fitting(wanted):
            octets += record.weight
            if octets > most:
                raise TooMuch(
                    f"the newest {len(found) + 1} negotiations that fit hold more than {most // MIB} MB of evidence; "
                    f"ask for {len(found)} with `last`, or for those of one peer, connection or SPI"
                )
            found.append(record)
            if len(found) == last:
                break
        return found[::-1]

    async def _fitting(self, wanted: Wanted) -> AsyncIterator[Record]:
        """Newest first."""
        pace = Pace()
        for record in self._history.newest_first():
            if record.matches(wanted.spi, wanted.names, wanted.peer):
                yield record
            await pace.keep()

    # -- acting -------------------------------------------------------------------------------------------------

    def expect(self, name: str) -> None:
        """Raises `UnknownName` unless `name` says which children are meant."""
        self._named(name)

    async def up(self, name: str, progress: Progress) -> None:
        """Bring up a child, or all children of a connection; raises `IkeError` with the cause of the first failure."""
        await self._engine.restored.wait()
        with self._following(self._named(name), progress):
            await _all_of([self._engine.session(one).want(child.name) for one, child in self._named(name)])

    async def down(self, name: str | None, progress: Progress, *, in_clear: bool = False) -> None:
        """Take down a child, or a connection with its ISAKMP SAs, or all (None); returns when the kernel holds no SA of
        it. `in_clear`: its traffic leaves in the clear from then on; else it is blocked."""
        await self._engine.restored.wait()
        meant = self._every() if name is None else self._named(name)
        with self._following(meant, progress):
            whole = {connection.name for connection in self._config.connections} | {None}
            sessions = self._sessions_of(meant)
            for session, children in sessions:
                if name in whole:
                    session.end()
                session.unwant(*children, in_clear=in_clear)
            for session, _ in sessions:
                await session.settled()

    async def rekey(self, name: str, progress: Progress, *, phase1: bool = False) -> None:
        """Negotiate a child anew, or all of a connection that are up and its ISAKMP SA, while what stands carries on.
        `phase1`: the ISAKMP SA also for a child. Raises `IkeError` with the cause of the first failure."""
        await self._engine.restored.wait()
        meant = self._named(name)
        phase1 |= any(connection.name == name for connection, _ in meant)
        with self._following(meant, progress):
            waits = list[asyncio.Future[None]]()
            for session, children in self._sessions_of(meant):
                if standing := [child for child in children if session.states[child].carries]:
                    waits += session.rekey(standing, phase1=phase1)
            if not waits:
                raise Abandoned(f"{name} is not up: `ikevd up {name}` brings it up")
            await _all_of(waits)

    async def reset(self, name: str, progress: Progress) -> None:
        """End all with the peers of a connection at once; returns when what was wanted is up again. Raises `IkeError`
        with the cause of the first failure."""
        await self._engine.restored.wait()
        meant = self._of_connection(name)
        with self._following(meant, progress):
            waits = list[asyncio.Future[None]]()
            for session, children in self._sessions_of(meant):
                wanted = [child for child in children if session.states[child].wanted]
                session.post(Reset())
                waits += map(session.want, wanted)
                await session.settled()
            await _all_of(waits)

    def expect_connection(self, name: str) -> None:
        """Raises `UnknownName` unless a connection has this name."""
        self._of_connection(name)

    def _of_connection(self, name: str) -> list[tuple[Connection, Child]]:
        found = [(one, child) for one in self._config.connections if one.name == name for child in one.children]
        if not found:
            names = ", ".join(self.names()) or "none"
            raise UnknownName(f"no connection is named {name}; configured: {names}")
        return found

    def _sessions_of(self, meant: list[tuple[Connection, Child]]) -> list[tuple[Session, list[str]]]:
        """The peers of these connections, with the names of these children."""
        runs = groupby(meant, key=lambda owned: owned[0].name)
        children = {connection: [child.name for _, child in its] for connection, its in runs}
        sessions = [session for session in self._engine.sessions() if session.connection.name in children]
        return [(session, children[session.connection.name]) for session in sessions]

    async def reload(self, *, dry_run: bool) -> reload_shapes.Reload:
        """Read the file again and carry out what it changes, or (`dry_run`) only tell it."""
        if self._reload is None:
            raise NotAllowed("this daemon was not started from a file")
        await self._engine.restored.wait()
        return await self._reload(dry_run)

    def _every(self) -> list[tuple[Connection, Child]]:
        return [(connection, child) for connection in self._config.connections for child in connection.children]

    def _named(self, name: str) -> list[tuple[Connection, Child]]:
        """A connection's children, or those of one entry, or one child: plain, or as `connection/child`."""
        found = children_meant(name, self._config.connections)
        if not found:
            raise self._unknown(name)
        paths = choices(name, found)
        if len(paths) > 1:
            raise UnknownName(f"several children are named {name}; say which: {', '.join(paths)}")
        return found

    def _unknown(self, name: str) -> UnknownName:
        return UnknownName(unknown_name(name, self.names()))

    def _following(self, meant: list[tuple[Connection, Child]], progress: Progress) -> _Following:
        return _Following(self._history, {(c.name, child.name) for c, child in meant}, progress)


async def _all_of(waits: Iterable[asyncio.Future[None]]) -> None:
    """Raises the first failure, once all have ended."""
    for outcome in await asyncio.gather(*waits, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


class _Following:
    """While it is open, facts of some children, and of their connections' phase 1, go to `progress`."""

    def __init__(self, history: History, children: set[tuple[str, str]], progress: Progress) -> None:
        self._history = history
        self._children = children
        self._connections = {connection for connection, _ in children}
        self._progress = progress

    def __enter__(self) -> None:
        self._history.listen(self._heard)

    def __exit__(self, *_: object) -> None:
        self._history.ignore(self._heard)

    def _heard(self, record: Record, entry: Entry) -> None:
        ours = record.child is None or (record.connection, record.child) in self._children
        if record.connection in self._connections and ours:
            child = {"connection": record.connection, "child": record.child, "initiator": record.initiator}
            self._progress({**child, **entry_view(entry)})
