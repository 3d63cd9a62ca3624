"""The UDP server: one socket for each address family (or address) and port, read until it is empty.

`recvmsg` below `add_reader` runs on uvloop and on stock asyncio alike; neither's datagram transport can tell the local
address of a datagram.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address

from ikevd.addresses import Address, Endpoint, Path
from ikevd.errors import MissingPrivilege, PortInUse
from ikevd.policy.model import Listen
from ikevd.transport.holder import holder_of
from ikevd.transport.pktinfo import ANCILLARY_OCTETS, from_address, icmp_error, local_address, want_pktinfo

MAX_DATAGRAM = 65_535
AT_ONCE = 64
"""Datagrams read per wake-up, so that a flood cannot keep timers and the control socket waiting."""
NON_ESP_MARKER = bytes(4)
KEEPALIVE = b"\xff"

OnDatagram = Callable[[bytes, Path], None]
Prepare = Callable[[socket.socket], None]


class UdpTransport:
    """Open it inside the running loop. Callbacks are called from the loop and must not block."""

    def __init__(
        self,
        listen: Listen,
        *,
        on_datagram: OnDatagram,
        on_dropped: Callable[[str], None],
        on_unreachable: Callable[[Path, str], None],
        prepare: Prepare = lambda udp: None,
    ) -> None:
        """`prepare` sees each socket before it is bound (the IPsec bypass)."""
        self._listen = listen
        self._on_datagram = on_datagram
        self._on_dropped = on_dropped
        self._on_unreachable = on_unreachable
        self._prepare = prepare
        self._sockets: dict[Endpoint, tuple[socket.socket, bool]] = {}
        self._loop = asyncio.get_running_loop()

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """What is bound."""
        return tuple(self._sockets)

    def open(self) -> None:
        """Bind everything, or raise `PortInUse` or `MissingPrivilege` and bind nothing."""
        try:
            for port, marker in ((self._listen.port, False), (self._listen.nat_port, True)):
                for address in self._listen.addresses or (IPv4Address(0), IPv6Address(0)):
                    self._bind(address, port, marker=marker)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Stop reading and close every socket."""
        for udp, _ in self._sockets.values():
            self._loop.remove_reader(udp)
            udp.close()
        self._sockets.clear()

    def send(self, octets: bytes, path: Path) -> None:
        """Send from `path.local`; what the network refuses is reported, never raised."""
        found = self._socket_for(path.local)
        if found is None:
            self._on_unreachable(path, f"no socket is bound to {path.local}")
            return
        udp, marker = found
        data = NON_ESP_MARKER + octets if marker else octets
        target = str(path.remote.address), path.remote.port
        for last in (False, True):
            try:
                udp.sendmsg([data], from_address(path.local.address), 0, target)
            except OSError as error:
                # An ICMP error that is still queued fails the next send, whoever it is for: once more.
                if last:
                    self._on_unreachable(path, f"cannot send to {path.remote}: {os.strerror(error.errno or 0)}")
            else:
                return

    def _bind(self, address: Address, port: int, *, marker: bool) -> None:
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        try:
            udp = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        except OSError as error:
            if error.errno == errno.EAFNOSUPPORT and not self._listen.addresses:
                return  # a machine without IPv6
            raise
        try:
            if family == socket.AF_INET6:
                udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            want_pktinfo(udp)
            self._prepare(udp)
            udp.bind((str(address), port))
        except OSError as error:
            udp.close()
            if error.errno == errno.EADDRNOTAVAIL and int(address) == 0:
                return  # IPv6 is switched off
            raise _why_not(error, address, port) from error
        except BaseException:
            udp.close()
            raise
        self._sockets[Endpoint(address, udp.getsockname()[1])] = udp, marker
        self._loop.add_reader(udp, partial(self._readable, udp, address, marker))

    def _socket_for(self, local: Endpoint) -> tuple[socket.socket, bool] | None:
        everywhere = IPv4Address(0) if local.address.version == 4 else IPv6Address(0)
        return self._sockets.get(local) or self._sockets.get(Endpoint(everywhere, local.port))

    def _readable(self, udp: socket.socket, bound: Address, marker: bool) -> None:
        for _ in range(AT_ONCE):
            try:
                octets, ancillary, flags, sender = udp.recvmsg(MAX_DATAGRAM, ANCILLARY_OCTETS)
            except OSError as error:
                # Errors that stay queued would wake the loop for ever, so they are read even when all seems empty.
                if self._read_error(udp) or not isinstance(error, BlockingIOError):
                    continue
                return
            local = local_address(ancillary) or bound
            path = Path(Endpoint(local, udp.getsockname()[1]), _endpoint(sender))
            if flags & socket.MSG_TRUNC:
                self._on_dropped("datagram too long")
            else:
                self._received(octets, path, marker)

    def _received(self, octets: bytes, path: Path, marker: bool) -> None:
        if not marker:
            self._on_datagram(octets, path)
        elif octets[: len(NON_ESP_MARKER)] == NON_ESP_MARKER:
            self._on_datagram(octets[len(NON_ESP_MARKER) :], path)
        elif octets == KEEPALIVE:
            self._on_dropped("NAT keepalive")
        else:
            self._on_dropped("no non-ESP marker")

    def _read_error(self, udp: socket.socket) -> bool:
        """One ICMP error: the kernel hands back our datagram's target with it. False if none is queued."""
        try:
            _, ancillary, _, target = udp.recvmsg(MAX_DATAGRAM, ANCILLARY_OCTETS, socket.MSG_ERRQUEUE)
        except OSError:
            return False
        reason = icmp_error(ancillary)
        if reason is not None:
            local = local_address(ancillary) or ip_address(udp.getsockname()[0])
            path = Path(Endpoint(local, udp.getsockname()[1]), _endpoint(target))
            self._on_unreachable(path, f"{reason} for {path.remote}")
        return True


def source_for(remote: Address) -> Address:
    """The local address that routing chooses for `remote`; raises `OSError` where there is no route."""
    family = socket.AF_INET if remote.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as probe:
        probe.connect((str(remote), 9))  # sends nothing
        return ip_address(probe.getsockname()[0])


def _endpoint(address: tuple[str, int]) -> Endpoint:
    return Endpoint(ip_address(address[0].partition("%")[0]), address[1])


def _why_not(error: OSError, address: Address, port: int) -> Exception:
    where = Endpoint(address, port)
    if error.errno == errno.EADDRINUSE:
        holder = holder_of(port)
        held = f"it is held by {holder}" if holder else "another process holds it"
        return PortInUse(f"cannot listen on UDP {where}: {held}")
    if error.errno in (errno.EACCES, errno.EPERM):
        return MissingPrivilege(f"cannot listen on UDP {where}: the capability CAP_NET_BIND_SERVICE is missing")
    if error.errno == errno.EADDRNOTAVAIL:
        return PortInUse(f"cannot listen on UDP {where}: this machine does not have the address {address}")
    return error
