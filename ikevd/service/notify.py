"""Readiness and watchdog by systemd's protocol (sd_notify(3)): one datagram, no library."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Mapping

MICROSECONDS = 1_000_000


class Notifier:
    """Tells the service manager; silent where there is none (`NOTIFY_SOCKET` is not set)."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        ours = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.watchdog_interval = int(environ.get("WATCHDOG_USEC", "0")) / MICROSECONDS if ours else 0.0
        """Seconds within which the manager wants a sign of life; 0 where it wants none."""

    def ready(self, status: str) -> None:
        """Sockets and kernel are ready."""
        self._send(f"READY=1\nSTATUS={status}")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._send(f"STATUS={text}")

    def stopping(self) -> None:
        """The end has begun."""
        self._send("STOPPING=1\nSTATUS=taking tunnels down")

    def alive(self) -> None:
        """A sign of life."""
        self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
            try:
                out.sendto(message.encode(), address)
            except OSError:
                return  # the manager went away; it will start us again if it comes back


async def watchdog(notifier: Notifier, healthy: Callable[[], bool]) -> None:
    """A sign of life at half the interval, for as long as `healthy` says so."""
    if not notifier.watchdog_interval:
        return
    while True:
        if healthy():
            notifier.alive()
        await asyncio.sleep(notifier.watchdog_interval / 2)
