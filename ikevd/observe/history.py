"""The record of every negotiation, kept after success and after failure, bounded in every direction.

Status, trace, log and (later) diagnosis are views of this one record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address

from ikevd.addresses import Address, Endpoint
from ikevd.facts import Dropped, Established, Fact, Failed, Heard, Repeated, Sent
from ikevd.sa.model import Cookies, Spi
from ikevd.wire.registry import ExchangeType

MAX_PER_CONNECTION = 500
"""Negotiations that are kept of each connection; about 3 kB each."""
MAX_STRANGERS = 200
"""Negotiations that never came to a connection."""
MAX_ENTRIES = 200
"""Facts of one negotiation; later ones are only counted."""
MAX_NOISE = 100
"""So many facts are there when repeated and dropped messages, which anybody can cause, are only counted."""
FOR_RESULTS = 5
"""Of MAX_ENTRIES, for how it ended."""

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Entry:
    """A fact with its time (Unix seconds)."""

    at: float
    fact: Fact


@dataclass(slots=True)
class Record:
    """One negotiation: a phase 1, a Quick Mode or an Informational exchange."""

    number: int
    kind: ExchangeType
    initiator: bool
    """Did this side start it?"""
    cookies: Cookies
    message_id: int
    peer: Endpoint
    connection: str | None
    child: str | None
    started: float
    _history: History = field(repr=False)
    entries: list[Entry] = field(default_factory=list)
    spis: tuple[Spi, ...] = ()
    """The ESP SPIs that came of it, inbound first."""
    overflow: int = 0
    """Facts that no longer fitted."""
    authenticated: bool = False
    """Is the connection certain? Until the peer proved who it is, one may be named that merely fits its address."""

    def add(self, fact: Fact) -> None:
        """Keep one fact and show it to the listeners."""
        entry = Entry(self._history.now(), fact)
        if isinstance(fact, (Sent, Heard)):
            self.peer = fact.path.remote
        if len(self.entries) < _room(fact):
            self.entries.append(entry)
        else:
            self.overflow += 1
        self._history.tell(self, entry)

    def belongs_to(self, connection: str, child: str | None = None) -> None:
        """The connection (and child) has become known."""
        self._history.promote(self, connection)
        self.connection, self.child = connection, child or self.child
        self.authenticated = True

    def matches(self, spi: str | None, connection: str | None, peer: str | None) -> bool:
        """Does it fit every filter given? `spi` is hex: either cookie, the pair, or an ESP SPI, or their beginning."""
        if connection is not None and connection not in (self.connection, self.child):
            return False
        if peer is not None and not _is_peer(self.peer.address, peer):
            return False
        return spi is None or self._has_spi(spi.lower().removeprefix("0x"))

    def _has_spi(self, spi: str) -> bool:
        names = (str(self.cookies), self.cookies.responder.hex(), *map(str, self.spis))
        return any(name.startswith(spi) for name in names)


def _room(fact: Fact) -> int:
    match fact:
        case Repeated() | Dropped():
            return MAX_NOISE
        case Established() | Failed():
            return MAX_ENTRIES
        case _:
            return MAX_ENTRIES - FOR_RESULTS


def _is_peer(address: Address, text: str) -> bool:
    try:
        return address == ip_address(text)
    except ValueError:
        return False


class History:
    """All records, oldest first; neither strangers nor other connections push out what belongs to a connection."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[str, dict[int, Record]] = {}
        self._strangers: dict[int, Record] = {}
        self._listeners: tuple[Callable[[Record, Entry], None], ...] = ()
        self._count = 0

    def now(self) -> float:
        """Unix time in seconds."""
        return self._clock()

    def open(
        self,
        kind: ExchangeType,
        cookies: Cookies,
        message_id: int,
        peer: Endpoint,
        *,
        initiator: bool,
        connection: str | None = None,
        child: str | None = None,
    ) -> Record:
        """Begin the record of one negotiation; without `connection` it is a stranger's."""
        self._count += 1
        record = Record(self._count, kind, initiator, cookies, message_id, peer, connection, child, self.now(), self)
        if connection:
            record.authenticated = True
            self._keep(self._known.setdefault(connection, {}), MAX_PER_CONNECTION, record)
        else:
            self._keep(self._strangers, MAX_STRANGERS, record)
        return record

    def promote(self, record: Record, connection: str) -> None:
        """A stranger's record turned out to belong to a connection."""
        if self._strangers.pop(record.number, None) is not None:
            self._keep(self._known.setdefault(connection, {}), MAX_PER_CONNECTION, record)

    def listen(self, listener: Callable[[Record, Entry], None]) -> None:
        """Call `listener` for every fact as it happens."""
        self._listeners = (*self._listeners, listener)

    def ignore(self, listener: Callable[[Record, Entry], None]) -> None:
        """Stop calling `listener`."""
        self._listeners = tuple(other for other in self._listeners if other != listener)

    def tell(self, record: Record, entry: Entry) -> None:
        """Show one fact to the listeners (called by `Record.add`)."""
        for listener in self._listeners:
            listener(record, entry)

    def find(self, spi: str | None = None, connection: str | None = None, peer: str | None = None) -> Iterator[Record]:
        """The records that fit every filter given, oldest first."""
        shelves = (self._strangers, *self._known.values())
        everything = sorted((r for shelf in shelves for r in shelf.values()), key=lambda record: record.number)
        return (record for record in everything if record.matches(spi, connection, peer))

    def newest(self, connection: str, kinds: frozenset[ExchangeType]) -> Record | None:
        """The newest record of a connection whose exchange is one of `kinds`."""
        shelf = self._known.get(connection, {})
        return next((record for record in reversed(shelf.values()) if record.kind in kinds), None)

    @staticmethod
    def _keep(shelf: dict[int, Record], limit: int, record: Record) -> None:
        shelf[record.number] = record
        if len(shelf) > limit:
            del shelf[next(iter(shelf))]
