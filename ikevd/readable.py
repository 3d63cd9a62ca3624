"""Sockets that no pending error silences: they stand behind one epoll descriptor, and the loop watches that.

Watched by itself, a socket with a pending error is dropped by uvloop (libuv answers POLLERR with "stop polling"): one
forged ICMP packet, or one burst that overflows a netlink buffer, would silence it for good.
"""

from __future__ import annotations

import asyncio
import select
import socket
from collections.abc import Callable


class Readable:
    """Make it inside the running loop. A callback is called as long as its socket has data or an error to read."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._on_error: dict[int, Callable[[], None]] = {}
        self._loop.add_reader(self._epoll.fileno(), self._wake)

    def watch(
        self, watched: socket.socket, callback: Callable[[], None], on_error: Callable[[], None] | None = None
    ) -> None:
        """Until `close`; close the socket after that. `on_error`, where it is given, is called first while the socket
        has an error to read."""
        self._epoll.register(watched, select.EPOLLIN)  # errors are always told
        self._callbacks[watched.fileno()] = callback
        if on_error is not None:
            self._on_error[watched.fileno()] = on_error

    def has_more(self, watched: socket.socket) -> bool:
        """Has it something to read still?"""
        waiting = self._epoll.poll(0)
        return bool(waiting) and watched.fileno() in dict(waiting)

    def close(self) -> None:
        """Idempotent; may be called from within a callback."""
        if not self._epoll.closed:
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()
            self._callbacks.clear()
            self._on_error.clear()

    def _wake(self) -> None:
        if self._epoll.closed:
            return
        for descriptor, events in self._epoll.poll(0):
            on_error = self._on_error.get(descriptor) if events & select.EPOLLERR else None
            if on_error is not None:
                on_error()
            callback = self._callbacks.get(descriptor)
            if callback is not None:  # else a callback closed us
                callback()
