"""sd_notify(3) by the standard library: the service manager learns that we are ready, and that we are alive."""

from __future__ import annotations

import array
import asyncio
import os
import select
import socket
import time
from collections.abc import Callable, Mapping
from typing import Self

PATIENCE = 1.0
"""Seconds that messages wait for a service manager whose queue is full; status and signs of life do not wait."""

Rights = tuple[int, int, "array.array[int]"]
"""Ancillary data that carries a descriptor (unix(7))."""


class Notifier:
    """Speaks to the socket that NOTIFY_SOCKET names; without one it does nothing. A context manager.

    The socket is opened once: the service manager hears us, too, when no descriptor is left.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Raises `OSError` where no socket can be made."""
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self.watchdog_interval = _watchdog_interval(environ) if self._address else None
        """Seconds within which the service manager wants a sign of life, or None."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    @property
    def heard(self) -> bool:
        """Is there a service manager to speak to?"""
        return self._address is not None

    def ready(self, status: str) -> None:
        """Sockets and kernel are ready: `systemctl start` returns."""
        self._send(f"READY=1\nSTATUS={_one_line(status)}", PATIENCE)

    def reloading(self) -> None:
        """The file is read again; `ready` follows, whatever comes of it. systemd matches the two by the time
        (Type=notify-reload, systemd 253 and later)."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}", PATIENCE)

    def stopping(self) -> None:
        """The daemon begins to take its tunnels down."""
        self._send("STOPPING=1\nSTATUS=taking tunnels down", PATIENCE)

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._send(f"STATUS={_one_line(text)}")

    def alive(self) -> None:
        """A sign of life for the watchdog."""
        self._send("WATCHDOG=1")

    def store(self, name: str, kept: socket.socket) -> bool:
        """Have the service manager keep a descriptor beyond this process (sd_pid_notify_with_fds(3)); False where it
        could not be told. `name`: printable ASCII without colons, at most 255.

        FDPOLL=0: else systemd would drop it at the first ICMP error, which waits on our sockets until it is read.
        """
        return self._send(f"FDSTORE=1\nFDNAME={name}\nFDPOLL=0", PATIENCE, _rights(kept.fileno()))

    def remove(self, name: str) -> bool:
        """Have the service manager close every descriptor that it keeps under this name; else as `store`."""
        return self._send(f"FDSTOREREMOVE=1\nFDNAME={name}", PATIENCE)

    def barrier(self) -> bool:
        """Wait until everything said so far is done (sd_notify_barrier(3)): a descriptor that goes with the message is
        closed then. False where that takes too long."""
        ours, its = os.pipe2(os.O_CLOEXEC)
        try:
            sent = self._send("BARRIER=1", PATIENCE, _rights(its))
        finally:
            os.close(its)
        try:
            watched = select.poll()
            watched.register(ours, 0)  # a hang-up is always told
            return sent and bool(watched.poll(PATIENCE * 1000))
        finally:
            os.close(ours)

    def _send(self, message: str, patience: float = 0.0, *ancillary: Rights) -> bool:
        if self._address is None:
            return False
        self._socket.settimeout(patience)
        try:
            self._socket.sendmsg([message.encode()], ancillary, 0, self._address)
        except OSError:
            return False  # a service manager that went away must not take the tunnels with it
        return True


async def watchdog(notifier: Notifier, healthy: Callable[[], bool]) -> None:
    """Give signs of life at twice the wanted rate for as long as `healthy()`; returns at once without a watchdog.

    It runs in the daemon's loop, so a loop that hangs is silent too, and the service manager restarts the daemon.
    """
    if notifier.watchdog_interval is None:
        return
    while True:
        if healthy():
            notifier.alive()
        await asyncio.sleep(notifier.watchdog_interval / 2)


def _rights(descriptor: int) -> Rights:
    return socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor])


def _address(text: str) -> str | None:
    """A path, or `@name` in the abstract namespace; systemd's other forms (vsock) are for virtual machines."""
    if text.startswith("@"):
        return "\0" + text[1:]
    return text if text.startswith("/") else None


def _watchdog_interval(environ: Mapping[str, str]) -> float | None:
    """From WATCHDOG_USEC, unless WATCHDOG_PID says that another process is meant (sd_watchdog_enabled(3))."""
    microseconds, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not microseconds.isdecimal() or int(microseconds) == 0 or (pid and pid != str(os.getpid())):
        return None
    return int(microseconds) / 1_000_000


def _one_line(text: str) -> str:
    """The protocol separates its fields by newlines."""
    return " ".join(text.splitlines())
