"""Ancillary data of UDP sockets: which local address was asked, and which is to answer (ip(7), ipv6(7), RFC 3542)."""

from __future__ import annotations

import socket
import struct
from ipaddress import IPv4Address, IPv6Address

from ikevd.addresses import Address

IP_PKTINFO = 8
IPV6_PKTINFO = 50
IP_RECVERR = 11
IPV6_RECVERR = 25
_IN_PKTINFO = struct.Struct("=i4s4s")
_IN6_PKTINFO = struct.Struct("=16si")
_SOCK_EXTENDED_ERR = struct.Struct("=IBBBxII")
ANCILLARY_OCTETS = 512
Ancillary = list[tuple[int, int, bytes]]

_ICMP = {
    (2, 3, 0): "network unreachable",
    (2, 3, 1): "host unreachable",
    (2, 3, 3): "port unreachable",
    (2, 3, 4): "fragmentation needed",
    (2, 3, 9): "network administratively prohibited",
    (2, 3, 10): "host administratively prohibited",
    (2, 3, 13): "communication administratively prohibited",
    (3, 1, 0): "no route",
    (3, 1, 1): "administratively prohibited",
    (3, 1, 3): "address unreachable",
    (3, 1, 4): "port unreachable",
    (3, 2, 0): "packet too big",
}


def want_pktinfo(udp: socket.socket) -> None:
    """Have the kernel tell the local address of each datagram, and ICMP errors on the error queue."""
    if udp.family == socket.AF_INET6:
        udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        udp.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
    else:
        udp.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        udp.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)


def local_address(ancillary: Ancillary) -> Address | None:
    """The address that the datagram was sent to."""
    for level, kind, data in ancillary:
        if (level, kind) == (socket.IPPROTO_IP, IP_PKTINFO):
            return IPv4Address(_IN_PKTINFO.unpack(data[: _IN_PKTINFO.size])[2])
        if (level, kind) == (socket.IPPROTO_IPV6, IPV6_PKTINFO):
            return IPv6Address(_IN6_PKTINFO.unpack(data[: _IN6_PKTINFO.size])[0])
    return None


def from_address(local: Address) -> Ancillary:
    """Ancillary data that makes a datagram leave from `local`."""
    if isinstance(local, IPv4Address):
        return [(socket.IPPROTO_IP, IP_PKTINFO, _IN_PKTINFO.pack(0, local.packed, bytes(4)))]
    return [(socket.IPPROTO_IPV6, IPV6_PKTINFO, _IN6_PKTINFO.pack(local.packed, 0))]


def icmp_error(ancillary: Ancillary) -> str | None:
    """An ICMP error in words, with its sender; None for errors of this machine."""
    for level, kind, data in ancillary:
        if (level, kind) not in ((socket.IPPROTO_IP, IP_RECVERR), (socket.IPPROTO_IPV6, IPV6_RECVERR)):
            continue
        _, origin, icmp_type, code, _, _ = _SOCK_EXTENDED_ERR.unpack(data[: _SOCK_EXTENDED_ERR.size])
        if origin not in (2, 3):
            return None
        family = 4 if origin == 2 else 6
        name = _ICMP.get((origin, icmp_type, code), f"type {icmp_type} code {code}")
        offender = data[_SOCK_EXTENDED_ERR.size :]
        return f"ICMP{'v6' if family == 6 else ''} {name}{_sender(offender, family)}"
    return None


def _sender(sockaddr: bytes, family: int) -> str:
    if family == 4 and len(sockaddr) >= 8:
        return f" from {IPv4Address(sockaddr[4:8])}"
    if family == 6 and len(sockaddr) >= 24:
        return f" from {IPv6Address(sockaddr[8:24])}"
    return ""
