"""A netlink socket that blocks, for a thread of its own: with interfaces and routes the kernel takes its time."""

from __future__ import annotations

import errno
import socket
from itertools import count

from ikevd.kernel.netlink import (
    NETLINK_CAP_ACK,
    NETLINK_EXT_ACK,
    NETLINK_ROUTE,
    NLM_F_ACK,
    NLM_F_DUMP,
    NLM_F_REQUEST,
    NLMSG_DONE,
    NLMSG_ERROR,
    RECEIVE_OCTETS,
    SOL_NETLINK,
    NetlinkError,
    pack,
    read_error,
    split,
)
from ikevd.kernel.rtnetlink import NETLINK_GET_STRICT_CHK

SECONDS = 20.0
"""For an answer: the kernel may have to load a module, or to wait for its other processors."""
AGAIN = 3
"""Dumps that were interrupted by a change, at most."""
NLM_F_DUMP_INTR = 0x10


class RouteSocket:
    """Of the network namespace of the thread that makes it. Raises OSError.

    Attributes: namespace, its name; empty: that of this process."""

    def __init__(self, namespace: str = "") -> None:
        self.namespace = namespace
        self._sequence = count(1)
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_ROUTE)
        self._socket.settimeout(SECONDS)
        for option in (NETLINK_EXT_ACK, NETLINK_CAP_ACK):
            self._socket.setsockopt(SOL_NETLINK, option, 1)
        self._filter_dumps()

    def _filter_dumps(self) -> None:
        """Linux before 4.20 cannot: its dumps have more than was asked for, which is passed over as it is read."""
        try:
            self._socket.setsockopt(SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1)
        except OSError as error:
            if error.errno != errno.ENOPROTOOPT:
                raise

    def close(self) -> None:
        """Idempotent."""
        self._socket.close()

    def ask(self, kind: int, body: bytes, flags: int = 0) -> list[bytes]:
        """The bodies of the answers, none for a mere yes. Raises `NetlinkError`."""
        return self._request(kind, NLM_F_REQUEST | NLM_F_ACK | flags, body)[0]

    def dump(self, kind: int, body: bytes) -> list[bytes]:
        """The bodies of all that there is. Raises `NetlinkError`."""
        for _ in range(AGAIN):
            found, whole = self._request(kind, NLM_F_REQUEST | NLM_F_DUMP, body)
            if whole:
                break
        return found

    def _request(self, kind: int, flags: int, body: bytes) -> tuple[list[bytes], bool]:
        """The answers, and whether nothing changed meanwhile."""
        sequence, found, whole = next(self._sequence) & 0xFFFFFFFF, list[bytes](), True
        try:
            self._socket.send(pack(kind, flags, sequence, 0, body))
            while True:
                for answer in split(self._socket.recv(RECEIVE_OCTETS)):
                    if answer.sequence != sequence:
                        continue
                    whole &= not answer.flags & NLM_F_DUMP_INTR
                    if answer.kind not in (NLMSG_ERROR, NLMSG_DONE):
                        found.append(answer.body)
                    elif error := read_error(answer):
                        raise error
                    else:
                        return found, whole
        except TimeoutError:
            raise NetlinkError(errno.ETIMEDOUT, f"no answer in {SECONDS:g} s") from None
        except OSError as error:
            raise NetlinkError(error.errno or errno.EIO) from error
