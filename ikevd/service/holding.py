"""Who keeps the IKE sockets open while no ikevd runs: ESP in UDP goes on as long as somebody has the socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple, Protocol

Kind = Literal["service manager", "process", "none"]


class Held(NamedTuple):
    """A socket of an earlier process, and the name under which it was kept."""

    name: str
    socket: socket.socket


class Holding(Protocol):
    """Keeps sockets open beyond this process. Raises nothing: without it a restart only loses some packets."""

    kind: Kind

    @property
    def pid(self) -> int | None:
        """Of the process that holds them, where it is one of ours and stands."""

    @property
    def problem(self) -> str | None:
        """Why the sockets would not outlive this process, where they should."""

    @property
    def outlives_stop(self) -> bool:
        """Are they held when the daemon is stopped and not started again at once? (Over a crash and a restart they
        are.)"""

    def inherited(self) -> list[Held]:
        """What an earlier process left; the caller closes what it does not want. Only at the first call."""

    def keep(self, sockets: Mapping[str, socket.socket]) -> None:
        """Exactly these are held from now on; the others are closed when this returns, so that their ports are free."""

    def outlast(self, seconds: float) -> None:
        """So long they are held for a process that ended and has no successor."""

    def release(self) -> None:
        """Nobody needs them any more."""

    def close(self) -> None:
        """This process ends; what is held stays held."""


class NoHolding:
    """The configuration wants no holder."""

    kind: Kind = "none"
    pid: int | None = None
    problem: str | None = None
    outlives_stop = False

    def __init__(self, inherited: Iterable[Held] = ()) -> None:
        self._inherited = list(inherited)

    def inherited(self) -> list[Held]:
        """What a holder of before had."""
        inherited, self._inherited = self._inherited, []
        return inherited

    def keep(self, sockets: Mapping[str, socket.socket]) -> None:
        """They end with this process."""

    def outlast(self, seconds: float) -> None:
        """They do not."""

    def release(self) -> None:
        """There is nobody to tell."""

    def close(self) -> None:
        """There is nothing to close."""


class Books:
    """What is held, by name: the sockets themselves, not only their names, tell whether something changed."""

    def __init__(self) -> None:
        self._held: dict[str, set[int]] = {}

    def note(self, name: str, kept: socket.socket) -> None:
        """It is held, perhaps beside others of that name."""
        self._held.setdefault(name, set()).add(_inode(kept))

    def changes(self, wanted: Mapping[str, socket.socket]) -> tuple[list[str], list[str]]:
        """Names that must go, and names of `wanted` that must be handed over after that; noted as done."""
        meant = {name: {_inode(kept)} for name, kept in wanted.items()}
        gone = [name for name, held in self._held.items() if held != meant.get(name)]
        fresh = [name for name in wanted if self._held.get(name) != meant[name]]
        self._held = meant
        return gone, fresh


def _inode(kept: socket.socket) -> int:
    return os.fstat(kept.fileno()).st_ino
