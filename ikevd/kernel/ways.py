"""Addresses, links and routes of this machine (rtnetlink(7)): that something of them has changed, and whether an
address is ours now.

What has changed is not read: on a router that learns a million routes that would be all its work. An event opens a
short pause in which nothing is read, then what matters is asked for. Whether an address is ours is asked of the routing
tables, since a socket may be bound to what is not there.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable, Iterable
from itertools import count

from ikevd.addresses import Address
from ikevd.kernel.netlink import (
    NETLINK_ROUTE,
    NLM_F_REQUEST,
    RECEIVE_OCTETS,
    Message,
    attribute,
    open_netlink,
    pack,
    split,
)
from ikevd.kernel.route_layout import INDEX, RTA_DST, RTA_OIF, RTM_GETROUTE, RTM_NEWROUTE, RTMSG
from ikevd.kernel.surroundings import addresses
from ikevd.kernel.xfrm_layout import family_of
from ikevd.readable import Readable

GROUPS = 1, 5, 7, 9, 11
"""RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV6_ROUTE"""
NETLINK_NETFILTER, NFTABLES = 12, (7,)
"""Of nftables (NFNLGRP_NFTABLES)."""
TYPE = 7
LOCAL = 2
"""RTN_LOCAL: what goes there is for this machine."""
BUFFER = 64 * 1024
"""What overflows it tells no more than what it holds."""
SETTLE = 0.1
"""Seconds: many changes come together, and are told as one."""
SECONDS = 1.0


class WayEvents:
    """Calls `changed` soon after anything has changed, at most once in `SETTLE`. Make it inside the running loop.
    Raises OSError."""

    def __init__(
        self, changed: Callable[[], None], family: int = NETLINK_ROUTE, groups: Iterable[int] = GROUPS
    ) -> None:
        """`groups` of netlink, whose messages tell that something has changed."""
        self._changed = changed
        self._loop = asyncio.get_running_loop()
        self._later: asyncio.TimerHandle | None = None
        self._socket = open_netlink(family, groups, _small)
        self._readable = self._watch()

    def close(self) -> None:
        """Idempotent."""
        if self._later is not None:
            self._later.cancel()
        self._readable.close()
        self._socket.close()

    def _watch(self) -> Readable:
        readable = Readable()
        readable.watch(self._socket, self._settle)
        return readable

    def _settle(self) -> None:
        """Nothing is read meanwhile."""
        self._readable.close()
        self._later = self._loop.call_later(SETTLE, self._tell)

    def _tell(self) -> None:
        self._discard()
        self._readable = self._watch()
        self._changed()

    def _discard(self) -> None:
        for _ in range(BUFFER // RTMSG.size):
            try:
                self._socket.recv(1)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise


def nftables_events(changed: Callable[[], None]) -> WayEvents:
    """The same of the rules of nftables."""
    return WayEvents(changed, NETLINK_NETFILTER, NFTABLES)


class Locals:
    """Which addresses are ours now. Raises OSError."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_ROUTE)
        self._socket.settimeout(SECONDS)
        self._sequence = count(1)

    def close(self) -> None:
        """Idempotent."""
        self._socket.close()

    def has(self, address: Address) -> bool:
        """Would a packet to it be delivered here? One of a VRF is found by way of its interface alone."""
        return self._is_local(address) or any(self._is_local(address, index) for index in _interfaces_of(address))

    def _is_local(self, address: Address, interface: int = 0) -> bool:
        body = RTMSG.pack(family_of(address), address.max_prefixlen, 0, 0, 0, 0, 0, 0, 0)
        body += attribute(RTA_DST, address.packed)
        body += attribute(RTA_OIF, INDEX.pack(interface)) if interface else b""
        try:
            answer = self._ask(next(self._sequence) & 0xFFFFFFFF, body)
        except OSError:
            return True  # nobody knows: a send will tell
        return answer.kind == RTM_NEWROUTE and answer.body[TYPE] == LOCAL

    def _ask(self, sequence: int, body: bytes) -> Message:
        """The kernel answers while we send."""
        self._socket.send(pack(RTM_GETROUTE, NLM_F_REQUEST, sequence, 0, body))
        while True:
            for answer in split(self._socket.recv(RECEIVE_OCTETS)):
                if answer.sequence == sequence:
                    return answer


def _interfaces_of(address: Address) -> list[int]:
    try:
        return [socket.if_nametoindex(found.interface) for found in addresses() if found.address == address]
    except OSError:
        return []


def _small(opened: socket.socket) -> None:
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
