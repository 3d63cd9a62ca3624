"""Capture files as tcpdump and Wireshark write them, read: pcap and pcapng (`pcap_writer` writes pcap).

Sources: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng. A file is read frame by frame, so that no more than one is in
memory. One that ends in the middle of a frame is `Malformed` after all frames before it were given.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from io import BytesIO
from typing import BinaryIO, Literal

from ikevd.errors import Malformed
from ikevd.frozen import frozen
from ikevd.wire.buffer import Reader

MAX_PIECE = 2**24
"""Octets of one frame or block; Wireshark reads no longer ones either."""
NANOSECONDS = 10**9
MICROSECONDS = 10**6
Order = Literal["little", "big"]


class LinkType(IntEnum):
    """What a frame begins with, https://www.tcpdump.org/linktypes.html."""

    NULL = 0
    ETHERNET = 1
    RAW = 101
    LOOP = 108
    LINUX_SLL = 113
    IPV4 = 228
    IPV6 = 229
    LINUX_SLL2 = 276


@frozen
class Frame:
    """One captured frame; `time` in nanoseconds since 1970."""

    time: int
    link_type: int
    octets: bytes
    cut: bool = False
    """By the snap length: it was longer on the wire."""


def is_capture(head: bytes) -> bool:
    """Does a file that begins so hold a capture?"""
    return head[:4] in _PCAP or head[:4] == _SECTION.to_bytes(4, "big")


def frames(file: BinaryIO | bytes) -> Iterator[Frame]:
    """Every frame in a capture file; raises `Malformed` where the file does not add up."""
    stream = _Stream(BytesIO(file) if isinstance(file, bytes) else file)
    magic = stream.ahead(4)
    return _pcap_frames(stream, magic) if magic in _PCAP else _Pcapng(stream).frames()


class _Stream:
    """A file, from which no more is read than is asked for. Raises `Malformed` where it ends too early."""

    def __init__(self, file: BinaryIO) -> None:
        self.what = "capture file"
        self._file = file
        self._ahead = b""

    def ahead(self, count: int) -> bytes:
        """The next `count` octets, which stay; fewer at the end."""
        self._ahead += self._file.read(count - len(self._ahead))
        return self._ahead

    def take(self, count: int) -> bytes:
        """The next `count` octets."""
        if not 0 <= count <= MAX_PIECE:
            raise Malformed(f"{self.what}: a piece of {count} octets, wanted {MAX_PIECE} at most")
        known, self._ahead = self._ahead[:count], self._ahead[count:]
        data = known + self._file.read(count - len(known))
        if len(data) < count:
            raise Malformed(f"{self.what}: {count} octets wanted, {len(data)} left")
        return data


# -- pcap -------------------------------------------------------------------------------------------------------------

_PCAP: dict[bytes, tuple[Order, int]] = {
    bytes.fromhex("a1b2c3d4"): ("big", MICROSECONDS),
    bytes.fromhex("d4c3b2a1"): ("little", MICROSECONDS),
    bytes.fromhex("a1b23c4d"): ("big", NANOSECONDS),
    bytes.fromhex("4d3cb2a1"): ("little", NANOSECONDS),
}
"""By the first octets: the order of octets, and parts of a second."""
_HEADER_BEFORE_LINK_TYPE = 20
_LINK_TYPE_BITS = 0x0FFFFFFF


def _pcap_frames(stream: _Stream, magic: bytes) -> Iterator[Frame]:
    order, resolution = _PCAP[magic]
    stream.what = "pcap file"
    stream.take(_HEADER_BEFORE_LINK_TYPE)
    link_type = _u32(stream, order) & _LINK_TYPE_BITS
    while stream.ahead(1):
        seconds, part, captured, original = (_u32(stream, order) for _ in range(4))
        time = seconds * NANOSECONDS + part * NANOSECONDS // resolution
        yield Frame(time, link_type, stream.take(captured), captured < original)


def _u32(stream: _Stream, order: Order) -> int:
    return int.from_bytes(stream.take(4), order)


# -- pcapng -----------------------------------------------------------------------------------------------------------

_SECTION, _INTERFACE, _OLD_PACKET, _SIMPLE_PACKET, _PACKET = 0x0A0D0D0A, 1, 2, 3, 6
_OPTION_RESOLUTION, _OPTION_OFFSET = 9, 14
_LITTLE = bytes.fromhex("4d3c2b1a")
_BLOCK_OCTETS = 12
"""Of a block without a body: type, length, and the length again."""


@frozen
class _Interface:
    link_type: int
    snap: int
    resolution: int = MICROSECONDS
    offset: int = 0
    """Seconds to add."""

    def time(self, high: int, low: int) -> int:
        return (high << 32 | low) * NANOSECONDS // self.resolution + self.offset * NANOSECONDS


class _Pcapng:
    def __init__(self, stream: _Stream) -> None:
        stream.what = "pcapng file"
        self._stream = stream
        self._order: Order = "big"
        self._interfaces: list[_Interface] = []

    def frames(self) -> Iterator[Frame]:
        while self._stream.ahead(1):
            kind, body = self._block()
            match kind:
                case 0x0A0D0D0A:
                    self._interfaces = []
                case 1:
                    self._interfaces.append(self._interface(body))
                case 2 | 6:
                    yield self._packet(body, old=kind == _OLD_PACKET)
                case 3:
                    yield self._simple_packet(body)

    def _block(self) -> tuple[int, Reader]:
        kind = int.from_bytes(self._stream.take(4), self._order)
        length = self._stream.take(4)
        begin = b""
        if kind == _SECTION:  # the same in either order; the octets behind the length tell which
            begin = self._stream.take(4)
            self._order = "little" if begin == _LITTLE else "big"
        rest = int.from_bytes(length, self._order) - _BLOCK_OCTETS - len(begin)
        body = Reader(self._stream.take(rest), "pcapng block")
        self._stream.take(4)
        return kind, body

    def _interface(self, body: Reader) -> _Interface:
        link_type, _, snap = self._u16(body), self._u16(body), self._u32(body)
        resolution, offset = MICROSECONDS, 0
        while body.remaining:
            code, length = self._u16(body), self._u16(body)
            value = body.take(length)
            body.take(-length % 4)
            if code == _OPTION_RESOLUTION and value:
                resolution = 2 ** (value[0] & 0x7F) if value[0] & 0x80 else 10 ** value[0]
            elif code == _OPTION_OFFSET:
                offset = int.from_bytes(value, self._order, signed=True)
        return _Interface(link_type, snap, resolution, offset)

    def _packet(self, body: Reader, *, old: bool) -> Frame:
        number = self._u16(body) if old else self._u32(body)
        if old:
            self._u16(body)
        interface = self._of(number)
        high, low, captured, original = (self._u32(body) for _ in range(4))
        return Frame(interface.time(high, low), interface.link_type, body.take(captured), captured < original)

    def _simple_packet(self, body: Reader) -> Frame:
        interface, original = self._of(0), self._u32(body)
        captured = min(original, interface.snap or original)
        return Frame(0, interface.link_type, body.take(captured), captured < original)

    def _of(self, number: int) -> _Interface:
        if number >= len(self._interfaces):
            raise Malformed(f"pcapng file: a frame of interface {number}, which is not described")
        return self._interfaces[number]

    def _u16(self, reader: Reader) -> int:
        return int.from_bytes(reader.take(2), self._order)

    def _u32(self, reader: Reader) -> int:
        return int.from_bytes(reader.take(4), self._order)
