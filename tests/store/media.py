"""What the contract of the store is tried on: something that outlives a store and that the next one is opened on."""

from __future__ import annotations

import resource
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Protocol

from ikevd.crypto.secret import Secret
from ikevd.store.about import Place
from ikevd.store.interface import Store
from ikevd.store.memory import Disk, MemoryStore
from ikevd.store.opening import open_store

HERE = Place(boot="this boot", namespace=4711)


class Medium(Protocol):
    """Holds what was written while no store is open."""

    def open(self) -> Store:
        """As a process does that starts."""

    def full(self) -> AbstractContextManager[None]:
        """Meanwhile nothing more can be written."""

    def scribble(self) -> None:
        """Make one of the stored records unreadable. No store is open."""


class InMemory:
    """A medium of `MemoryStore`."""

    def __init__(self) -> None:
        self._disk = Disk()

    def open(self) -> Store:
        return MemoryStore(self._disk)

    @contextmanager
    def full(self) -> Iterator[None]:
        self._disk.full = True
        yield
        self._disk.full = False

    def scribble(self) -> None:
        for rows in self._disk.peers.values():
            rows.children = {name: octets[:-1] for name, octets in rows.children.items()}


class InFile:
    """A medium of `SqliteStore`."""

    def __init__(self, path: Path, key: Secret | None = None) -> None:
        self.path = path
        self.key = key
        """Under which it is sealed."""

    def open(self) -> Store:
        return open_store(self.path, HERE, "1.2.3", key=self.key, on_disk=True).store

    @contextmanager
    def full(self) -> Iterator[None]:
        with no_file_grows():
            yield

    def scribble(self) -> None:
        self.execute("UPDATE child SET record = substr(record, 2)")

    def execute(self, *statements: str) -> None:
        """On the file. No store is open."""
        with closing(sqlite3.connect(self.path)) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()


@contextmanager
def no_file_grows() -> Iterator[None]:
    """As on a file system whose quota is used up: nothing can be appended to any file of this process."""
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
