"""Moments in the life of an ikevd, seen from outside: on the wire, in the kernel, in the file of its store.

Nothing of it is known to ikevd, which may have gone on for some microseconds when its observer wakes up.
"""

from __future__ import annotations

import ctypes
import os
import select
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.interop.node import Node

_EXCHANGES = {2: "Main Mode", 5: "Informational", 32: "Quick Mode"}
_KERNEL = {0x10: "NEWSA", 0x11: "DELSA", 0x13: "NEWPOLICY", 0x14: "DELPOLICY", 0x19: "UPDPOLICY", 0x1A: "UPDSA"}
_NETLINK_XFRM, _SA_AND_POLICY_GROUPS = 6, 0b1100
_IN_MODIFY = 2


class Place(Enum):
    """Where something is seen."""

    WIRE = "wire"
    KERNEL = "kernel"
    STORE = "store"


@dataclass(frozen=True)
class Moment:
    """The `count`-th time that `event` is seen there after the watch began."""

    place: Place
    event: str
    """`Quick Mode from here`, `UPDPOLICY`, `written`."""
    count: int = 1

    def __str__(self) -> str:
        return f"{self.place.value}: {self.event}{f', number {self.count}' if self.count > 1 else ''}"


class Watch:
    """Looks out for one moment from `with` on; `node` is where ikevd runs, `store` its file."""

    def __init__(self, moment: Moment, node: Node, store: Path) -> None:
        self._moment = moment
        self._node = node
        self._store = store

    def __enter__(self) -> Self:
        match self._moment.place:
            case Place.WIRE:
                self._source = self._node.call(_packets).detach()
            case Place.KERNEL:
                self._source = self._node.call(_changes).detach()
            case Place.STORE:
                self._source = _writes(self._store)
        os.set_blocking(self._source, False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._source)

    def wait(self, within: float) -> bool:
        """Did the moment come within so many seconds?"""
        seen, deadline = 0, time.monotonic() + within
        while (left := deadline - time.monotonic()) > 0:
            if not select.select([self._source], [], [], left)[0]:
                return False
            seen += sum(event == self._moment.event for event in self._events(os.read(self._source, 1 << 16)))
            if seen >= self._moment.count:
                return True
        return False

    def _events(self, octets: bytes) -> Iterator[str]:
        match self._moment.place:
            case Place.WIRE:
                yield from _message(octets, self._node)
            case Place.KERNEL:
                yield from _kernel_changes(octets)
            case Place.STORE:
                yield "written"


def _packets() -> socket.socket:
    """Every packet of a namespace, without the header of the link layer."""
    return socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))  # ETH_P_ALL: what leaves, too


def _message(packet: bytes, node: Node) -> Iterator[str]:
    """The exchange of an IKE message and who sent it."""
    if len(packet) < 28 or packet[0] >> 4 != 4 or packet[9] != socket.IPPROTO_UDP:
        return
    body = packet[(packet[0] & 15) * 4 :]
    ports = struct.unpack_from("!HH", body)
    message = body[12:] if 4500 in ports and body[8:12] == bytes(4) else body[8:]
    if not {500, 4500} & set(ports) or len(message) < 28 or message[17:18] != b"\x10":
        return
    sender = "here" if packet[12:16] == socket.inet_aton(node.address) else "there"
    yield f"{_EXCHANGES.get(message[18], message[18])} from {sender}"


def _changes() -> socket.socket:
    """What changes in XFRM of a namespace."""
    opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_XFRM)
    opened.bind((0, _SA_AND_POLICY_GROUPS))
    return opened


def _kernel_changes(octets: bytes) -> Iterator[str]:
    while len(octets) >= 16:
        length, kind = struct.unpack_from("=IH", octets)
        if kind in _KERNEL:
            yield _KERNEL[kind]
        octets = octets[(length + 3) & ~3 :]


def _writes(store: Path) -> int:
    """Each write to a file."""
    libc = ctypes.CDLL(None, use_errno=True)
    source: int = libc.inotify_init()
    if libc.inotify_add_watch(source, bytes(store), _IN_MODIFY) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(store))
    return source
