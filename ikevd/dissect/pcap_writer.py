"""Datagrams as a pcap file that tcpdump and Wireshark read: raw IP, with the checksums made right. Octets that are
missing count in the lengths, as in any capture that was cut short."""

from __future__ import annotations

from ikevd.dissect.frames import UDP, Datagram
from ikevd.dissect.pcap import LinkType
from ikevd.wire.buffer import Writer

MAGIC, MAJOR, MINOR = 0xA1B2C3D4, 2, 4
SNAP = 262_144
UDP_OCTETS = 8
HOPS = 64
DONT_FRAGMENT = 0x4000


def file_header() -> bytes:
    """What the file begins with."""
    return Writer().u32(MAGIC).u16(MAJOR).u16(MINOR).u32(0).u32(0).u32(SNAP).u32(LinkType.RAW).done()


def record(datagram: Datagram) -> bytes:
    """One datagram."""
    packet = _packet(datagram)
    seconds, nanoseconds = divmod(datagram.time, 10**9)
    head = Writer().u32(seconds).u32(nanoseconds // 1000).u32(len(packet)).u32(len(packet) + datagram.missing)
    return head.octets(packet).done()


def _packet(datagram: Datagram) -> bytes:
    source, destination = datagram.source.address.packed, datagram.destination.address.packed
    length = UDP_OCTETS + len(datagram.payload) + datagram.missing
    udp = Writer().u16(datagram.source.port).u16(datagram.destination.port).u16(length).u16(0)
    segment = udp.octets(datagram.payload).done()
    pseudo = Writer().octets(source).octets(destination).u32(length).u32(UDP).done()
    checksum = 0 if datagram.missing else _checksum(pseudo + segment) or 0xFFFF  # 0: there is none (RFC 768)
    segment = segment[:6] + checksum.to_bytes(2, "big") + segment[8:]
    if datagram.source.address.version == 6:
        return Writer().u32(6 << 28).u16(length).u8(UDP, HOPS).octets(source + destination + segment).done()
    return _ipv4_header(length, source, destination) + segment


def _ipv4_header(length: int, source: bytes, destination: bytes) -> bytes:
    head = Writer().u8(0x45, 0).u16(20 + length).u16(0).u16(DONT_FRAGMENT).u8(HOPS, UDP)
    before, after = head.done(), source + destination
    return before + _checksum(before + after).to_bytes(2, "big") + after


def _checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    total = int.from_bytes(data + bytes(len(data) % 2), "big")
    return ~(total % 0xFFFF or (0xFFFF if total else 0)) & 0xFFFF  # 2 to the 16th is 1 in one's complement
