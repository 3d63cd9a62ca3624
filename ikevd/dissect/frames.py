"""From captured frames to UDP datagrams: link layer, IPv4 and IPv6 with their fragments, UDP.

Whatever is no UDP, and whatever does not add up, is left out. `Losses` counts what a better capture would have held.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address

from ikevd.addresses import Address, Endpoint
from ikevd.dissect.pcap import Frame, LinkType
from ikevd.errors import Malformed
from ikevd.frozen import frozen
from ikevd.wire.buffer import Reader

UDP = 17
ETHERTYPES_OF_IP = (0x0800, 0x86DD)
ETHERTYPES_OF_VLAN = (0x8100, 0x88A8, 0x9100)
IPV6_OPTIONS = (0, 43, 60)
"""Hop-by-hop, routing, destination options: one length for all."""
IPV6_FRAGMENT, IPV6_AH = 44, 51
MAX_EXTENSIONS = 16
MAX_PARTIAL = 64
"""Packets of which fragments are kept; beyond, the oldest is given up."""


@frozen
class Datagram:
    """A UDP datagram; `time` in nanoseconds since 1970."""

    time: int
    source: Endpoint
    destination: Endpoint
    payload: bytes
    missing: int = 0
    """Octets behind `payload` that the capture did not keep."""


@dataclass(slots=True)
class Losses:
    """Packets of which the capture holds too little to be given as a datagram."""

    cut: int = 0
    """Those that the snap length cut in the IP or UDP header, or right behind it."""
    fragments: int = 0
    """UDP packets without some of their fragments."""


@frozen
class _Piece:
    """What an IP header says; `offset` in octets."""

    source: Address
    destination: Address
    protocol: int
    identification: int
    offset: int
    more: bool
    data: bytes


@dataclass(slots=True)
class _Partial:
    parts: dict[int, bytes] = field(default_factory=dict)
    length: int | None = None

    def add(self, piece: _Piece) -> None:
        self.parts[piece.offset] = piece.data
        if not piece.more:
            self.length = piece.offset + len(piece.data)

    def whole(self) -> bytes | None:
        """None while a part is missing."""
        if self.length is None or sum(map(len, self.parts.values())) < self.length:
            return None
        data = b""
        for offset in sorted(self.parts):
            if offset > len(data):
                return None
            data = data[:offset] + self.parts[offset]
        return data if len(data) >= self.length else None


def datagrams(frames: Iterable[Frame], losses: Losses | None = None) -> Iterator[Datagram]:
    """The UDP datagrams in `frames`, IP fragments put together. `losses` is right once all of them were given."""
    losses = losses or Losses()
    assembly = _Assembly(losses)
    for frame in frames:
        datagram = None
        with suppress(Malformed):
            packet = _behind_link(frame)
            datagram = _datagram(frame, packet, assembly, losses)
        if datagram is not None:
            yield datagram
    assembly.end()


def _datagram(frame: Frame, packet: Reader, assembly: _Assembly, losses: Losses) -> Datagram | None:
    try:
        piece = _ip(packet)
        if piece.protocol != UDP:
            return None
        whole = assembly.add(piece, cut=frame.cut) if piece.offset or piece.more else piece.data
        return None if whole is None else _udp(frame, piece, whole)
    except Malformed:
        losses.cut += frame.cut
        raise


class _Assembly:
    """UDP packets that came in fragments."""

    def __init__(self, losses: Losses) -> None:
        self._losses = losses
        self._partial: OrderedDict[tuple[object, ...], _Partial] = OrderedDict()

    def add(self, piece: _Piece, *, cut: bool) -> bytes | None:
        """The packet, if this was its last missing fragment; one that was cut is as good as missing."""
        key = piece.source, piece.destination, piece.identification
        packet = self._partial.setdefault(key, _Partial())
        if not cut:
            packet.add(piece)
        data = packet.whole()
        if data is not None:
            del self._partial[key]
        elif len(self._partial) > MAX_PARTIAL:
            self._partial.popitem(last=False)
            self._losses.fragments += 1
        return data

    def end(self) -> None:
        """No more fragments will come."""
        self._losses.fragments += len(self._partial)


def _behind_link(frame: Frame) -> Reader:
    """At the IP header."""
    reader = Reader(frame.octets, "frame")
    match frame.link_type:
        case LinkType.ETHERNET:
            reader.take(12)
            _skip_vlans(reader)
        case LinkType.NULL | LinkType.LOOP:
            reader.take(4)
        case LinkType.LINUX_SLL:
            reader.take(14)
            _skip_vlans(reader)
        case LinkType.LINUX_SLL2:
            _expect_ip(reader.u16())
            reader.take(18)
        case LinkType.RAW | LinkType.IPV4 | LinkType.IPV6 | 12 | 14:  # RAW had other numbers on some systems
            pass
        case other:
            raise Malformed(f"frame of link type {other}")
    return reader


def _skip_vlans(reader: Reader) -> None:
    kind = reader.u16()
    while kind in ETHERTYPES_OF_VLAN:
        reader.take(2)
        kind = reader.u16()
    _expect_ip(kind)


def _expect_ip(ethertype: int) -> None:
    if ethertype not in ETHERTYPES_OF_IP:
        raise Malformed(f"frame with ethertype 0x{ethertype:04x}")


def _ip(reader: Reader) -> _Piece:
    first = reader.u8()
    if first >> 4 == 4:
        return _ipv4(reader, (first & 15) * 4)
    if first >> 4 == 6:
        return _ipv6(reader)
    raise Malformed(f"IP version {first >> 4}")


def _ipv4(reader: Reader, header_octets: int) -> _Piece:
    reader.u8()
    total, identification, fragment = reader.u16(), reader.u16(), reader.u16()
    _, protocol, _ = reader.u8(), reader.u8(), reader.u16()
    source, destination = IPv4Address(reader.take(4)), IPv4Address(reader.take(4))
    reader.take(header_octets - 20)
    data = _up_to(reader, total - header_octets if total else reader.remaining)
    return _Piece(source, destination, protocol, identification, (fragment & 0x1FFF) * 8, bool(fragment & 0x2000), data)


def _ipv6(reader: Reader) -> _Piece:
    reader.take(3)
    length, following, _ = reader.u16(), reader.u8(), reader.u8()
    source, destination = IPv6Address(reader.take(16)), IPv6Address(reader.take(16))
    inner = Reader(_up_to(reader, length or reader.remaining), "IPv6 packet")
    identification, fragment = 0, 0
    for _ in range(MAX_EXTENSIONS):
        if following == IPV6_FRAGMENT:
            following, _, fragment, identification = inner.u8(), inner.u8(), inner.u16(), inner.u32()
        elif following in IPV6_OPTIONS:
            following, octets = inner.u8(), inner.u8() * 8 + 6
            inner.take(octets)
        elif following == IPV6_AH:
            following, octets = inner.u8(), inner.u8() * 4 + 6
            inner.take(octets)
        else:
            break
    data = inner.rest()
    return _Piece(source, destination, following, identification, fragment & 0xFFF8, bool(fragment & 1), data)


def _udp(frame: Frame, piece: _Piece, data: bytes) -> Datagram:
    reader = Reader(data, "UDP datagram")
    source, destination, length, _ = reader.u16(), reader.u16(), reader.u16(), reader.u16()
    payload = _up_to(reader, length - 8 if length else reader.remaining)
    missing = max(0, length - 8 - len(payload)) if frame.cut else 0
    if missing and not payload:
        raise Malformed("UDP datagram of which only the header was captured")
    ends = Endpoint(piece.source, source), Endpoint(piece.destination, destination)
    return Datagram(frame.time, *ends, payload, missing)


def _up_to(reader: Reader, length: int) -> bytes:
    """`length` octets, or what a capture that was cut short holds of them; what follows is padding of the link."""
    return reader.take(min(length, reader.remaining))
