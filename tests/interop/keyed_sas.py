"""The SAs of a node, by one request of netlink: `ip xfrm state` is a process, an eighth of a second in the guest."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from ipaddress import ip_address

from tests.interop.node import Node

_NETLINK_XFRM, _GETSA, _DUMP, _DONE = 6, 0x12, 0x301, 3
_HEADER = struct.Struct("=IHHII")
_ID, _SOURCE, _FAMILY, _ATTRIBUTES = 56, 80, 212, 224
"""Where they stand in struct xfrm_usersa_info (linux/xfrm.h): its selector comes first."""
_KEYS = {1, 2, 18, 20}
"""XFRMA_ALG_AUTH, _CRYPT, _AEAD and _AUTH_TRUNC."""

Sa = tuple[int, str, str]
"""SPI, source, destination."""


def keyed_sas(node: Node) -> set[Sa]:
    """Those that have keys: a reservation dies after 30 s."""
    return set(node.call(lambda: list(_dump())))


def _dump() -> Iterator[Sa]:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_XFRM) as kernel:
        kernel.send(_HEADER.pack(_HEADER.size, _GETSA, _DUMP, 1, 0))
        while True:
            octets = kernel.recv(1 << 17)
            while octets:
                length, kind, *_ = _HEADER.unpack_from(octets)
                if kind == _DONE:
                    return
                assert kind == 0x10, f"message {kind} in a dump of SAs"
                sa = octets[_HEADER.size : length]
                if _KEYS & set(_attributes(sa[_ATTRIBUTES:])):
                    yield _read(sa)
                octets = octets[(length + 3) & ~3 :]


def _read(sa: bytes) -> Sa:
    size = 4 if struct.unpack_from("=H", sa, _FAMILY)[0] == socket.AF_INET else 16
    (spi,) = struct.unpack_from("!I", sa, _ID + 16)
    return spi, str(ip_address(sa[_SOURCE : _SOURCE + size])), str(ip_address(sa[_ID : _ID + size]))


def _attributes(octets: bytes) -> Iterator[int]:
    """Their kinds."""
    while len(octets) >= 4:
        length, kind = struct.unpack_from("=HH", octets)
        yield kind
        octets = octets[(length + 3) & ~3 :]
