"""A service manager for tests: a real NOTIFY_SOCKET, and a program started below it as systemd would."""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from tests.eventually import PATIENCE

_UCRED = struct.Struct("=iII")
_WITH_PID = 'WATCHDOG_PID=$$; export WATCHDOG_PID; exec "$@"'
"""The pid of the program is not known before it runs; `exec` keeps that of the shell."""


class ServiceManager:
    """Start one program and hear what it notifies; like NotifyAccess=main it hears nobody else.

    `with ServiceManager(tmp_path / "notify") as manager: manager.start([...]); manager.expect("READY=1")`
    A name that starts with `@` is taken in the abstract namespace. The program does not outlive the `with`.
    """

    def __init__(self, address: Path | str, *, watchdog: float | None = None) -> None:
        """`watchdog` is WatchdogSec, in seconds."""
        self._text = str(address)
        self._watchdog = watchdog
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._program: subprocess.Popen[bytes] | None = None
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
        self._socket.close()

    def environ(self, base: Mapping[str, str] = os.environ) -> dict[str, str]:
        """What the program finds in its environment; WATCHDOG_PID is added by `start`."""
        ours = {"NOTIFY_SOCKET": self._text}
        if self._watchdog is not None:
            ours["WATCHDOG_USEC"] = str(round(self._watchdog * 1_000_000))
        return {**base, **ours}

    def start(self, command: Sequence[str | Path], **popen: object) -> subprocess.Popen[bytes]:
        """Start the program; keywords go to `Popen`."""
        argv = ["/bin/sh", "-c", _WITH_PID, "sh", *map(str, command)]
        self._program = subprocess.Popen(argv, env=self.environ(), **popen)  # type: ignore[call-overload]
        return self._program

    def receive(self, within: float = PATIENCE) -> dict[str, str]:
        """The next message of the program as its fields; `TimeoutError` if none comes."""
        deadline = time.monotonic() + within
        while True:
            self._socket.settimeout(max(deadline - time.monotonic(), 0.001))
            data, ancillary, _, _ = self._socket.recvmsg(4096, socket.CMSG_SPACE(_UCRED.size))
            pid = next((_UCRED.unpack(octets)[0] for _, kind, octets in ancillary if kind == socket.SCM_CREDENTIALS), 0)
            if self._program is not None and pid != self._program.pid:
                self.strangers += 1
                continue
            return dict(line.split("=", 1) for line in data.decode().splitlines())

    def expect(self, field: str, within: float = PATIENCE) -> dict[str, str]:
        """The next message with `field` (as `READY=1`); others before it are passed over."""
        name, value = field.split("=", 1)
        deadline = time.monotonic() + within
        while True:
            message = self.receive(deadline - time.monotonic())
            if message.get(name) == value:
                return message

    def stop(self, within: float = 5.0, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask the program to end as `systemctl stop` does; its exit code."""
        assert self._program is not None
        self._program.send_signal(number)
        return self._program.wait(within)
