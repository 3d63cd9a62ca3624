"""NAT keepalives: one octet now and then, so that the NAT in front of us keeps its mapping (RFC 3948 section 4)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ikevd.addresses import Path


class Keepalive:
    """Sends while there is a path to keep; the session says which."""

    def __init__(self, interval: float, send: Callable[[Path], object], path: Callable[[], Path | None]) -> None:
        """`path` gives where to, or None when nothing is left that needs it; `interval` in seconds, 0 for never."""
        self._interval = interval
        self._send = send
        self._path = path
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin, unless it is at work."""
        if self._timer is None and self._interval:
            self._arm()

    def stop(self) -> None:
        """Send no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._interval, self._due)

    def _due(self) -> None:
        self._timer = None
        path = self._path()
        if path is not None:
            self._send(path)
            self._arm()
