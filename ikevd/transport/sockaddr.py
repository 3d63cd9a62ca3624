"""Between our endpoints and the tuples of the socket module; a link-local IPv6 address keeps its interface."""

from __future__ import annotations

import socket
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from ikevd.addresses import Address, Endpoint

Sockaddr = tuple[str, int] | tuple[str, int, int, int]


def family_of(address: Address) -> socket.AddressFamily:
    """AF_INET or AF_INET6."""
    return socket.AF_INET if address.version == 4 else socket.AF_INET6


def interface_index(address: Address) -> int:
    """The interface of `fe80::1%eth0`; 0 where none is named or where it does not exist."""
    scope = address.scope_id if isinstance(address, IPv6Address) else None
    if scope is None:
        return 0
    try:
        return socket.if_nametoindex(scope)
    except OSError:
        return int(scope) if scope.isdecimal() else 0


def on_interface(address: IPv6Address, index: int) -> IPv6Address:
    """A link-local address with the interface that it means something on; any other as it is."""
    if not address.is_link_local or index == 0:
        return address
    try:
        scope = socket.if_indextoname(index)
    except OSError:
        scope = str(index)
    return IPv6Address(f"{IPv6Address(address.packed)}%{scope}")


def to_sockaddr(address: Address, port: int) -> Sockaddr:
    """What `bind`, `connect` and `sendmsg` take."""
    if isinstance(address, IPv4Address):
        return _ipv4_text(int(address)), port
    return str(IPv6Address(address.packed)), port, 0, interface_index(address)


def from_sockaddr(sockaddr: Any) -> Endpoint:
    """What `recvmsg` and `getsockname` give."""
    host, port = sockaddr[:2]
    if len(sockaddr) == 2:
        return Endpoint(_ipv4_address(host), port)
    return Endpoint(on_interface(IPv6Address(host.partition("%")[0]), sockaddr[3]), port)


@lru_cache(maxsize=1024)
def _ipv4_text(number: int) -> str:
    """By its number, since the hash of an address is dear."""
    return socket.inet_ntoa(number.to_bytes(4, "big"))


@lru_cache(maxsize=1024)
def _ipv4_address(host: str) -> IPv4Address:
    """One for all ports of a peer, which keeps it."""
    return IPv4Address(socket.inet_aton(host))  # three times as fast as to read the text
