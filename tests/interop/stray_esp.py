"""ESP under an SPI that nobody has."""

from __future__ import annotations

import socket

from tests.interop.topology import Topology

PACKET = bytes.fromhex("deadbeef00000001") + bytes(64)


def send_unknown_esp(topology: Topology) -> None:
    """From gateway B to gateway A."""

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ESP) as esp:
            esp.sendto(PACKET, (topology.gw_a.address, 0))

    topology.gw_b.call(send)
