"""Ancillary data of UDP sockets: which local address was asked, which is to answer, and ICMP errors.

ip(7), ipv6(7), RFC 3542.
"""

from __future__ import annotations

import socket
import struct
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from ikevd.addresses import Address
from ikevd.transport.sockaddr import interface_index, on_interface

# The socket module of Python 3.11 lacks these; all from <linux/in.h> and <linux/in6.h>.
IP_PKTINFO = 8
IP_MTU_DISCOVER = 10
IP_PMTUDISC_DONT = 0
IP_RECVERR = 11
IPV6_RECVERR = 25
_IN_PKTINFO = struct.Struct("=i4s4s")
_IN6_PKTINFO = struct.Struct("=16si")
_SOCK_EXTENDED_ERR = struct.Struct("=IBBBxII")
ANCILLARY_OCTETS = 512
Ancillary = list[tuple[int, int, bytes]]

FROM_ICMP, FROM_ICMPV6 = 2, 3
"""`ee_origin`; 1 is this machine itself."""
_ICMP = {
    (FROM_ICMP, 3, 0): "network unreachable",
    (FROM_ICMP, 3, 1): "host unreachable",
    (FROM_ICMP, 3, 2): "protocol unreachable",
    (FROM_ICMP, 3, 3): "port unreachable",
    (FROM_ICMP, 3, 9): "network administratively prohibited",
    (FROM_ICMP, 3, 10): "host administratively prohibited",
    (FROM_ICMP, 3, 13): "communication administratively prohibited",
    (FROM_ICMP, 11, 0): "time to live exceeded",
    (FROM_ICMPV6, 1, 0): "no route",
    (FROM_ICMPV6, 1, 1): "administratively prohibited",
    (FROM_ICMPV6, 1, 3): "address unreachable",
    (FROM_ICMPV6, 1, 4): "port unreachable",
    (FROM_ICMPV6, 2, 0): "packet too big",
    (FROM_ICMPV6, 3, 0): "hop limit exceeded",
}


def want_ancillary(udp: socket.socket) -> None:
    """Have the kernel tell the local address of each datagram, and keep ICMP errors on the error queue."""
    if udp.family == socket.AF_INET6:
        udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        udp.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
    else:
        udp.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        udp.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        # No DF: routers may fragment, so that a lost ICMP "fragmentation needed" does not lose the message for ever.
        udp.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT)


def destination(ancillary: Ancillary) -> Address | None:
    """The address that the datagram was sent to."""
    for level, kind, data in ancillary:
        if (level, kind) == (socket.IPPROTO_IP, IP_PKTINFO):
            return IPv4Address(_IN_PKTINFO.unpack(data)[2])
        if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO):
            octets, index = _IN6_PKTINFO.unpack(data)
            return on_interface(IPv6Address(octets), index)
    return None


def ipv4_destination(octets: bytes) -> IPv4Address | None:
    """Likewise, of one `in_pktinfo`; None where the datagram was sent to many, as for `for_many`."""
    _, ours, sent_to = _IN_PKTINFO.unpack(octets)
    return IPv4Address(sent_to) if ours == sent_to else None


def for_many(ancillary: Ancillary) -> bool:
    """Was the datagram sent to a broadcast or multicast address? No answer could leave from there."""
    for level, kind, data in ancillary:
        if (level, kind) == (socket.IPPROTO_IP, IP_PKTINFO):
            _, ours, sent_to = _IN_PKTINFO.unpack(data)
            return bool(ours != sent_to)
        if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO):
            return IPv6Address(_IN6_PKTINFO.unpack(data)[0]).is_multicast
    return False


def from_address(local: Address) -> Ancillary:
    """Ancillary data that makes a datagram leave from `local`."""
    if isinstance(local, IPv4Address):
        return _from_ipv4(int(local))
    return [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, _IN6_PKTINFO.pack(local.packed, interface_index(local)))]


@lru_cache(maxsize=64)
def _from_ipv4(local: int) -> Ancillary:
    """One for all datagrams. By the number of the address, whose hash is dear."""
    return [(socket.IPPROTO_IP, IP_PKTINFO, _IN_PKTINFO.pack(0, local.to_bytes(4, "big"), bytes(4)))]


class IcmpError(NamedTuple):
    """What an ICMP error says, and who says it, as far as the kernel tells."""

    reason: str
    reporter: Address | None


def icmp_error(ancillary: Ancillary) -> IcmpError | None:
    """The ICMP error in a message of the error queue; None for errors of this machine."""
    for level, kind, data in ancillary:
        if (level, kind) not in ((socket.IPPROTO_IP, IP_RECVERR), (socket.IPPROTO_IPV6, IPV6_RECVERR)):
            continue
        _, origin, icmp_type, code, _, _ = _SOCK_EXTENDED_ERR.unpack(data[: _SOCK_EXTENDED_ERR.size])
        if origin not in (FROM_ICMP, FROM_ICMPV6):
            return None
        name = "ICMP" if origin == FROM_ICMP else "ICMPv6"
        reason = _ICMP.get((origin, icmp_type, code), f"{name} type {icmp_type} code {code}")
        return IcmpError(reason, _offender(data[_SOCK_EXTENDED_ERR.size :], origin))
    return None


def _offender(sockaddr: bytes, origin: int) -> Address | None:
    """SO_EE_OFFENDER of ip(7): the address of who sent the error."""
    if origin == FROM_ICMP and len(sockaddr) >= 8:
        return IPv4Address(sockaddr[4:8])
    if origin == FROM_ICMPV6 and len(sockaddr) >= 24:
        return IPv6Address(sockaddr[8:24])
    return None
