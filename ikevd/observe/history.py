"""The record of every negotiation, kept after success and after failure, bounded in facts and in octets.

Status, trace, log and (later) diagnosis are views of this one record. A finished one is packed into one object.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address

from ikevd.addresses import Address, Endpoint
from ikevd.errors import Abandoned, Finding
from ikevd.facts import Dropped, Established, Fact, Failed, Heard, Repeated, Sent
from ikevd.findings import OtherKey
from ikevd.frozen import frozen
from ikevd.observe.budget import ALL_OCTETS, CONNECTION_OCTETS, OBJECTS, WHOLE_OCTETS, fitting, weight
from ikevd.observe.packed import pack, pickled, unpack
from ikevd.observe.refused import Refused, RefusedAttempts
from ikevd.sa.model import Cookies, Spi
from ikevd.wire.registry import ExchangeType

MAX_PER_CONNECTION = 500
"""Negotiations that are kept of each connection; about 1 kB each."""
MAX_STRANGERS = 200
"""Negotiations that never came to a connection."""
MAX_ENTRIES = 200
"""Facts of one negotiation; later ones are only counted."""
MAX_NOISE = 100
"""So many facts are there when repeated and dropped messages, which anybody can cause, are only counted."""
FOR_RESULTS = 5
"""Of MAX_ENTRIES, for how it ended."""
TAIL = 16
"""Facts behind those that are packed; then all are packed anew."""
MAX_UNPACKED = 128
"""Finished records that wait to be packed, of all connections: then the oldest of these is."""
MAX_MODEL = 8 * 1024
"""Octets of a record that others are packed after."""
EMPTY_OCTETS = 3 * OBJECTS
"""What a record takes beside its facts."""

Clock = Callable[[], float]


@frozen
class Entry:
    """A fact with its time (Unix seconds)."""

    at: float
    fact: Fact


@dataclass(slots=True, eq=False)
class Shelf:
    """The records of one connection, or all of strangers, oldest first."""

    most: int
    """Records."""
    records: list[Record] = field(default_factory=list)
    octets: int = 0


@dataclass(slots=True, eq=False)
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
    shelf: Shelf | None = field(repr=False)
    """Where it stands; None once it has made way for newer ones."""
    octets: int = EMPTY_OCTETS
    """What it takes now, about."""
    spis: tuple[Spi, ...] = ()
    """The ESP SPIs that came of it, inbound first."""
    overflow: int = 0
    """Facts that no longer fitted."""
    authenticated: bool = False
    """Is the connection certain? Until the peer proved who it is, one may be named that merely fits its address."""
    weight: int = 0
    """Of all facts in it, were none packed."""
    _count: int = 0
    """Facts in it."""
    _packed: bytes = field(default=b"", repr=False)
    _tail: tuple[Entry, ...] = field(default=(), repr=False)
    """Those that are not packed."""

    @property
    def entries(self) -> list[Entry]:
        """The facts, oldest first. It takes a moment: ask once."""
        return [*(self._history.unpack(self.kind, self._packed) if self._packed else ()), *self._tail]

    def add(self, fact: Fact) -> None:
        """Keep one fact, whole or cut short, and show it to the listeners."""
        history = self._history
        entry = Entry(history.now(), fact)
        if type(fact) is Sent or type(fact) is Heard:
            self.peer = fact.path.remote
        has_place = self.shelf is not None and self._count < _ROOM.get(type(fact), ROOM_OF_OTHERS)
        size = weight(fact)
        if has_place and self.weight + size <= WHOLE_OCTETS:
            self._keep(entry, size)
        elif has_place and (fits := fitting(fact, size, self.weight)):
            self._keep(Entry(entry.at, fits[0]), fits[1])
        else:
            self.overflow += 1
        history.tell(self, entry)

    def _keep(self, entry: Entry, size: int) -> None:
        self._tail += (entry,)
        self._count += 1
        self.weight += size
        if self._packed and len(self._tail) >= TAIL:
            self.pack()
        else:
            self._history.resize(self, self.octets + size)

    def pack(self) -> None:
        """The negotiation is over: its facts become one object of octets. Later ones may follow all the same."""
        if self._tail:
            self._packed, self._tail = self._history.pack(self.kind, self.entries), ()
            self._history.resize(self, EMPTY_OCTETS + len(self._packed))

    def finish(self) -> None:
        """The negotiation has ended well: it is packed when many others have."""
        self._history.pack_later(self)

    def make_way(self) -> None:
        """It is no longer on record: forget the facts, whoever still holds it."""
        self.shelf, self._packed, self._tail = None, b"", ()

    def belongs_to(self, connection: str, child: str | None = None) -> None:
        """The connection (and child) has become known."""
        self._history.promote(self, connection)
        self.connection, self.child = connection, child or self.child
        self.authenticated = True

    def matches(self, spi: str | None, names: Collection[str] | None, peer: str | None) -> bool:
        """Does it fit every filter given? `spi` is hex: either cookie, the pair, or an ESP SPI, or their beginning.
        `names`: of a connection, of a child, or `connection/child`; one of them must be its."""
        its = (self.connection, self.child, f"{self.connection}/{self.child}")
        if names is not None and not any(name in names for name in its):
            return False
        if peer is not None and not _is_peer(self.peer.address, peer):
            return False
        return spi is None or self._has_spi(spi.lower().removeprefix("0x"))

    def _has_spi(self, spi: str) -> bool:
        names = (str(self.cookies), self.cookies.responder.hex(), *map(str, self.spis))
        return any(name.startswith(spi) for name in names)


_ROOM: Mapping[type[Fact], int] = {
    Repeated: MAX_NOISE,
    Dropped: MAX_NOISE,
    Established: MAX_ENTRIES,
    Failed: MAX_ENTRIES,
}
"""How many facts there may be before one of this kind."""
ROOM_OF_OTHERS = MAX_ENTRIES - FOR_RESULTS


def _refusal(fact: Fact) -> Finding | None:
    """Why a peer gets nowhere. That it has another key is known long before the end of the wait."""
    match fact:
        case Failed(cause, error) if error != Abandoned.__name__:
            return cause
        case Dropped(finding=OtherKey() as cause):
            return cause
    return None


def _is_peer(address: Address, text: str) -> bool:
    try:
        return address == ip_address(text)
    except ValueError:
        return False


class History:
    """All records, oldest first, each on the shelf of its connection or on that of strangers.

    Who has no room left on the own shelf pushes out the own oldest records, not those of others; only where the room
    of all is used up, the oldest of all make way.
    """

    def __init__(self, clock: Clock, room: int = ALL_OCTETS) -> None:
        """`room`: octets for all records."""
        self.now = clock
        """Unix time in seconds."""
        self._room = room
        self._all: dict[int, Record] = {}
        self._known: dict[str, Shelf] = {}
        self._strangers = Shelf(MAX_STRANGERS)
        self._listeners: tuple[Callable[[Record, Entry], None], ...] = ()
        self._count = 0
        self.octets = 0
        """What all records take, about."""
        self.refused = RefusedAttempts()
        self._unpacked: deque[Record] = deque()
        """Of those that have finished, oldest first."""
        self._models: dict[ExchangeType, bytes] = {}
        """A record of each kind, as it was before it was packed: its like has most in common with it but random octets.
        """

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
        shelf = self._shelf_of(connection) if connection else self._strangers
        now = self.now()
        record = Record(
            self._count, kind, initiator, cookies, message_id, peer, connection, child, now, self, shelf, octets=0
        )
        record.authenticated = connection is not None
        self._all[record.number] = record
        shelf.records.append(record)
        self.resize(record, EMPTY_OCTETS)
        if len(shelf.records) > shelf.most:
            self._make_room(shelf)
        return record

    def promote(self, record: Record, connection: str) -> None:
        """A stranger's record turned out to belong to a connection. What follows is kept even if it had made way
        for those of many others."""
        if record.shelf is self._strangers:
            self._strangers.records.remove(record)
            self._strangers.octets -= record.octets
        elif record.shelf is None:
            self._all[record.number], record.octets = record, EMPTY_OCTETS
            self.octets += EMPTY_OCTETS
        else:
            return
        record.shelf = self._shelf_of(connection)
        record.shelf.records.append(record)
        record.shelf.octets += record.octets
        self._make_room(record.shelf)

    def resize(self, record: Record, octets: int) -> None:
        """The record takes so many octets now (called by `Record`)."""
        shelf = record.shelf
        if shelf is not None:
            more, record.octets = octets - record.octets, octets
            shelf.octets += more
            self.octets += more
            if shelf.octets > CONNECTION_OCTETS or self.octets > self._room:
                self._make_room(shelf)

    def pack_later(self, record: Record) -> None:
        """It has finished (called by `Record`)."""
        self._unpacked.append(record)
        if len(self._unpacked) > MAX_UNPACKED:
            self._unpacked.popleft().pack()

    def pack(self, kind: ExchangeType, entries: Sequence[Entry]) -> bytes:
        """The facts of a record as one object (called by `Record`). The first record of a kind that ended well is the
        model of those that follow."""
        (octets, apart), model = pickled(entries), self._models.get(kind)
        if model is None and len(octets) <= MAX_MODEL and any(isinstance(one.fact, Established) for one in entries):
            self._models[kind] = octets
        return pack(octets, apart, model)

    def unpack(self, kind: ExchangeType, octets: bytes) -> list[Entry]:
        """What was packed (called by `Record`)."""
        return unpack(octets, self._models.get(kind))

    def listen(self, listener: Callable[[Record, Entry], None]) -> None:
        """Call `listener` for every fact as it happens."""
        self._listeners = (*self._listeners, listener)

    def ignore(self, listener: Callable[[Record, Entry], None]) -> None:
        """Stop calling `listener`."""
        self._listeners = tuple(other for other in self._listeners if other != listener)

    def tell(self, record: Record, entry: Entry) -> None:
        """Show one fact to the listeners (called by `Record.add`)."""
        told = type(entry.fact)
        if (told is Failed or told is Dropped) and not record.initiator and (cause := _refusal(entry.fact)):
            refused = Refused(
                record.kind,
                record.peer,
                record.connection,
                record.child,
                cause,
                entry.at,
                record.number,
                proven=record.authenticated,
            )
            self.refused.add(refused)
        for listener in self._listeners:
            listener(record, entry)

    def find(self, spi: str | None = None, connection: str | None = None, peer: str | None = None) -> Iterator[Record]:
        """The records that fit every filter given, oldest first."""
        names = None if connection is None else (connection,)
        return (record for record in tuple(self._all.values()) if record.matches(spi, names, peer))

    def newest_first(self) -> Iterator[Record]:
        """All that are on record now."""
        return reversed(tuple(self._all.values()))

    def newest(self, connection: str, kinds: frozenset[ExchangeType]) -> Record | None:
        """The newest record of a connection whose exchange is one of `kinds`."""
        shelf = self._known.get(connection)
        return next((record for record in reversed(shelf.records) if record.kind in kinds), None) if shelf else None

    def _shelf_of(self, connection: str) -> Shelf:
        shelf = self._known.get(connection)
        if shelf is None:
            shelf = self._known[connection] = Shelf(MAX_PER_CONNECTION)
        return shelf

    def _make_room(self, shelf: Shelf) -> None:
        while shelf.octets > CONNECTION_OCTETS or len(shelf.records) > shelf.most:
            self._remove(shelf.records[0])
        while self.octets > self._room:
            self._remove(next(iter(self._all.values())))

    def _remove(self, record: Record) -> None:
        assert record.shelf is not None
        del self._all[record.number]
        record.shelf.records.remove(record)  # it is among the first
        record.shelf.octets -= record.octets
        self.octets -= record.octets
        record.make_way()
