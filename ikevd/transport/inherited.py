"""Sockets that an earlier process bound: each is taken over where it is what this one would have made.

What the kernel does not tell of one, the bypass of IPsec above all, is set again. What does not fit is let go, and that
awaited (a barrier of systemd, an answer of the holder), before new sockets are bound: `0.0.0.0:500` would be in the way
of `192.0.2.1:500`.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address

from ikevd.addresses import Endpoint
from ikevd.policy.settings import Listen
from ikevd.transport.sockaddr import family_of, from_sockaddr
from ikevd.vrf import vrf_of

SO_NETNS_COOKIE = 71
UDP_ENCAP, UDP_ENCAP_NONE = 100, 0
"""<linux/udp.h>; the socket module of Python 3.11 has none of these."""
EVERY_ADDRESS = (IPv4Address(0), IPv6Address(0))


def take_over(sockets: Iterable[socket.socket], listen: Listen) -> dict[Endpoint, socket.socket]:
    """Those of `sockets` that the configuration wants, by what they are bound to; the others are closed."""
    left, taken = list(sockets), dict[Endpoint, socket.socket]()
    for address in listen.addresses or EVERY_ADDRESS:
        for port in (listen.port, listen.nat_port):
            endpoint = Endpoint(address, port)
            found = next((udp for udp in left if _fits(udp, endpoint, listen.vrf)), None)
            if found is not None:
                left.remove(found)
                taken[endpoint] = found
    for unwanted in left:
        unwanted.close()
    return taken


def take_no_esp(udp: socket.socket) -> None:
    """The port of ESP in UDP has become the port of IKE."""
    if udp.getsockopt(socket.IPPROTO_UDP, UDP_ENCAP) != UDP_ENCAP_NONE:
        udp.setsockopt(socket.IPPROTO_UDP, UDP_ENCAP, UDP_ENCAP_NONE)


def name_of(endpoint: Endpoint) -> str:
    """For the holder of a socket; sd_pid_notify_with_fds(3) allows no colon."""
    return f"ike-{str(endpoint.address).replace(':', '_')}-{endpoint.port}"


def _fits(udp: socket.socket, wanted: Endpoint, vrf: str) -> bool:
    """Is it what we would have bound, and of our network namespace?"""
    kind = (udp.family, udp.type, udp.getsockopt(socket.SOL_SOCKET, socket.SO_PROTOCOL))
    return (
        kind == (family_of(wanted.address), socket.SOCK_DGRAM, socket.IPPROTO_UDP)
        and from_sockaddr(udp.getsockname()) == wanted
        and not _both_families(udp)
        and not _connected(udp)
        and vrf_of(udp) == vrf
        and _namespace(udp) == _our_namespace()
    )


def _both_families(udp: socket.socket) -> bool:
    return udp.family == socket.AF_INET6 and not udp.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)


def _connected(udp: socket.socket) -> bool:
    try:
        udp.getpeername()
    except OSError:
        return False
    return True


def _our_namespace() -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as probe:
        return _namespace(probe)


def _namespace(udp: socket.socket) -> bytes:
    """Which network namespace it belongs to; the same for all where the kernel (before 5.14) does not tell."""
    try:
        return udp.getsockopt(socket.SOL_SOCKET, SO_NETNS_COOKIE, 8)
    except OSError:
        return b""
