"""Sockets that an earlier process bound: each is taken over where it is what this one would have made."""

from __future__ import annotations

import socket
from collections.abc import Iterable

from ikevd.addresses import Address, Endpoint
from ikevd.transport.sockaddr import family_of, from_sockaddr

SO_NETNS_COOKIE = 71
UDP_ENCAP = 100
UDP_ENCAP_NONE, UDP_ENCAP_ESPINUDP = 0, 2
"""<linux/udp.h>; the socket module of Python 3.11 has none of these."""


class Inherited:
    """What may be taken over. Each can be taken once."""

    def __init__(self, sockets: Iterable[socket.socket] = ()) -> None:
        self._sockets = list(sockets)

    def take(self, address: Address, port: int, *, marker: bool) -> socket.socket | None:
        """The one that is bound to this address and port in our network namespace, and is none that takes ESP unless
        `marker` says that it may. None where there is none."""
        for udp in self._sockets:
            if _fits(udp, Endpoint(address, port), marker=marker):
                self._sockets.remove(udp)
                udp.setblocking(False)
                return udp
        return None

    def close(self) -> None:
        """Close what nobody took."""
        while self._sockets:
            self._sockets.pop().close()


def name_of(endpoint: Endpoint) -> str:
    """For the holder of a socket; sd_pid_notify_with_fds(3) allows no colon."""
    return f"ike-{str(endpoint.address).replace(':', '_')}-{endpoint.port}"


def _fits(udp: socket.socket, wanted: Endpoint, *, marker: bool) -> bool:
    kind = (udp.family, udp.type, udp.proto)
    if kind != (family_of(wanted.address), socket.SOCK_DGRAM, socket.IPPROTO_UDP):
        return False
    takes_esp = udp.getsockopt(socket.IPPROTO_UDP, UDP_ENCAP)
    return (
        from_sockaddr(udp.getsockname()) == wanted
        and takes_esp in ((UDP_ENCAP_NONE, UDP_ENCAP_ESPINUDP) if marker else (UDP_ENCAP_NONE,))
        and not _both_families(udp)
        and not _connected(udp)
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
