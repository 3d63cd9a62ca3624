"""What crossed the router: every packet, counted and kept."""

import select
import socket
import struct
import time
from collections import Counter
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path

from tests.eventually import PATIENCE
from tests.interop.node import Node


@dataclass(frozen=True)
class Seen:
    """Packets that reached the router."""

    esp: int = 0  # IP protocol 50
    udp_esp: int = 0  # ESP in UDP, port 4500
    ike: int = 0  # UDP 500, or 4500 behind the non-ESP marker
    keepalive: int = 0  # NAT keep-alives
    clear: int = 0  # from or to a private net, unprotected: must be 0
    other: int = 0  # ARP, ND, ...
    ah: int = 0  # IP protocol 51

    def __add__(self, later: "Seen") -> "Seen":
        return Seen(*(getattr(self, f) + getattr(later, f) for f in self.__dataclass_fields__))

    def __sub__(self, earlier: "Seen") -> "Seen":
        return Seen(*(getattr(self, f) - getattr(earlier, f) for f in self.__dataclass_fields__))


@dataclass(frozen=True)
class Frame:
    """One packet that reached the router: when (time.time()), whether it was IPv4 or IPv6, and the packet."""

    time: float
    packet: bytes

    @property
    def kind(self) -> str:
        """A field name of Seen."""
        data = self.packet
        version = data[0] >> 4 if data else 0
        if version == 4 and len(data) >= 20:
            protocol, body = data[9], data[(data[0] & 15) * 4 :]
            private = data[12] == 10 or data[16] == 10
            if struct.unpack_from("!H", data, 6)[0] & 0x1FFF:
                body = b""  # a later fragment has no ports
        elif version == 6 and len(data) >= 40:
            protocol, body = data[6], data[40:]
            private = data[8] == 0xFD or data[24] == 0xFD
        else:
            return "other"
        if private:
            return "clear"
        if protocol in (50, 51):
            return "esp" if protocol == 50 else "ah"
        if protocol == 17 and len(body) >= 8:
            ports = struct.unpack_from("!HH", body)
            if 500 in ports:
                return "ike"
            if 4500 in ports:
                if len(body) == 9:
                    return "keepalive"
                return "ike" if body[8:12] == bytes(4) else "udp_esp"
        return "other"


class Wire:
    """A socket in the router that holds every packet that reached it, until somebody looks.

    No process, no thread: the kernel keeps the packets. If it had to drop one, `look` says so.
    """

    def __init__(self, router: Node) -> None:
        self._socket = router.call(self._open)
        self._frames: list[Frame] = []
        self._forgotten = Seen()

    @staticmethod
    def _open() -> socket.socket:
        # SOCK_DGRAM: without the link layer's header. 3 = ETH_P_ALL.
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
        sock.setsockopt(socket.SOL_SOCKET, 33, 256 << 20)  # SO_RCVBUFFORCE
        sock.setblocking(False)
        return sock

    def frames(self) -> list[Frame]:
        """All frames since the start, or since `forget`."""
        self._look()
        return self._frames

    def seen(self) -> Seen:
        """Count all frames since the start; subtract two counts for what was between."""
        counts = Counter(frame.kind for frame in self.frames())
        return self._forgotten + Seen(**counts)

    def forget(self) -> None:
        """Keep of the frames so far only how many they were: half an hour of traffic would fill the machine."""
        self._forgotten = self.seen()
        self._frames = []

    def clear_from(self, net: str) -> int:
        """How many unprotected packets had a source in `net` (IPv4) since the start."""
        sources = ip_network(net)
        return sum(f.kind == "clear" and ip_address(f.packet[12:16]) in sources for f in self.frames())

    def wait_for(self, kind: str, count: int = 1, timeout: float = PATIENCE) -> None:
        """Wait until `count` packets of a kind have been seen since the start."""
        deadline = time.monotonic() + timeout
        while (have := getattr(self.seen(), kind)) < count:
            left = deadline - time.monotonic()
            assert left > 0, f"the router saw {have} {kind} packets in {timeout} s, not {count}"
            select.select([self._socket], [], [], left)

    def save(self, path: Path) -> None:
        """Write a pcap file, link type raw IP."""
        with path.open("wb") as file:
            file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))
            for frame in self.frames():
                if frame.packet[:1] and frame.packet[0] >> 4 in (4, 6):
                    seconds, micro = divmod(round(frame.time * 1e6), 1_000_000)
                    size = len(frame.packet)
                    file.write(struct.pack("<IIII", seconds, micro, size, size) + frame.packet)

    def close(self) -> None:
        self._socket.close()

    def _look(self) -> None:
        now = time.time()
        while True:
            try:
                packet, address = self._socket.recvfrom(65536)
            except BlockingIOError:
                break
            if address[2] != 4 and address[0] != "lo":  # 4 = PACKET_OUTGOING
                self._frames.append(Frame(now, packet))
        received, dropped = struct.unpack("II", self._socket.getsockopt(263, 6, 8))  # PACKET_STATISTICS
        assert dropped == 0, f"the router's socket dropped {dropped} of {received} packets"
