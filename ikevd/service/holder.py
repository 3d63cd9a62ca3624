"""ikevd's end of the holder of its sockets (`holder_process`): found, started, started anew when it dies.

Its program is read when ikevd starts and handed to each new holder in memory (memfd). The holder runs without
site-packages and without our environment, which may hold keys.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from ikevd.service import holder_process
from ikevd.service.former_holder import FormerHolder
from ikevd.service.holding import Books, Held, Kind

PROGRAM = Path(holder_process.__file__).read_bytes()
"""Read when ikevd starts: an upgrade may replace the file under a running daemon."""
ANEW = 0.5
"""Seconds after which a dead holder gets a successor; twice as many each time while none lives for `STEADY`."""
AT_MOST = 60.0
STEADY = 10.0
SEND_SECONDS = 1.0
PROGRAM_AT = 3
"""The descriptor of the program in the new process; 0 to 2 are the standard ones."""


class HolderProcess:
    """A `Holding` by a process of our own. Make it inside the running loop, with the lock of the runtime folder."""

    kind: Kind = "process"
    outlives_stop = True

    def __init__(
        self,
        folder: Path,
        former: FormerHolder | None,
        on_trouble: Callable[[str], None],
        others: Iterable[Held] = (),
    ) -> None:
        """`folder`: where its socket stands. `former`: what an earlier ikevd left goes on. `others`: sockets that came
        from elsewhere."""
        self._folder = folder
        self._on_trouble = on_trouble
        self._books = Books()
        self._sockets: Mapping[str, socket.socket] = {}
        self._outlast = 0.0
        self._pauses = Pauses()
        self._child = _Child()
        self._timer: asyncio.TimerHandle | None = None
        self._connection: socket.socket | None = None
        self._inherited = [*(former.held if former else ()), *others]
        self.pid: int | None = None
        self.problem: str | None = "their holder has not started yet"
        if former is not None:
            for held in former.held:
                self._books.note(*held)
            self._connected(former.connection)
            self._standing(former.pid)

    def inherited(self) -> list[Held]:
        """What the holder had."""
        inherited, self._inherited = self._inherited, []
        return inherited

    def keep(self, sockets: Mapping[str, socket.socket]) -> None:
        """The holder has closed the rest when this returns. Starts one where none is."""
        self._sockets = dict(sockets)
        gone, fresh = self._books.changes(sockets)
        if self._connection is None:
            if sockets:
                self._start()
            return
        for name in gone:
            self._tell(f"drop {name}")
        if gone:
            self._sync(self._connection)
        for name in fresh:
            self._tell(f"keep {name}", sockets[name])

    def outlast(self, seconds: float) -> None:
        """So long the holder waits for the next ikevd."""
        self._outlast = seconds
        self._tell(f"outlast {seconds:.3f}")

    def release(self) -> None:
        """The holder ends."""
        self._tell("end")
        self.close()

    def close(self) -> None:
        """The holder stays. Idempotent."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._disconnect()
        self._child.close()

    def _start(self) -> None:
        self._timer = None
        self._child.reap()
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its:
            try:
                self._child.start(self._folder, its)
            except OSError as error:
                ours.close()
                self._again(f"their holder cannot be started: {error.strerror}")
                return
        self._connected(ours)
        self._tell(f"outlast {self._outlast:.3f}")
        for name, kept in self._sockets.items():
            self._tell(f"keep {name}", kept)

    def _connected(self, connection: socket.socket) -> None:
        connection.settimeout(SEND_SECONDS)
        self._connection = connection
        asyncio.get_running_loop().add_reader(connection.fileno(), self._heard)

    def _standing(self, pid: int | None) -> None:
        self.pid, self.problem = pid, None
        self._pauses.stands(asyncio.get_running_loop().time())

    def _sync(self, connection: socket.socket) -> None:
        """Wait until it has done what it was told."""
        self._tell("sync")
        try:
            while (packet := connection.recv(holder_process.MAX_PACKET)) not in (b"done", b""):
                self._understood(packet)
        except OSError as error:
            self._on_trouble(f"the holder of the UDP sockets does not answer: {error}")

    def _understood(self, packet: bytes) -> None:
        if packet.startswith(b"hello"):
            self._standing(self._child.pid)

    def _heard(self) -> None:
        """`hello`, or its end."""
        assert self._connection is not None
        try:
            packet = self._connection.recv(holder_process.MAX_PACKET)
        except OSError:
            packet = b""
        if packet:
            self._understood(packet)
        else:
            self._disconnect()
            self._again("their holder ended")

    def _again(self, why: str) -> None:
        loop = asyncio.get_running_loop()
        pause = self._pauses.next(loop.time())
        self.pid, self.problem = None, f"{why}; another one is started"
        self._on_trouble(f"the UDP sockets would not outlive ikevd: {self.problem} in {pause:g} s")
        self._timer = loop.call_later(pause, self._start)

    def _tell(self, words: str, *kept: socket.socket) -> None:
        """Where it has ended `_heard` learns of it."""
        if self._connection is None:
            return
        try:
            socket.send_fds(self._connection, [words.encode()], [one.fileno() for one in kept])
        except OSError:
            pass

    def _disconnect(self) -> None:
        if self._connection is not None:
            asyncio.get_running_loop().remove_reader(self._connection.fileno())
            self._connection.close()
            self._connection = None


class Pauses:
    """Before the next one is started."""

    def __init__(self) -> None:
        self._next = ANEW
        self._since: float | None = None

    def stands(self, now: float) -> None:
        """One stands from now on."""
        self._since = now

    def next(self, now: float) -> float:
        """It stands no more: seconds to wait."""
        steady = self._since is not None and now - self._since >= STEADY
        pause, self._since = ANEW if steady else self._next, None
        self._next = min(pause * 2, AT_MOST)
        return pause


class _Child:
    """The process, where we have started it."""

    def __init__(self) -> None:
        self.pid: int | None = None
        self._started = set[int]()
        self._program = os.memfd_create("ikevd-holder")
        os.write(self._program, PROGRAM)

    def start(self, folder: Path, its: socket.socket) -> None:
        """With an empty environment (ours may hold keys) and no other descriptor. Raises `OSError`."""
        self.pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-I", "-S", f"/proc/self/fd/{PROGRAM_AT}", str(folder.resolve())],
            {},
            file_actions=[
                (os.POSIX_SPAWN_DUP2, its.fileno(), 0),
                (os.POSIX_SPAWN_DUP2, self._program, PROGRAM_AT),
                (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
        )
        self._started.add(self.pid)

    def reap(self) -> None:
        """What those that have ended leave is taken away."""
        for pid in tuple(self._started):
            try:
                ended = os.waitpid(pid, os.WNOHANG)[0]
            except ChildProcessError:
                ended = pid
            if ended:
                self._started.discard(pid)

    def close(self) -> None:
        """The processes go on."""
        self.reap()
        if self._program >= 0:
            os.close(self._program)
            self._program = -1
