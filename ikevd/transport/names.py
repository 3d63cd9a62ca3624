"""Names as the system resolves them: /etc/hosts, DNS and what else nsswitch.conf(5) names. That blocks, so it runs in
few threads, each of which takes its own time to give up.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import threading
from collections.abc import Sequence
from ipaddress import ip_address

from ikevd.addresses import Address

THREADS = 4


class Resolver:
    """Of one daemon. Make it inside the running loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._room = asyncio.Semaphore(THREADS)

    async def lookup(self, name: str) -> Sequence[Address]:
        """In the order in which the system would call them (RFC 6724), each once. Waits for a free thread, which goes
        on where the caller gives up. Raises OSError."""
        await self._room.acquire()
        answer: asyncio.Future[Sequence[Address]] = self._loop.create_future()
        thread = threading.Thread(target=self._run, args=(name, answer), name=f"resolve {name}", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # the machine has none left
            self._room.release()
            raise OSError(errno.EAGAIN, str(error)) from error
        return await answer

    def _run(self, name: str, answer: asyncio.Future[Sequence[Address]]) -> None:
        """In a thread that keeps no process from ending."""
        try:
            found: Sequence[Address] | OSError = resolve(name)
        except OSError as error:
            found = error
        try:
            self._loop.call_soon_threadsafe(self._settle, answer, found)
        except RuntimeError:  # the loop is closed meanwhile
            return

    def _settle(self, answer: asyncio.Future[Sequence[Address]], found: Sequence[Address] | OSError) -> None:
        self._room.release()
        if answer.done():
            return
        if isinstance(found, OSError):
            answer.set_exception(found)
        else:
            answer.set_result(found)


def resolve(name: str) -> Sequence[Address]:
    """Blocks. Raises OSError."""
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_DGRAM)
    except UnicodeError as error:
        raise OSError(0, "it is no name that can be asked for") from error
    addresses = dict.fromkeys(ip_address(str(where[0]).partition("%")[0]) for *_, where in found)
    return [address for address in addresses if _may_be_a_peer(address)]


def _may_be_a_peer(address: Address) -> bool:
    return not (address.is_unspecified or address.is_loopback or address.is_multicast or address.is_link_local)
