"""What the contract of the store is tried on: something that outlives a store and that the next one is opened on."""

from __future__ import annotations

from typing import Protocol

from ikevd.store.interface import Store
from ikevd.store.memory import Disk, MemoryStore


class Medium(Protocol):
    """Holds what was written while no store is open."""

    def open(self) -> Store:
        """As a process does that starts."""

    def fill(self) -> None:
        """From here on nothing more can be written."""

    def scribble(self) -> None:
        """Make one of the stored records unreadable. No store is open."""


class InMemory:
    """A medium of `MemoryStore`."""

    def __init__(self) -> None:
        self._disk = Disk()

    def open(self) -> Store:
        return MemoryStore(self._disk)

    def fill(self) -> None:
        self._disk.full = True

    def scribble(self) -> None:
        for rows in self._disk.peers.values():
            rows.children = {name: octets[:-1] for name, octets in rows.children.items()}
