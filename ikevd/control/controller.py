"""What the API can do with the engine."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable, Iterator

from ikevd import __version__
from ikevd.addresses import Address, Endpoint
from ikevd.control import shapes
from ikevd.control.interface import NotAllowed, Progress, UnknownName
from ikevd.control.status import connection_view, has_peer
from ikevd.negotiation.engine import Engine
from ikevd.negotiation.session import Session
from ikevd.observe.counters import Counters
from ikevd.observe.evidence import pcap
from ikevd.observe.history import Entry, History, Record
from ikevd.observe.keylog import key_line
from ikevd.observe.views import View, entry_view, record_view
from ikevd.policy.model import Child, Config, Connection
from ikevd.policy.wording import unknown_name
from ikevd.wire.registry import ExchangeType

PHASE_1 = frozenset({ExchangeType.MAIN_MODE, ExchangeType.AGGRESSIVE})


class EngineController:
    """Status, trace, up and down: a `Controller`."""

    def __init__(
        self, engine: Engine, config: Config, history: History, counters: Counters, listening: Iterable[Endpoint]
    ) -> None:
        self._engine = engine
        self._config = config
        self._history = history
        self._counters = counters
        self._listening = [str(endpoint) for endpoint in listening]
        self._started = time.time()

    # -- looking ------------------------------------------------------------------------------------------------

    async def status(self, name: str | None = None, peer: Address | None = None) -> shapes.Status:
        """Everything that stands, in plain data; raises `UnknownName`."""
        sessions: dict[str, list[Session]] = {}
        for session in self._engine.sessions():
            sessions.setdefault(session.connection.name, []).append(session)
        wanted = [
            (connection, children, sessions.get(connection.name, []))
            for connection, children in self._shown(name)
            if peer is None or has_peer(connection, sessions.get(connection.name, []), peer)
        ]
        return {
            "schema": shapes.SCHEMA,
            "version": __version__,
            "pid": os.getpid(),
            "uptime_seconds": round(time.time() - self._started, 1),
            "listening": self._listening,
            "half_open": self._engine.half_open,
            "connections": [
                await connection_view(
                    connection, children, its, self._history.newest(connection.name, PHASE_1), self._engine.installer
                )
                for connection, children, its in wanted
            ],
            "counters": self._counters.as_dict(),
        }

    def names(self) -> dict[str, list[str]]:
        """The children of each connection."""
        return {c.name: [child.name for child in c.children] for c in self._config.connections}

    def _shown(self, name: str | None) -> list[tuple[Connection, tuple[Child, ...]]]:
        """Connections with those of their children that `name` fits; every child where several have it."""
        shown = []
        for connection in self._config.connections:
            whole = name in (None, connection.name)
            fits = tuple(c for c in connection.children if whole or name in (c.name, f"{connection.name}/{c.name}"))
            if whole or fits:
                shown.append((connection, fits))
        if name is not None and not shown:
            raise self._unknown(name)
        return shown

    def trace(
        self, spi: str | None, connection: str | None, peer: str | None, last: int, *, decode: bool = False
    ) -> list[View]:
        """The newest records that fit, oldest first; with `decode` every message as a tree of its fields."""
        records = list(self._history.find(spi, connection, peer))
        return [record_view(record, decode=decode) for record in records[-last:]]

    def capture(self, spi: str | None, connection: str | None, peer: str | None, last: int) -> Iterator[bytes]:
        """The messages of the newest records that fit as a pcap file, in pieces."""
        records = list(self._history.find(spi, connection, peer))
        return pcap(records[-last:], self._config.listen.nat_port)

    def keys(self, spi: str | None, connection: str | None, peer: str | None) -> list[str]:
        """Lines of Wireshark's `ikev1_decryption_table`; raises `NotAllowed` unless the configuration allows it."""
        if not self._config.export_keys:
            raise NotAllowed("keys are given out only where the configuration has control.export_keys: true")
        wanted = {record.cookies for record in self._history.find(spi, connection, peer)}
        standing = (live.sa for session in self._engine.sessions() for live in session.live)
        return [key_line(sa) for sa in standing if sa.cookies in wanted]

    # -- acting -------------------------------------------------------------------------------------------------

    def expect(self, name: str) -> None:
        """Raises `UnknownName` unless `name` says which children are meant."""
        self._named(name)

    async def up(self, name: str, progress: Progress) -> None:
        """Bring up a child, or all children of a connection; raises `IkeError` with the cause of the first failure."""
        with self._following(name, progress):
            waits = [self._engine.session(connection).want(child.name) for connection, child in self._named(name)]
            outcomes = await asyncio.gather(*waits, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    async def down(self, name: str, progress: Progress) -> None:
        """Take down a child, or a connection with its ISAKMP SAs; returns when the kernel holds nothing of it."""
        with self._following(name, progress):
            whole = {connection.name for connection in self._config.connections}
            meant = self._named(name)
            sessions = [(s, child) for c, child in meant for s in self._engine.sessions() if s.connection is c]
            for session, child in sessions:
                if name in whole:
                    session.end()
                else:
                    session.unwant(child.name)
            for session, _ in sessions:
                await session.settled()

    def _named(self, name: str) -> list[tuple[Connection, Child]]:
        """A connection's children, or the child of that name: plain, or as `connection/child`."""
        found = [
            (connection, child)
            for connection in self._config.connections
            for child in connection.children
            if name in (connection.name, f"{connection.name}/{child.name}")
        ] or [(c, child) for c in self._config.connections for child in c.children if name == child.name]
        if not found:
            raise self._unknown(name)
        if len(found) > 1 and all(name == child.name for _, child in found):
            choices = ", ".join(f"{connection.name}/{child.name}" for connection, child in found)
            raise UnknownName(f"several children are named {name}; say which: {choices}")
        return found

    def _unknown(self, name: str) -> UnknownName:
        return UnknownName(unknown_name(name, self.names()))

    def _following(self, name: str, progress: Progress) -> _Following:
        return _Following(self._history, {(c.name, child.name) for c, child in self._named(name)}, progress)


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
