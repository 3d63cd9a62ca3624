"""What the API can do with the engine."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable

from ikevd import __version__
from ikevd.addresses import Endpoint
from ikevd.control.interface import Progress, UnknownName
from ikevd.negotiation.engine import Engine
from ikevd.negotiation.isakmp import LiveIsakmpSa
from ikevd.negotiation.session import Session
from ikevd.observe.counters import Counters
from ikevd.observe.history import Entry, History, Record
from ikevd.observe.views import View, entry_view, record_view
from ikevd.peer.children import Pair
from ikevd.policy.choose import describe
from ikevd.policy.model import Child, Config, Connection


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

    async def status(self) -> View:
        """Everything that stands, in plain data."""
        sessions: dict[str, list[Session]] = {}
        for session in self._engine.sessions():
            sessions.setdefault(session.connection.name, []).append(session)
        return {
            "version": __version__,
            "pid": os.getpid(),
            "uptime_seconds": round(time.time() - self._started, 1),
            "listening": self._listening,
            "half_open": self._engine.half_open,
            "connections": [
                await self._connection(connection, sessions.get(connection.name, []))
                for connection in self._config.connections
            ],
            "counters": self._counters.as_dict(),
        }

    def trace(self, spi: str | None, connection: str | None, peer: str | None, last: int) -> list[View]:
        """The newest records that fit, oldest first."""
        records = list(self._history.find(spi, connection, peer))
        return [record_view(record) for record in records[-last:]]

    async def _connection(self, connection: Connection, sessions: list[Session]) -> View:
        return {
            "name": connection.name,
            "local": str(connection.local) if connection.local else "any",
            "remote": str(connection.remote or connection.remote_range or "any"),
            "negotiating": any(session.initiator.negotiating for session in sessions),
            "isakmp": [_isakmp(live) for session in sessions for live in session.live if not live.retired],
            "children": [await self._child(child, sessions) for child in connection.children],
        }

    async def _child(self, child: Child, sessions: list[Session]) -> View:
        now = asyncio.get_running_loop().time()
        states = [session.states[child.name] for session in sessions]
        state = next((s for s in states if s.pairs), states[0] if states else None)
        retry = state.retry_at if state else None
        return {
            "name": child.name,
            "local": str(child.local),
            "remote": str(child.remote),
            "state": state.name if state else "down",
            "last_cause": state.cause if state else None,
            "retry_in_seconds": round(max(0.0, retry - now), 1) if retry is not None else None,
            "sas": [await self._pair(pair, now) for s in states for pair in s.pairs],
        }

    async def _pair(self, pair: Pair, now: float) -> View:
        sa, age = pair.sa, now - pair.born
        octets_in, packets_in, octets_out, packets_out = await self._engine.installer.octets(sa)
        return {
            "spi_in": str(sa.inbound.spi),
            "spi_out": str(sa.outbound.spi),
            "suite": describe(sa.suite),
            "age_seconds": round(age),
            "expires_in_seconds": round(sa.lifetime.seconds - age),
            "bytes_in": octets_in,
            "packets_in": packets_in,
            "bytes_out": octets_out,
            "packets_out": packets_out,
        }

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
            names = ", ".join(f"{c.name} ({', '.join(k.name for k in c.children)})" for c in self._config.connections)
            raise UnknownName(f"no connection or child is named {name}; configured: {names or 'nothing'}")
        if len(found) > 1 and all(name == child.name for _, child in found):
            choices = ", ".join(f"{connection.name}/{child.name}" for connection, child in found)
            raise UnknownName(f"several children are named {name}; say which: {choices}")
        return found

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


def _isakmp(live: LiveIsakmpSa) -> View:
    now = asyncio.get_running_loop().time()
    sa = live.sa
    return {
        "cookies": str(sa.cookies),
        "initiator": sa.initiator,
        "local_id": str(sa.local_id),
        "remote_id": str(sa.remote_id),
        "path": str(live.path),
        "suite": describe(sa.suite),
        "age_seconds": round(now - live.born),
        "expires_in_seconds": round(live.expires - now),
    }
