"""The store in one SQLite file in the runtime folder, which outlives the process and not the machine (tmpfs).

So nothing is forced to a disk. A transaction is whole or not there wherever the process is killed: SQLite undoes a half
one from its journal, which is in the page cache like the rest. What is removed is overwritten, and the journal cut to
nothing after each transaction, at the cost of some microseconds: no key of an SA that ended stays in a file. A
write-ahead log would keep them, and its checkpoints are steps of milliseconds.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from ikevd.store.interface import Changes, Placed, StoredPeer
from ikevd.store.scalars import Unreadable
from ikevd.store.seal import Seal
from ikevd.store.tables import Tables

T = TypeVar("T")

PRAGMAS = (
    "locking_mode = EXCLUSIVE",  # nobody else has any business here, and no lock is taken for each transaction
    "journal_mode = TRUNCATE",
    "synchronous = OFF",
    "secure_delete = ON",
    "temp_store = MEMORY",
    "trusted_schema = OFF",
    "cell_size_check = ON",
    "cache_size = -512",  # in kB
)
FLAWS = (sqlite3.Error, Unreadable, UnicodeDecodeError)
"""What a damaged file makes its reader or writer raise; the last where SQLite's own sentence quotes octets of it."""
QUOTING = "Could not decode to UTF-8 column"
"""So begins the sentence of Python's module that quotes a text of the file."""
_FULL = ("SQLITE_FULL", "SQLITE_IOERR_WRITE")


def connect(path: Path) -> sqlite3.Connection:
    """Open the file, which exists. Raises `sqlite3.Error`: it is none of SQLite, or somebody else has it open."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=0)
    try:
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        with transaction(connection):
            pass  # takes the lock, and undoes what a killed process left half-way
    except BaseException:
        connection.close()
        raise
    return connection


class transaction:
    """All that is executed meanwhile, or nothing of it. Raises `sqlite3.Error`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._connection.execute("COMMIT")
        else:
            with suppress(*FLAWS):  # some errors have ended it already
                self._connection.execute("ROLLBACK")


def told(error: Exception, path: Path) -> str:
    """Why the file cannot be used (one of `FLAWS`), and what mends it."""
    if isinstance(error, UnicodeDecodeError) or str(error).startswith(QUOTING):
        return "it is damaged"
    name = getattr(error, "sqlite_errorname", None)
    text = f"{error} ({name})" if name else str(error)
    return f"{text}; make room on its file system (df {path.parent})" if name in _FULL else text


def remove(path: Path) -> str | None:
    """The file with what SQLite keeps beside it, so that no later start reads it: what hinders that, in words, or None.

    The file goes first: a journal alone is nothing, a file without its journal would be half a transaction.
    """
    try:
        path.unlink(missing_ok=True)
        for suffix in ("-journal", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
    except OSError as error:
        with suppress(OSError):
            os.truncate(path, 0)
            return None
        return f"it cannot be removed either ({error.strerror}): remove {path} before the next start"
    return None


class SqliteStore:
    """`Store` in a file that is open, with the tables of the present format."""

    def __init__(self, connection: sqlite3.Connection, path: Path, seal: Seal) -> None:
        self._connection = connection
        self._tables = Tables(connection, seal)
        self._path = path
        self._invalid: str | None = None

    @property
    def invalid(self) -> str | None:
        """See `Store.invalid`."""
        return self._invalid

    def put(self, *changes: Changes) -> str | None:
        """See `Store.put`."""
        return self._write(lambda: self._tables.write(*changes)) if any(changes) else None

    def load(self) -> Iterator[StoredPeer]:
        """See `Store.load`."""
        return self._read(lambda: map(self._tables.read, self._tables.peers()))

    def place(self, placed: Mapping[str, Placed | None]) -> str | None:
        """See `Store.place`."""
        return self._write(lambda: self._tables.place(placed)) if placed else None

    def placed(self) -> Iterator[tuple[str, Placed]]:
        """See `Store.placed`."""
        return self._read(self._tables.placed)

    def invalidate(self, reason: str) -> str | None:
        """See `Store.invalidate`."""
        if self._invalid is not None:
            return None
        self._invalid = reason
        self.close()
        return without(self._path, reason)

    def _write(self, rows: Callable[[], object]) -> str | None:
        if self._invalid is not None:
            return None
        try:
            with transaction(self._connection):
                rows()
        except FLAWS as error:
            return self.invalidate(f"it cannot be written: {told(error, self._path)}")
        return None

    def _read(self, rows: Callable[[], Iterator[T]]) -> Iterator[T]:
        if self._invalid is not None:
            return
        try:
            yield from rows()
        except FLAWS as error:
            reason = f"it cannot be read: {told(error, self._path)}"
        else:
            return
        raise Unreadable(self.invalidate(reason) or reason)

    def close(self) -> None:
        """See `Store.close`."""
        with suppress(*FLAWS):
            self._connection.close()


def without(path: Path, reason: str) -> str:
    """Remove the store; the sentence that says so."""
    hindrance = remove(path)
    end = f"; {hindrance}" if hindrance else ""
    return f"the store {path} is given up, {reason}{end}; the next start will know none of the peers"
