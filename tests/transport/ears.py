"""A transport on real sockets of the loopback interface, and what it reported."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from ipaddress import ip_address

from ikevd.addresses import Endpoint, Path
from ikevd.findings import Unreachable
from ikevd.policy.settings import Listen
from ikevd.transport.udp import Prepare, UdpTransport

LOCAL = ip_address("127.0.0.1")
LOCAL6 = ip_address("::1")
CLOSED = 9
"""The discard port: nobody listens there."""


class Ears:
    """A transport on free ports, and what it reported."""

    def __init__(
        self,
        *addresses: str,
        port: int = 0,
        prepare: Prepare = lambda udp: None,
        prepare_nat: Prepare = lambda udp: None,
        inherited: Mapping[Endpoint, socket.socket] | None = None,
        vrf: str = "",
    ) -> None:
        self.datagrams: list[tuple[bytes, Path]] = []
        self.dropped: list[str] = []
        self.unreachable: list[tuple[Path, Unreachable, bytes]] = []
        self.on_datagram: Callable[[bytes, Path], None] = lambda octets, path: self.datagrams.append((octets, path))
        self.transport = UdpTransport(
            Listen(tuple(map(ip_address, addresses)), port, 0, vrf=vrf),
            on_datagram=lambda octets, path: self.on_datagram(octets, path),
            on_dropped=self.dropped.append,
            on_unreachable=lambda *told: self.unreachable.append(told),
            prepare=prepare,
            prepare_nat=prepare_nat,
            inherited=inherited,
        )

    def open(self) -> Ears:
        self.transport.open()
        return self

    @property
    def ike(self) -> Endpoint:
        return self.transport.endpoints[0]

    @property
    def nat(self) -> Endpoint:
        return self.transport.endpoints[1]


def endpoint(udp: socket.socket) -> Endpoint:
    return Endpoint(ip_address(udp.getsockname()[0]), udp.getsockname()[1])
