"""systemd's file descriptor store (FileDescriptorStoreMax= in systemd.service(5)) holds the IKE sockets."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping

from ikevd.service.holding import Books, Held, Kind
from ikevd.service.notify import Notifier


class DescriptorStore:
    """A `Holding`. systemd never says whether it stored something: without FileDescriptorStoreMax= it does not.

    It keeps them across a restart and a crash, across `systemctl stop` only from systemd 254 on, where the unit has
    FileDescriptorStorePreserve=yes.
    """

    kind: Kind = "service manager"
    pid: int | None = None

    def __init__(
        self,
        notifier: Notifier,
        stored: Iterable[Held],
        others: Iterable[Held] = (),
        *,
        outlives_stop: bool = False,
    ) -> None:
        """`stored` came from the store, `others` from elsewhere. `outlives_stop`: is it systemd 254 or later, which
        sets FDSTORE?"""
        self._notifier = notifier
        self.outlives_stop = outlives_stop
        self._books = Books()
        for held in (stored := list(stored)):
            self._books.note(*held)
        self._inherited = stored + list(others)
        self.problem: str | None = None

    def inherited(self) -> list[Held]:
        """What systemd handed down."""
        inherited, self._inherited = self._inherited, []
        return inherited

    def keep(self, sockets: Mapping[str, socket.socket]) -> None:
        """The rest has left the store when this returns."""
        gone, fresh = self._books.changes(sockets)
        told = [self._notifier.remove(name) for name in gone]
        told += [self._notifier.barrier()] if gone else []
        told += [self._notifier.store(name, sockets[name]) for name in fresh]
        self.problem = None if all(told) else "the service manager did not hear of all sockets"

    def outlast(self, seconds: float) -> None:
        """systemd knows no limit."""

    def release(self) -> None:
        """The store becomes empty, a moment later."""
        for name in self._books.changes({})[0]:
            self._notifier.remove(name)

    def close(self) -> None:
        """systemd needs nobody who is alive."""
