"""A service manager for tests: a real NOTIFY_SOCKET, a file descriptor store, and a program started below it as
systemd would."""

from __future__ import annotations

import array
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, TypeVar

from tests.eventually import PATIENCE
from tests.service import launch

_UCRED = struct.Struct("=iII")
_ANCILLARY = socket.CMSG_SPACE(_UCRED.size) + socket.CMSG_SPACE(64 * array.array("i").itemsize)
_LAUNCH = str(launch.__file__)


class Program(Protocol):
    """What `subprocess.Popen` has of a process."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def send_signal(self, sig: int, /) -> None: ...

    def kill(self) -> None: ...


P = TypeVar("P", bound=Program)
Handed = Sequence[tuple[str, int]]
"""Descriptors for a program, each with its name."""


class DescriptorStore:
    """FileDescriptorStoreMax= of a unit: descriptors by name, each open file once."""

    def __init__(self) -> None:
        self._kept: list[tuple[str, int, bool]] = []
        """Name, descriptor, and whether an error or hang-up removes it (FDPOLL)."""

    def __iter__(self) -> Iterator[tuple[str, int]]:
        return iter([(name, descriptor) for name, descriptor, _ in self._kept])

    @property
    def names(self) -> list[str]:
        """What is stored, sorted."""
        return sorted(name for name, _ in self)

    def hear(self, fields: Mapping[str, str], descriptors: Sequence[int]) -> None:
        """What a message says about the store."""
        name = fields.get("FDNAME", "stored")  # a barrier's descriptor is closed by this, which is its answer
        if fields.get("FDSTOREREMOVE") == "1":
            self._remove(lambda other, _: other == name)
        for descriptor in descriptors:
            known = any(os.path.sameopenfile(descriptor, other) for _, other in self)
            if fields.get("FDSTORE") == "1" and not known:
                self._kept.append((name, descriptor, fields.get("FDPOLL") != "0"))
            else:
                os.close(descriptor)

    def poll(self) -> None:
        """systemd watches each for EPOLLERR and EPOLLHUP unless FDPOLL=0 was said."""
        watched = select.poll()
        for _, descriptor, polled in self._kept:
            if polled:
                watched.register(descriptor, 0)
        broken = {descriptor for descriptor, _ in watched.poll(0)}
        self._remove(lambda _, descriptor: descriptor in broken)

    def clear(self) -> None:
        """The unit has stopped."""
        self._remove(lambda *_: True)

    def _remove(self, meant: Callable[[str, int], bool]) -> None:
        kept = []
        for name, descriptor, polled in self._kept:
            if meant(name, descriptor):
                os.close(descriptor)
            else:
                kept.append((name, descriptor, polled))
        self._kept = kept


class ServiceManager:
    """Start one program, again if need be, and hear what it notifies; like NotifyAccess=main it hears nobody else.

    `with ServiceManager(tmp_path / "notify") as manager: manager.start([...]); manager.expect("READY=1")`
    A name that starts with `@` is taken in the abstract namespace. The program does not outlive the `with`. What it
    stores is handed to the next one that is started after a crash (`process.kill()`) or `end()`; `stop()` forgets it.
    """

    def __init__(self, address: Path | str, *, watchdog: float | None = None) -> None:
        """`watchdog` is WatchdogSec, in seconds."""
        self._text = str(address)
        self._watchdog = watchdog
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._program: Program | None = None
        self.unread = deque[dict[str, str]]()
        """Messages, oldest first."""
        self.store = DescriptorStore()
        self.strangers = 0
        """Messages of other processes than the program."""

    def __enter__(self) -> ServiceManager:
        self._socket.bind("\0" + self._text[1:] if self._text.startswith("@") else self._text)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._program is not None and self._program.poll() is None:
            self._program.kill()
            self._program.wait()
        self.settle()
        self.store.clear()
        self._socket.close()

    def environ(self, base: Mapping[str, str] = os.environ) -> dict[str, str]:
        """What the program finds in its environment; `start` adds WATCHDOG_PID and LISTEN_FDS."""
        ours = {"NOTIFY_SOCKET": self._text}
        if self._watchdog is not None:
            ours["WATCHDOG_USEC"] = str(round(self._watchdog * 1_000_000))
        return {**base, **ours}

    def start(
        self, command: Sequence[str | Path], *, env: Mapping[str, str] = os.environ, **popen: object
    ) -> subprocess.Popen[bytes]:
        """Start the program with what is stored; other keywords go to `Popen`."""

        def begin(environ: Mapping[str, str], stored: Handed) -> subprocess.Popen[bytes]:
            handed = ",".join(f"{name}={descriptor}" for name, descriptor in stored)
            argv = [sys.executable, "-I", "-S", _LAUNCH, handed, *map(str, command)]
            program: subprocess.Popen[bytes] = subprocess.Popen(  # type: ignore[call-overload]
                argv, env=environ, pass_fds=[descriptor for _, descriptor in stored], **popen
            )
            return program

        return self.begin(begin, env)

    def begin(self, begin: Callable[[Mapping[str, str], Handed], P], env: Mapping[str, str]) -> P:
        """Start the program by a function that is given its environment and what is stored."""
        self.settle()
        self._program = program = begin(self.environ(env), list(self.store))
        return program

    def settle(self) -> None:
        """Take in what was said so far, as a service manager does that is never away."""
        while self._hear(0):
            pass
        self.store.poll()

    def receive(self, within: float = PATIENCE) -> dict[str, str]:
        """The next message of the program as its fields; `TimeoutError` if none comes."""
        deadline = time.monotonic() + within
        while not self.unread:
            if not self._hear(max(deadline - time.monotonic(), 0.001)):
                raise TimeoutError
        return self.unread.popleft()

    def _hear(self, within: float) -> bool:
        """Take in one message; False if none comes."""
        if not select.select([self._socket], [], [], within)[0]:
            return False
        data, ancillary, _, _ = self._socket.recvmsg(4096, _ANCILLARY)
        pid, descriptors = 0, array.array("i")
        for _, kind, octets in ancillary:
            if kind == socket.SCM_CREDENTIALS:
                pid = _UCRED.unpack(octets)[0]
            else:
                descriptors.frombytes(octets)
        if self._program is not None and pid != self._program.pid:
            self.strangers += 1
            for descriptor in descriptors:
                os.close(descriptor)
            return True
        fields = dict(line.split("=", 1) for line in data.decode().splitlines())
        self.store.hear(fields, descriptors)
        self.unread.append(fields)
        return True

    def expect(self, field: str, within: float = PATIENCE) -> dict[str, str]:
        """The next message with `field` (as `READY=1`); others before it are passed over."""
        name, value = field.split("=", 1)
        deadline = time.monotonic() + within
        while True:
            message = self.receive(max(deadline - time.monotonic(), 0.001))
            if message.get(name) == value:
                return message

    def end(self, within: float = 5.0, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask the program to end as `systemctl restart` does, its store kept; its exit code."""
        assert self._program is not None
        self._program.send_signal(number)
        code = self._program.wait(within)
        self.settle()
        return code

    def stop(self, within: float = 5.0, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask the program to end as `systemctl stop` does; its exit code."""
        code = self.end(within, number)
        self.store.clear()
        return code
