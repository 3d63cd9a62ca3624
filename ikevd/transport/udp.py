"""The UDP server: one socket for each address family (or address) and port, read until it is empty.

`recvmsg` below `add_reader` runs on uvloop and on stock asyncio alike; neither's datagram transport can tell the local
address of a datagram.

All sockets are watched by `Readable`, so that an ICMP error silences none of them.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from ikevd.addresses import Address, Endpoint, Path
from ikevd.errors import IkeError, MissingPrivilege, PortInUse
from ikevd.findings import Unreachable
from ikevd.frozen import frozen
from ikevd.policy.settings import Listen
from ikevd.readable import Readable
from ikevd.transport.holder import holder_of
from ikevd.transport.inherited import EVERY_ADDRESS, name_of, take_no_esp
from ikevd.transport.pktinfo import (
    ANCILLARY_OCTETS,
    IP_PKTINFO,
    Ancillary,
    destination,
    for_many,
    from_address,
    icmp_error,
    ipv4_destination,
    want_ancillary,
)
from ikevd.transport.sockaddr import family_of, from_sockaddr, interface_index, to_sockaddr
from ikevd.vrf import bind_to, gone, index_of, refuse_other, why_not

MAX_DATAGRAM = 65_535
TRUNCATED = int(socket.MSG_TRUNC)
AT_ONCE = 64
"""Datagrams read from one socket per wake-up, so that a flood cannot keep timers and the control socket waiting."""
RECEIVE_BUFFER = 4 * 2**20
"""For a thousand peers that call at once, after this machine was down; the usual 208 kB hold some 270 messages."""
SO_RCVBUFFORCE = 33
QUOTED_OCTETS = 64
"""Of our own datagram, as an ICMP error quotes it: the ISAKMP header says whose it is."""
NON_ESP_MARKER = bytes(4)
"""RFC 3948 section 2.2."""
KEEPALIVE = b"\xff"
"""RFC 3948 section 2.3."""

_NO_SOURCE = (errno.ENETUNREACH, errno.EINVAL, errno.EADDRNOTAVAIL)
"""What sendmsg gives, in IPv4 and IPv6, for a source address that is not this machine's, and for other causes."""
_SEND_ERRORS = {
    errno.ENETUNREACH: "there is no route",
    errno.EHOSTUNREACH: "the host is not reachable",
    errno.ENETDOWN: "the interface is down",
    errno.EAGAIN: "the send buffer is full",
    errno.ENOBUFS: "the send buffer is full",
    errno.EPERM: "a packet filter of this machine refuses it",
    errno.EACCES: "routing or a packet filter of this machine refuses it",
    errno.EMSGSIZE: "the message is too long for a datagram",
    errno.EINVAL: "that source address cannot reach it",
}

OnDatagram = Callable[[bytes, Path], None]
Prepare = Callable[[socket.socket], None]


@frozen
class _Bound:
    """A socket that is bound."""

    udp: socket.socket
    endpoint: Endpoint
    marker: bool
    """Does the non-ESP marker precede IKE here (port 4500)?"""


class UdpTransport:
    """Open it inside the running loop. Callbacks are called from the loop and must not block; `on_unreachable` is told
    of ICMP errors."""

    def __init__(
        self,
        listen: Listen,
        *,
        on_datagram: OnDatagram,
        on_dropped: Callable[[str], None],
        on_unreachable: Callable[[Path, Unreachable, bytes], None],
        prepare: Prepare = lambda udp: None,
        prepare_nat: Prepare = lambda udp: None,
        inherited: Mapping[Endpoint, socket.socket] | None = None,
    ) -> None:
        """`prepare` sees each socket before it is bound (the IPsec bypass), `prepare_nat` those of the NAT port too
        (ESP in UDP). `inherited`: sockets of an earlier process that are bound already (`take_over`)."""
        self._listen = listen
        self._on_datagram = on_datagram
        self._on_dropped = on_dropped
        self._on_unreachable = on_unreachable
        self._prepare = prepare
        self._prepare_nat = prepare_nat
        self._inherited = dict(inherited or {})
        self._bound: dict[Endpoint, _Bound] = {}
        self._by_octets: dict[tuple[bytes, int], _Bound] = {}
        """The same by address in octets and port; zeros are every address."""
        self._readable: Readable | None = None
        self._vrf = 0
        """Its index, to which the sockets are bound."""
        self._warnings: list[str] = []
        self._refused: str | None = None
        """Why the VRF could not be followed last."""
        self._buffer = memoryview(bytearray(MAX_DATAGRAM))
        self._buffers = [self._buffer]

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """What is bound."""
        return tuple(self._bound)

    @property
    def sockets(self) -> dict[str, socket.socket]:
        """The same as sockets, each with a name for whoever holds them beyond this process."""
        return {name_of(endpoint): bound.udp for endpoint, bound in self._bound.items()}

    @property
    def warnings(self) -> tuple[str, ...]:
        """What `open` had to do without, in plain sentences."""
        return tuple(self._warnings)

    def open(self) -> None:
        """Bind everything, or raise `PortInUse` or `MissingPrivilege` (or what `prepare` raises) and bind nothing."""
        self._readable = Readable()
        self._warnings.clear()
        refuse_other(self._listen.vrf)
        self._vrf = index_of(self._listen.vrf)
        try:
            for address in self._listen.addresses or self._every_address():
                for port, marker in ((self._listen.port, False), (self._listen.nat_port, True)):
                    self._bind(address, port, marker=marker)
        except BaseException:
            self.close()
            raise

    def follow_vrf(self) -> bool:
        """Bind all anew, where the VRF was made anew. True: it was done. Raises, once for each cause, where the VRF is
        gone, and as `open`; it is to be tried again."""
        now, before = index_of(self._listen.vrf), self._vrf
        if now == before:
            return False
        try:
            if not now:
                raise gone(self._listen.vrf)
            self.close()
            self.open()
        except IkeError as refusal:
            self._vrf, told, self._refused = 0, self._refused, str(refusal)
            if self._refused != told:
                raise
            return False
        self._refused = None
        return True

    def close(self) -> None:
        """Stop reading and close every socket. May be called again, and from within a callback."""
        self._vrf = 0
        while self._inherited:
            self._inherited.popitem()[1].close()
        if self._readable is None:
            return
        self._readable.close()
        self._readable = None
        for bound in self._bound.values():
            bound.udp.close()
        self._bound.clear()
        self._by_octets.clear()

    def send(self, octets: bytes, path: Path) -> str | None:
        """Send from `path.local`. Raises nothing; returns in words why it could not leave this machine, else None."""
        return self._send(octets, path, marked=True)

    def keepalive(self, path: Path) -> str | None:
        """Send the one octet that keeps a NAT's mapping alive (RFC 3948 section 2.3); errors as in `send`."""
        return self._send(KEEPALIVE, path, marked=False)

    def _send(self, octets: bytes, path: Path, *, marked: bool) -> str | None:
        if _without_interface(path.remote.address):
            return f"cannot send to {path.remote}: a link-local address needs its interface (%eth0)"
        packed, port = path.local.address.packed, path.local.port
        bound = self._by_octets.get((packed, port)) or self._by_octets.get((bytes(len(packed)), port))
        if bound is None:
            return f"cannot send to {path.remote}: no socket is bound to {path.local}"
        data = [NON_ESP_MARKER, octets] if marked and bound.marker else [octets]
        error = _try_to_send(bound.udp, data, path)
        if error is not None:
            # An ICMP error that is still queued fails the next send, whoever that is for: once more.
            error = _try_to_send(bound.udp, data, path)
        if error is None:
            return None
        return f"cannot send from {path.local} to {path.remote}: {_reason(error, path.local.address, self._listen.vrf)}"

    def _every_address(self) -> tuple[Address, ...]:
        try:
            socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).close()
        except OSError as error:
            self._warnings.append(
                f"listening on IPv4 only, as this machine has no IPv6 ({os.strerror(error.errno or 0)})"
            )
            return (IPv4Address(0),)
        return EVERY_ADDRESS

    def _bind(self, address: Address, port: int, *, marker: bool) -> None:
        assert self._readable is not None
        udp = self._inherited.pop(Endpoint(address, port), None)
        bound = udp is not None
        try:
            udp = udp or _new_socket(address, self._listen.vrf)
            self._equip(udp, marker=marker)
            if not bound:
                udp.bind(to_sockaddr(address, port))
        except OSError as error:
            _close(udp)
            raise _why_not(error, address, port) from error
        except BaseException:
            _close(udp)
            raise
        self._watch(_Bound(udp, Endpoint(address, udp.getsockname()[1]), marker))

    def _equip(self, udp: socket.socket, *, marker: bool) -> None:
        """Also one that is inherited: the kernel does not tell all that was set."""
        udp.setblocking(False)
        want_ancillary(udp)
        _enlarge_buffer(udp)
        self._prepare(udp)
        if marker:
            self._prepare_nat(udp)
        else:
            take_no_esp(udp)

    def _watch(self, bound: _Bound) -> None:
        assert self._readable is not None
        self._bound[bound.endpoint] = self._by_octets[bound.endpoint.address.packed, bound.endpoint.port] = bound
        self._readable.watch(bound.udp, lambda: self._drain(bound), lambda: self._drain_errors(bound))

    def _drain(self, bound: _Bound) -> None:
        """Read what there is, up to a bound; epoll is level-triggered and calls again for the rest."""
        for _ in range(AT_ONCE):
            if not self._read(bound) or self._readable is None:
                return
            if not self._readable.has_more(bound.udp):  # a read in vain takes five times as long
                return

    def _read(self, bound: _Bound) -> bool:
        """One datagram; False if there is none."""
        try:
            size, ancillary, flags, sender = bound.udp.recvmsg_into(self._buffers, ANCILLARY_OCTETS)
        except OSError:  # nothing is there, or the error of a datagram that we sent before
            return False
        if flags & TRUNCATED:
            self._on_dropped("datagram too long")
            return True
        path = _path(bound.endpoint, ancillary, sender)
        if path is None:
            self._on_dropped("sent to a broadcast or multicast address")
        else:
            self._received(bytes(self._buffer[:size]), bound, path)
        return True

    def _received(self, octets: bytes, bound: _Bound, path: Path) -> None:
        if not bound.marker:
            self._on_datagram(octets, path)
        elif octets.startswith(NON_ESP_MARKER):
            self._on_datagram(octets[len(NON_ESP_MARKER) :], path)
        elif octets == KEEPALIVE:
            self._on_dropped("NAT keepalive")
        else:
            self._on_dropped("no non-ESP marker")

    def _drain_errors(self, bound: _Bound) -> None:
        """Errors wake the loop until they are read."""
        for _ in range(AT_ONCE):
            if bound.udp.fileno() < 0 or not self._read_error(bound):
                return

    def _read_error(self, bound: _Bound) -> bool:
        """One ICMP error: the kernel hands back our datagram's target with it. False if none is queued."""
        try:
            quoted, ancillary, _, target = bound.udp.recvmsg(QUOTED_OCTETS, ANCILLARY_OCTETS, socket.MSG_ERRQUEUE)
        except OSError:
            return False
        error = icmp_error(ancillary)
        if error is not None:
            failed = Path(_local(bound.endpoint, ancillary), from_sockaddr(target))
            ourselves = error.reporter == failed.local.address != failed.remote.address  # nobody answered ARP
            reporter = None if error.reporter is None else "this machine" if ourselves else str(error.reporter)
            marker = NON_ESP_MARKER if bound.marker else b""
            found = Unreachable(error.reason, reporter, str(failed.remote))
            self._on_unreachable(failed, found, quoted.removeprefix(marker))
        return True


def _path(bound: Endpoint, ancillary: Ancillary, sender: Any) -> Path | None:
    """The endpoints of a datagram that came; None where it was sent to many."""
    if len(ancillary) == 1 and ancillary[0][:2] == (socket.IPPROTO_IP, IP_PKTINFO):
        return _ipv4_path(ancillary[0][2], bound.port, sender)
    return None if for_many(ancillary) else Path(_local(bound, ancillary), from_sockaddr(sender))


@lru_cache(maxsize=1024)
def _ipv4_path(pktinfo: bytes, port: int, sender: Any) -> Path | None:
    """One for all the datagrams of a negotiation, whose evidence keeps it."""
    local = _ipv4_local(pktinfo, port)
    return None if local is None else Path(local, from_sockaddr(sender))


@lru_cache(maxsize=64)
def _ipv4_local(pktinfo: bytes, port: int) -> Endpoint | None:
    """One for all peers, each of which keeps it."""
    address = ipv4_destination(pktinfo)
    return None if address is None else Endpoint(address, port)


def _local(bound: Endpoint, ancillary: Ancillary) -> Endpoint:
    return Endpoint(destination(ancillary) or bound.address, bound.port)


def _new_socket(address: Address, vrf: str) -> socket.socket:
    udp = socket.socket(family_of(address), socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        bind_to(udp, vrf)
    except OSError as error:
        udp.close()
        raise why_not(error, vrf) from error
    if udp.family == socket.AF_INET6:
        udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return udp


def _close(udp: socket.socket | None) -> None:
    if udp is not None:
        udp.close()


def _enlarge_buffer(udp: socket.socket) -> None:
    try:
        udp.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
    except PermissionError:  # without CAP_NET_ADMIN: as much as net.core.rmem_max allows
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)


def _try_to_send(udp: socket.socket, data: list[bytes], path: Path) -> OSError | None:
    try:
        udp.sendmsg(data, from_address(path.local.address), 0, to_sockaddr(path.remote.address, path.remote.port))
    except OSError as error:
        return error
    return None


def _is_ours(address: Address, vrf: str) -> bool:
    """May a socket be bound to it?"""
    try:
        with socket.socket(family_of(address), socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as probe:
            bind_to(probe, vrf)
            probe.bind(to_sockaddr(address, 0))
    except OSError as error:
        return error.errno != errno.EADDRNOTAVAIL
    return True


def _without_interface(address: Address) -> bool:
    """A link-local address as `fe80::1`: the kernel would send it out of whichever interface comes first."""
    return isinstance(address, IPv6Address) and address.is_link_local and not interface_index(address)


def _reason(error: OSError, local: Address, vrf: str) -> str:
    number = error.errno or 0
    if number in _NO_SOURCE and not _is_ours(local, vrf):
        return f"{local} (local) is not an address of this machine"
    return _SEND_ERRORS.get(number, os.strerror(number))


def _why_not(error: OSError, address: Address, port: int) -> IkeError:
    where = f"cannot listen on UDP {Endpoint(address, port)}"
    if error.errno == errno.EADDRINUSE:
        holder = holder_of(address, port)
        return PortInUse(f"{where}: {f'{holder} holds it' if holder else 'another process holds it (see `ss -ulpn`)'}")
    if error.errno in (errno.EACCES, errno.EPERM):
        return MissingPrivilege(f"{where}: the capability CAP_NET_BIND_SERVICE is missing")
    if error.errno == errno.EADDRNOTAVAIL:
        return PortInUse(f"{where}: this machine does not have the address {address}")
    return PortInUse(f"{where}: {os.strerror(error.errno or 0)}")
