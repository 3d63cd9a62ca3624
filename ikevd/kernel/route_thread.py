"""A thread in which the kernel is asked for links and routes over rtnetlink, one request after the other.

The kernel takes tens of milliseconds to remove an interface, and may load a module to make one. The thread and its
socket are made when they are first needed.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Self, TypeVar

from ikevd.kernel.network_namespaces import route_socket_in
from ikevd.kernel.refusals import refused
from ikevd.kernel.route_socket import RouteSocket

T = TypeVar("T")
R = TypeVar("R")


class RouteThread:
    """Of the network namespace of the thread in which it is opened, or else first used, with the capability
    CAP_NET_ADMIN; of those that are named with CAP_SYS_ADMIN too. Used inside a running loop."""

    def __init__(self, vrf: str = "") -> None:
        """`vrf`: in which the peers are reached; empty: in none."""
        self._vrf = vrf
        self._thread: ThreadPoolExecutor | None = None
        self._opened: RouteSocket | None = None
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> None:
        """Here and now. Raises `KernelRefused`."""
        self._socket()
        self._ready().submit(int).result()  # a thread is of the namespace in which it was begun

    def close(self) -> None:
        """For good. The one request that is under way is done first; what waits behind it is cancelled. Idempotent."""
        self._closed = True
        if self._thread is not None:
            self._thread.shutdown(cancel_futures=True)
        if self._opened is not None:
            self._opened.close()
        self._thread = self._opened = None

    async def _run(self, step: Callable[[RouteSocket, T], R], what: T, namespace: str = "") -> R:
        netlink = self._socket()
        if namespace:
            step = partial(_there, namespace, step)
        try:
            answer = asyncio.get_running_loop().run_in_executor(self._ready(), step, netlink, what)
        except RuntimeError as error:
            self._thread = None  # it would hold the request that it could not begin
            raise refused("begin a thread for links and routes", errno.EAGAIN, str(error)) from error
        return await answer

    def _ready(self) -> ThreadPoolExecutor:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="links")
        return self._thread

    def _socket(self) -> RouteSocket:
        if self._closed:
            raise refused("ask for links and routes, which are closed", errno.ESHUTDOWN)
        if self._opened is None:
            try:
                self._opened = RouteSocket()
            except OSError as error:
                raise refused("open the kernel's interface to links and routes", error.errno or errno.EIO) from error
        return self._opened


def _there(namespace: str, step: Callable[[RouteSocket, T], R], _: RouteSocket, what: T) -> R:
    """In the thread."""
    with route_socket_in(namespace) as netlink:
        return step(netlink, what)
