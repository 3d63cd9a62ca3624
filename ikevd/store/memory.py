"""A store in memory, for tests and dry runs. What it holds has been through the codec, as on a disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from ikevd.crypto.secret import Secret
from ikevd.frozen import frozen, replace
from ikevd.peer.child_state import ChildState
from ikevd.peer.isakmp_state import IsakmpState
from ikevd.peer.state import PeerKey, PeerState
from ikevd.sa.model import Cookies
from ikevd.store.codec import decode, encode
from ikevd.store.interface import Changes, ExchangeKey, ExchangeState, Placed, StoredPeer
from ikevd.store.scalars import Unreadable


class Killed(BaseException):
    """The process ends here: nothing catches it but the test that asked for it."""


@frozen
class Kill:
    """At which transaction of a process it is killed."""

    at: int
    """1: at the first."""
    written: bool
    """After it took effect, or before?"""


@dataclass(slots=True)
class _Rows:
    """Of one peer."""

    head: bytes = field(repr=False)
    digest: Secret | None = None
    isakmp: dict[Cookies, bytes] = field(default_factory=dict, repr=False)
    children: dict[str, bytes] = field(default_factory=dict, repr=False)
    exchanges: dict[ExchangeKey, bytes] = field(default_factory=dict, repr=False)
    used: dict[Cookies, tuple[int, ...]] = field(default_factory=dict)


@dataclass(slots=True)
class Disk:
    """What outlives a process."""

    peers: dict[PeerKey, _Rows] = field(default_factory=dict, repr=False)
    placed: dict[str, bytes] = field(default_factory=dict)
    full: bool = False
    """Nothing more can be written."""


class MemoryStore:
    """`Store` on a `Disk` that the next one may be opened on."""

    def __init__(self, disk: Disk | None = None, kill: Kill | None = None) -> None:
        self._disk = Disk() if disk is None else disk
        self._kill = kill
        self._invalid: str | None = None
        self.transactions = 0
        """How many were begun."""
        self.killed = False
        """Did `Killed` leave it? An event loop takes that for an error of a callback like any other."""

    @property
    def invalid(self) -> str | None:
        """See `Store.invalid`."""
        return self._invalid

    def put(self, *changes: Changes) -> str | None:
        """See `Store.put`. Raises `Killed` where that was asked for, and ever after."""
        writes = [_Write(one) for one in changes if one] if self._invalid is None else []
        return self._transact([partial(write.run, self._disk.peers) for write in writes])

    def place(self, placed: Mapping[str, Placed | None]) -> str | None:
        """See `Store.place`. Raises `Killed` as `put` does."""
        rows = {name: None if one is None else encode(one) for name, one in placed.items()}
        return self._transact([partial(self._place, name, octets) for name, octets in rows.items()])

    def placed(self) -> Iterator[tuple[str, Placed]]:
        """See `Store.placed`."""
        try:
            for name, octets in list(self._disk.placed.items()):
                yield name, decode(Placed, octets)
        except Unreadable as error:
            self.invalidate(str(error))
            raise

    def load(self) -> Iterator[StoredPeer]:
        """See `Store.load`."""
        try:
            yield from map(_stored, list(self._disk.peers.values()))
        except Unreadable as error:
            self.invalidate(str(error))
            raise

    def invalidate(self, reason: str) -> str | None:
        """See `Store.invalidate`."""
        if self._invalid is not None:
            return None
        self._invalid = reason
        self._disk.peers.clear()
        self._disk.placed.clear()
        return f"the store is invalid from here on: {reason}"

    def close(self) -> None:
        """See `Store.close`."""

    def _place(self, name: str, octets: bytes | None) -> None:
        if octets is None:
            self._disk.placed.pop(name, None)
        else:
            self._disk.placed[name] = octets

    def _transact(self, writes: Sequence[Callable[[], None]]) -> str | None:
        if self._invalid is not None or not writes:
            return None
        self.transactions += 1
        self._die(written=False)
        if self._disk.full:
            return self.invalidate("the disk is full")
        for write in writes:
            write()
        self._die(written=True)
        return None

    def _die(self, written: bool) -> None:
        """A dead process also writes nothing more."""
        kill = self._kill
        if kill and (self.transactions > kill.at or (self.transactions == kill.at and written == kill.written)):
            self.killed = True
            raise Killed


class _Write:
    """The changes of one peer, encoded before anything is written."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._head = b"" if changes.head is None else encode(changes.head)
        self._isakmp = {cookies: encode(state) for cookies, state in changes.isakmp.items()}
        self._exchanges = {key: encode(state) for key, state in changes.exchanges.items()}
        self._children = {name: encode(state) for name, state in changes.children.items()}

    def run(self, peers: dict[PeerKey, _Rows]) -> None:
        key = self._changes.peer
        if self._changes.gone:
            peers.pop(key, None)
            return
        if key not in peers:
            peers[key] = _Rows(encode(PeerState(key)))
        rows = peers[key]
        self._remove(rows)
        rows.head = self._head or rows.head
        rows.digest = rows.digest if self._changes.digest is None else self._changes.digest
        rows.isakmp.update(self._isakmp)
        rows.children.update(self._children)
        rows.exchanges.update(self._exchanges)
        for cookies, message_ids in self._changes.used.items():
            rows.used[cookies] = tuple(sorted({*rows.used.get(cookies, ()), *message_ids}))

    def _remove(self, rows: _Rows) -> None:
        for cookies in self._changes.gone_isakmp:
            rows.isakmp.pop(cookies, None)
            rows.used.pop(cookies, None)
        for name in self._changes.gone_children:
            rows.children.pop(name, None)
        for key in [*rows.exchanges]:
            if key in self._changes.gone_exchanges or key.cookies in self._changes.gone_isakmp:
                del rows.exchanges[key]


def _stored(rows: _Rows) -> StoredPeer:
    isakmp = {cookies: decode(IsakmpState, octets) for cookies, octets in rows.isakmp.items()}
    children = {name: decode(ChildState, octets) for name, octets in rows.children.items()}
    state = replace(decode(PeerState, rows.head), isakmp=isakmp, children=children)
    exchanges = {key: decode(ExchangeState, octets) for key, octets in rows.exchanges.items()}
    return StoredPeer(state, rows.digest, exchanges, dict(rows.used))
