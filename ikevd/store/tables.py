"""The tables of the store on a disk, and how the records of a peer become their rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from typing import TypeVar

from ikevd.crypto.secret import Secret
from ikevd.frozen import replace
from ikevd.peer.child_state import ChildState
from ikevd.peer.isakmp_state import IsakmpState
from ikevd.peer.state import PeerKey, PeerState
from ikevd.sa.model import COOKIE_OCTETS, Cookies
from ikevd.store import seal as sealing
from ikevd.store.codec import decode, encode
from ikevd.store.interface import Changes, ExchangeKey, ExchangeState, Placed, StoredPeer
from ikevd.store.scalars import Unreadable, checked

T = TypeVar("T")

CREATE = (
    "CREATE TABLE peer (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, head BLOB NOT NULL, digest BLOB)",
    "CREATE TABLE isakmp (id INTEGER PRIMARY KEY, peer INTEGER NOT NULL, cookies BLOB NOT NULL, record BLOB NOT NULL,"
    " UNIQUE (peer, cookies))",
    "CREATE TABLE child (id INTEGER PRIMARY KEY, peer INTEGER NOT NULL, name TEXT NOT NULL, record BLOB NOT NULL,"
    " UNIQUE (peer, name))",
    "CREATE TABLE exchange (peer INTEGER NOT NULL, cookies BLOB NOT NULL, message_id INTEGER NOT NULL,"
    " record BLOB NOT NULL, PRIMARY KEY (peer, cookies, message_id)) WITHOUT ROWID",
    "CREATE TABLE used (peer INTEGER NOT NULL, cookies BLOB NOT NULL, message_id INTEGER NOT NULL,"
    " PRIMARY KEY (peer, cookies, message_id)) WITHOUT ROWID",
)
"""A row that is written again keeps its number: numbers tell which is the oldest."""
ADDED = (
    "CREATE TABLE IF NOT EXISTS placed (name TEXT PRIMARY KEY, record BLOB NOT NULL) WITHOUT ROWID",
    sealing.CREATE,
)
"""What a store of this format may lack, as an earlier ikevd wrote it."""

MAX_MESSAGE_ID = 0xFFFFFFFF
HEAD, DIGEST, ISAKMP, CHILD, EXCHANGE, PLACED = b"head", b"digest", b"isakmp", b"child", b"exchange", b"placed"
"""What is sealed, where the store is: records, in which keys are. The names of rows are not."""

_PUT_ISAKMP = (
    "INSERT INTO isakmp (peer, cookies, record) VALUES (?, ?, ?)"
    " ON CONFLICT (peer, cookies) DO UPDATE SET record = excluded.record"
)
_PUT_CHILD = (
    "INSERT INTO child (peer, name, record) VALUES (?, ?, ?)"
    " ON CONFLICT (peer, name) DO UPDATE SET record = excluded.record"
)
_PUT_USED = "INSERT OR IGNORE INTO used VALUES (?, ?, ?)"
_PUT_EXCHANGE = "INSERT OR REPLACE INTO exchange VALUES (?, ?, ?, ?)"


class Tables:
    """Reads and writes rows; where a transaction begins and ends is its user's business."""

    def __init__(self, connection: sqlite3.Connection, seal: sealing.Seal) -> None:
        self._run = connection.execute
        self._seal = seal
        self._numbers: dict[PeerKey, int] = {}
        self._keys: dict[int, bytes] = {}
        """As they stand in the rows."""

    def write(self, *changes: Changes) -> None:
        """Raises `sqlite3.Error`."""
        for one in changes:
            self._write(one)

    def place(self, placed: Mapping[str, Placed | None]) -> None:
        """Raises `sqlite3.Error`."""
        for name, one in placed.items():
            if one is None:
                self._run("DELETE FROM placed WHERE name = ?", (name,))
            else:
                self._run(
                    "INSERT OR REPLACE INTO placed VALUES (?, ?)", (name, self._closed(one, PLACED, name.encode()))
                )

    def placed(self) -> Iterator[tuple[str, Placed]]:
        """Raises `sqlite3.Error` and `Unreadable`."""
        for name, record in self._run("SELECT name, record FROM placed ORDER BY name"):
            yield name, self._opened(Placed, record, PLACED, checked(name, str).encode())

    def peers(self) -> list[int]:
        """The numbers of all peers. Raises `sqlite3.Error`."""
        return [number for (number,) in self._run("SELECT id FROM peer ORDER BY id")]

    def read(self, number: int) -> StoredPeer:
        """Raises `sqlite3.Error` and `Unreadable`."""
        row = self._run("SELECT key, head, digest FROM peer WHERE id = ?", (number,)).fetchone()
        if row is None:
            raise Unreadable("a peer that is listed is not there")
        key, head, octets = row
        self._keys[number] = checked(key, bytes)
        isakmp = (
            self._opened(IsakmpState, record, ISAKMP, key, checked(cookies, bytes))
            for cookies, record in self._run("SELECT cookies, record FROM isakmp WHERE peer = ? ORDER BY id", (number,))
        )
        children = {
            name: self._opened(ChildState, record, CHILD, key, checked(name, str).encode())
            for name, record in self._run("SELECT name, record FROM child WHERE peer = ? ORDER BY id", (number,))
        }
        bare = self._opened(PeerState, head, HEAD, key)
        self._numbers[bare.key] = number
        state = replace(bare, isakmp={one.sa.cookies: one for one in isakmp}, children=children)
        digest = None if octets is None else Secret(self._seal.open(octets, _where(DIGEST, key)))
        return StoredPeer(state, digest, dict(self._exchanges(number)), self._used(number))

    def _closed(self, record: object, *where: bytes) -> bytes:
        return self._seal.close(encode(record), _where(*where))

    def _opened(self, kind: type[T], octets: object, *where: bytes) -> T:
        return decode(kind, self._seal.open(octets, _where(*where)))

    def _write(self, changes: Changes) -> None:
        number = self._number(changes.peer)
        if changes.gone:
            return self._remove_peer(changes.peer, number)
        if number is None:
            number = self._add_peer(changes)
        elif changes.head is not None:
            self._run(
                "UPDATE peer SET head = ? WHERE id = ?", (self._closed(changes.head, HEAD, self._keys[number]), number)
            )
        if changes.digest is not None:
            self._run(
                "UPDATE peer SET digest = ? WHERE id = ?",
                (self._seal.close(changes.digest.reveal(), _where(DIGEST, self._keys[number])), number),
            )
        self._remove(number, changes)
        self._put(number, changes)
        return None

    def _exchanges(self, number: int) -> Iterator[tuple[ExchangeKey, ExchangeState]]:
        found = self._run("SELECT cookies, message_id, record FROM exchange WHERE peer = ?", (number,))
        for octets, message_id, record in found:
            both = checked(octets, bytes)
            key = ExchangeKey(Cookies(both[:COOKIE_OCTETS], both[COOKIE_OCTETS:]), _message_id(message_id))
            yield key, self._opened(ExchangeState, record, EXCHANGE, self._keys[number], *_row_of(key))

    def _used(self, number: int) -> dict[Cookies, tuple[int, ...]]:
        used: dict[bytes, list[int]] = {}
        for octets, message_id in self._run("SELECT cookies, message_id FROM used WHERE peer = ?", (number,)):
            used.setdefault(checked(octets, bytes), []).append(_message_id(message_id))
        return {Cookies(both[:COOKIE_OCTETS], both[COOKIE_OCTETS:]): tuple(ids) for both, ids in used.items()}

    def _number(self, key: PeerKey) -> int | None:
        """Remembered, since a key is the same one in another notation too (`Identity`), whose octets differ."""
        if key not in self._numbers:
            octets = encode(key)
            found = self._run("SELECT id FROM peer WHERE key = ?", (octets,)).fetchone()
            if found is None:
                return None
            self._numbers[key] = found[0]
            self._keys[found[0]] = octets
        return self._numbers[key]

    def _add_peer(self, changes: Changes) -> int:
        head = PeerState(changes.peer) if changes.head is None else changes.head
        key = encode(changes.peer)
        row = (key, self._closed(head, HEAD, key))
        number = self._run("INSERT INTO peer (key, head, digest) VALUES (?, ?, NULL)", row).lastrowid
        assert number is not None
        self._numbers[changes.peer], self._keys[number] = number, key
        return number

    def _remove_peer(self, key: PeerKey, number: int | None) -> None:
        if number is None:
            return
        self._run("DELETE FROM peer WHERE id = ?", (number,))
        self._run("DELETE FROM isakmp WHERE peer = ?", (number,))
        self._run("DELETE FROM child WHERE peer = ?", (number,))
        self._run("DELETE FROM exchange WHERE peer = ?", (number,))
        self._run("DELETE FROM used WHERE peer = ?", (number,))
        del self._numbers[key], self._keys[number]

    def _remove(self, number: int, changes: Changes) -> None:
        for cookies in changes.gone_isakmp:
            self._run("DELETE FROM isakmp WHERE peer = ? AND cookies = ?", (number, cookies.octets))
            self._run("DELETE FROM exchange WHERE peer = ? AND cookies = ?", (number, cookies.octets))
            self._run("DELETE FROM used WHERE peer = ? AND cookies = ?", (number, cookies.octets))
        for name in changes.gone_children:
            self._run("DELETE FROM child WHERE peer = ? AND name = ?", (number, name))
        for key in changes.gone_exchanges:
            where = (number, key.cookies.octets, key.message_id)
            self._run("DELETE FROM exchange WHERE peer = ? AND cookies = ? AND message_id = ?", where)

    def _put(self, number: int, changes: Changes) -> None:
        for cookies, state in changes.isakmp.items():
            self._run(
                _PUT_ISAKMP, (number, cookies.octets, self._closed(state, ISAKMP, self._keys[number], cookies.octets))
            )
        for name, child in changes.children.items():
            self._run(_PUT_CHILD, (number, name, self._closed(child, CHILD, self._keys[number], name.encode())))
        for key, exchange in changes.exchanges.items():
            self._run(
                _PUT_EXCHANGE,
                (
                    number,
                    key.cookies.octets,
                    key.message_id,
                    self._closed(exchange, EXCHANGE, self._keys[number], *_row_of(key)),
                ),
            )
        for cookies, message_ids in changes.used.items():
            for message_id in message_ids:
                self._run(_PUT_USED, (number, cookies.octets, message_id))


def _message_id(found: object) -> int:
    if not 0 <= (number := checked(found, int)) <= MAX_MESSAGE_ID:
        raise Unreadable("what stands for a message ID is no number of 32 bits")
    return number


def _where(*parts: bytes) -> bytes:
    """Column and names of a row as one: no other ones give the same."""
    return b"".join([len(part).to_bytes(4) + part for part in parts])


def _row_of(key: ExchangeKey) -> tuple[bytes, bytes]:
    return key.cookies.octets, key.message_id.to_bytes(4)
