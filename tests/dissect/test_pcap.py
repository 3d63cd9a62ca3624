"""Capture files: those of others against what was read from them elsewhere, odd ones made here, and our own."""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Iterator
from ipaddress import ip_address
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ikevd.addresses import Endpoint
from ikevd.dissect.capture import counted
from ikevd.dissect.frames import MAX_PARTIAL, Datagram, Losses, datagrams
from ikevd.dissect.pcap import Frame, LinkType, frames, is_capture
from ikevd.dissect.pcap_writer import file_header, record
from ikevd.errors import Malformed
from ikevd.wire.message import HEADER_OCTETS, Header, Message, encode_chain
from ikevd.wire.registry import ExchangeType, Flags, PayloadType
from ikevd.wire.sa import SaPayload

A, B = Endpoint(ip_address("192.0.2.1"), 500), Endpoint(ip_address("198.51.100.1"), 4500)
A6, B6 = Endpoint(ip_address("2001:db8::1"), 500), Endpoint(ip_address("2001:db8::2"), 500)
AT = 1_700_000_000_123_456_000
SENT = Datagram(AT, A, B, b"octets of a message")
PACKET = record(SENT)[16:]
"""Raw IPv4."""
PACKET_6 = record(Datagram(AT, A6, B6, b"six"))[16:]


def read(octets: bytes) -> list[Datagram]:
    return list(datagrams(frames(octets)))


def of(link_type: int, octets: bytes) -> list[Datagram]:
    return list(datagrams([Frame(AT, link_type, octets)]))


# -- captures of others -----------------------------------------------------------------------------------------------


def unpacked(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def test_every_capture_holds_the_datagrams_that_were_read_from_it_elsewhere(testdata: Path) -> None:
    count = 0
    for path in sorted((testdata / "messages").glob("*.json")):
        listing = json.loads(path.read_text())
        if not path.name.startswith("malformed__tcpdump-isakmp"):  # IP fragments and cut frames, read to the letter
            ours = iter(read(unpacked(testdata / listing["capture"])))
            for row in listing["messages"]:
                wanted = row["sport"], row["dport"], bytes.fromhex(row["payload"])
                found = next(d for d in ours if (d.source.port, d.destination.port, d.payload) == wanted)
                told = {
                    "time": f"{found.time // 10**9}.{found.time % 10**9:09}",
                    "src": str(found.source.address),
                    "dst": str(found.destination.address),
                }
                assert told == {key: row.get(key, told[key]) for key in told}, f"{path.name} {row['frame']}"
                count += 1
    assert count > 100


def messages(testdata: Path) -> Iterator[bytes]:
    """Each message of version 1 in the captures, and each single datagram."""
    for path in sorted(path for path in (testdata / "captures").rglob("*") if path.is_file() and path.suffix != ".out"):
        for datagram in read(unpacked(path)):
            marked = 4500 in (datagram.source.port, datagram.destination.port)
            yield datagram.payload[4:] if marked else datagram.payload
    yield from (path.read_bytes() for path in sorted((testdata / "datagrams").rglob("*")) if path.is_file())


def test_every_message_in_the_clear_re_encodes_octet_by_octet(testdata: Path) -> None:
    count = 0
    for octets in messages(testdata):
        try:
            header = Header.decode_untrusted(octets)
            assert header.encode(header.length - HEADER_OCTETS) == octets[:HEADER_OCTETS]
            if header.encrypted or header.major != 1:
                continue
            message = Message.decode_untrusted(header, octets[HEADER_OCTETS : header.length])
        except Malformed:
            continue
        assert encode_chain(message.payloads) == message.chain
        assert all(sa.encode() == sa.body for sa in message.all(SaPayload))
        count += 1
    assert count > 4000


# -- formats ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("order", "magic"), list(product("<>", [0xA1B2C3D4, 0xA1B23C4D])))
def test_pcap_of_either_order_and_resolution_is_read(order: str, magic: int) -> None:
    part = 123456 if magic == 0xA1B2C3D4 else 123456000
    head = struct.pack(f"{order}IHHIIII", magic, 2, 4, 0, 0, 65535, LinkType.RAW)
    octets = head + struct.pack(f"{order}IIII", 1_700_000_000, part, len(PACKET), len(PACKET)) + PACKET
    assert is_capture(octets)
    assert read(octets) == [SENT]


def block(order: str, kind: int, body: bytes) -> bytes:
    length = struct.pack(f"{order}I", 12 + len(body))
    return struct.pack(f"{order}I", kind) + length + body + length


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def pcapng(order: str, *blocks: bytes, options: bytes = b"") -> bytes:
    section = block(order, 0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1))
    return section + block(order, 1, struct.pack(f"{order}HHI", LinkType.RAW, 0, 0) + options) + b"".join(blocks)


def packet_block(order: str, units: int) -> bytes:
    head = struct.pack(f"{order}IIIII", 0, units >> 32, units & 0xFFFFFFFF, len(PACKET), len(PACKET))
    return block(order, 6, head + padded(PACKET))


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcapng_of_either_order_is_read(order: str) -> None:
    octets = pcapng(order, packet_block(order, AT // 1000))
    assert is_capture(octets)
    assert read(octets) == [SENT]


@pytest.mark.parametrize(
    ("resolution", "units", "time"), [(9, AT, AT), (0x80 | 1, 5, 2_500_000_000), (3, AT // 10**6, AT // 10**6 * 10**6)]
)
def test_the_resolution_of_a_pcapng_interface_counts(resolution: int, units: int, time: int) -> None:
    options = struct.pack("<HHB3xHHqHH", 9, 1, resolution, 14, 8, 10, 0, 0)
    (datagram,) = read(pcapng("<", packet_block("<", units), options=options))
    assert datagram.time == time + 10 * 10**9, "and its offset of 10 s"


def test_old_and_simple_packets_and_unknown_blocks_of_pcapng_are_read() -> None:
    units = AT // 1000
    old = struct.pack("<HHIIII", 0, 0, units >> 32, units & 0xFFFFFFFF, len(PACKET), len(PACKET)) + padded(PACKET)
    simple = struct.pack("<I", len(PACKET)) + padded(PACKET)
    octets = pcapng("<", block("<", 4, b"name"), block("<", 2, old), block("<", 3, simple))
    assert [datagram.time for datagram in read(octets)] == [AT, 0]


@pytest.mark.parametrize("cut", [1, 10, len(PACKET)])
def test_a_file_that_ends_in_a_frame_gives_those_before_it_and_then_fails(cut: int) -> None:
    whole = file_header() + record(SENT) + record(SENT)
    found = datagrams(frames(whole[:-cut]))
    assert next(found) == SENT
    with pytest.raises(Malformed, match="pcap file"):
        next(found)


@pytest.mark.parametrize(
    "octets",
    [
        pcapng("<") + block("<", 6, struct.pack("<IIIII", 1, 0, 0, 0, 0)),
        pcapng("<")[:-1],
        pcapng("<") + struct.pack("<II", 6, 4),
        pcapng("<") + struct.pack("<II", 6, 0xFFFFFFF0),
    ],
)
def test_a_pcapng_file_that_does_not_add_up_is_malformed(octets: bytes) -> None:
    with pytest.raises(Malformed, match="pcapng"):
        list(frames(octets))


HEADS = [file_header(), pcapng("<", packet_block("<", 0)), b"\x0a\x0d\x0d\x0a"]


@settings(deadline=None)
@given(st.sampled_from(HEADS), st.binary(max_size=200))
def test_whatever_a_file_holds_it_is_read_or_malformed(head: bytes, tail: bytes) -> None:
    try:
        read(head + tail)
    except Malformed:
        pass


# -- links and networks -----------------------------------------------------------------------------------------------

MACS = bytes(12)


@pytest.mark.parametrize(
    ("link_type", "head"),
    [
        (LinkType.RAW, b""),
        (LinkType.IPV4, b""),
        (LinkType.NULL, b"\2\0\0\0"),
        (LinkType.LOOP, b"\0\0\0\2"),
        (LinkType.ETHERNET, MACS + b"\x08\0"),
        (LinkType.ETHERNET, MACS + b"\x81\0\0\5\x08\0"),
        (LinkType.ETHERNET, MACS + b"\x88\xa8\0\5\x81\0\0\6\x08\0"),
        (LinkType.LINUX_SLL, bytes(14) + b"\x08\0"),
        (LinkType.LINUX_SLL2, b"\x08\0" + bytes(18)),
    ],
)
def test_a_datagram_is_found_behind_each_link_header(link_type: LinkType, head: bytes) -> None:
    assert of(link_type, head + PACKET) == [SENT]
    (six,) = of(link_type, head.replace(b"\x08\0", b"\x86\xdd") + PACKET_6)
    assert (six.source, six.destination, six.payload) == (A6, B6, b"six")


def test_padding_of_the_link_is_no_part_of_the_datagram() -> None:
    assert of(LinkType.ETHERNET, MACS + b"\x08\0" + PACKET + bytes(10)) == [SENT]


def test_a_datagram_behind_ipv6_options_is_found() -> None:
    options = bytes([60, 0]) + bytes(6) + bytes([51, 0]) + bytes(6) + bytes([17, 1]) + bytes(10)
    length = (len(PACKET_6) - 40 + len(options)).to_bytes(2, "big")
    packet = PACKET_6[:4] + length + b"\0" + PACKET_6[7:40] + options + PACKET_6[40:]
    (six,) = of(LinkType.RAW, packet)
    assert six.payload == b"six"


def ipv4_fragments(size: int) -> list[bytes]:
    body = PACKET[20:]
    found = []
    for offset in range(0, len(body), size):
        piece, more = body[offset : offset + size], offset + size < len(body)
        total, place = (20 + len(piece)).to_bytes(2, "big"), (offset // 8 | more << 13).to_bytes(2, "big")
        found.append(PACKET[:2] + total + b"\x12\x34" + place + PACKET[8:20] + piece)
    return found


@pytest.mark.parametrize("order", [1, -1])
def test_fragments_are_put_together_in_either_order(order: int) -> None:
    pieces = [Frame(AT, LinkType.RAW, octets) for octets in ipv4_fragments(8)]
    assert len(pieces) > 2
    assert list(datagrams(pieces[::order])) == [SENT]
    assert list(datagrams(pieces[1:])) == []


def test_ipv6_fragments_are_put_together() -> None:
    body = PACKET_6[40:]
    pieces = []
    for offset, piece, more in ((0, body[:8], 1), (8, body[8:], 0)):
        extension = bytes([17, 0]) + (offset | more).to_bytes(2, "big") + b"\0\0\0\7"
        length = (len(extension) + len(piece)).to_bytes(2, "big")
        pieces.append(Frame(AT, LinkType.RAW, PACKET_6[:4] + length + b"\x2c" + PACKET_6[7:40] + extension + piece))
    assert [datagram.payload for datagram in datagrams(pieces)] == [b"six"]


def test_fragments_that_never_become_whole_are_given_up() -> None:
    first, *rest = ipv4_fragments(16)
    lost = [Frame(AT, LinkType.RAW, first[:4] + number.to_bytes(2, "big") + first[6:]) for number in range(MAX_PARTIAL)]
    pieces = [Frame(AT, LinkType.RAW, octets) for octets in (first, *rest)]
    assert list(datagrams([pieces[0], *lost, *pieces[1:]])) == []
    assert list(datagrams([*lost, *pieces])) == [SENT]


@pytest.mark.parametrize(
    "octets",
    [
        MACS + b"\x08\x06" + PACKET,
        MACS + b"\x08\0\x50",
        MACS + b"\x08\0" + PACKET[:9] + b"\6" + PACKET[10:],
        MACS + b"\x08\0" + b"\x41" + PACKET[1:],
        MACS + b"\x08\0" + PACKET[:22],
        b"",
    ],
)
def test_what_is_no_udp_is_left_out(octets: bytes) -> None:
    assert of(LinkType.ETHERNET, octets) == []
    assert of(147, octets) == []


# -- what a capture does not hold -------------------------------------------------------------------------------------


def test_the_octets_that_the_snap_length_cut_from_a_datagram_are_counted() -> None:
    (found,) = datagrams([Frame(AT, LinkType.RAW, PACKET[:-5], cut=True)])
    assert (found.payload, found.missing) == (SENT.payload[:-5], 5)


@pytest.mark.parametrize("ends", [(SENT.source, SENT.destination), (A6, B6)], ids=["IPv4", "IPv6"])
def test_a_datagram_whose_end_is_missing_is_written_as_one_that_was_cut(ends: tuple[Endpoint, Endpoint]) -> None:
    cut = Datagram(AT, *ends, b"the header", missing=59_990)
    assert list(datagrams(frames(file_header() + record(cut)))) == [cut]


def test_padding_that_the_snap_length_cut_is_not_missed() -> None:
    (found,) = datagrams([Frame(AT, LinkType.RAW, PACKET + bytes(3), cut=True)])
    assert found == SENT


@pytest.mark.parametrize("kept", [21, 27, 28])
def test_packets_cut_in_their_headers_are_counted(kept: int) -> None:
    losses = Losses()
    assert list(datagrams([Frame(AT, LinkType.RAW, PACKET[:kept], cut=True)], losses)) == []
    assert losses == Losses(cut=1)


def test_what_is_no_ip_or_no_udp_is_no_loss() -> None:
    losses = Losses()
    arp, tcp = MACS + b"\x08\x06" + bytes(20), MACS + b"\x08\0" + PACKET[:9] + b"\6" + PACKET[10:25]
    assert list(datagrams([Frame(AT, LinkType.ETHERNET, octets, cut=True) for octets in (arp, tcp)], losses)) == []
    assert losses == Losses()


def test_packets_without_all_fragments_are_counted_also_those_given_up() -> None:
    first = ipv4_fragments(16)[0]
    lost = [first[:4] + number.to_bytes(2, "big") + first[6:] for number in range(MAX_PARTIAL + 3)]
    losses = Losses()
    assert list(datagrams([Frame(AT, LinkType.RAW, octets) for octets in lost], losses)) == []
    assert losses == Losses(fragments=MAX_PARTIAL + 3)


def test_a_fragment_that_was_cut_is_as_good_as_missing() -> None:
    *pieces, last = ipv4_fragments(16)
    losses = Losses()
    whole = [Frame(AT, LinkType.RAW, octets) for octets in pieces]
    assert list(datagrams([*whole, Frame(AT, LinkType.RAW, last[:-1], cut=True)], losses)) == []
    assert losses == Losses(fragments=1)


def test_pcap_and_pcapng_tell_which_frames_were_cut() -> None:
    short = PACKET[:-5]
    head = struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, len(short), LinkType.RAW)
    pcap_file = head + struct.pack("<IIII", 0, 0, len(short), len(PACKET)) + short
    packet = block("<", 6, struct.pack("<IIIII", 0, 0, 0, len(short), len(PACKET)) + padded(short))
    assert [frame.cut for frame in frames(pcap_file)] == [True]
    assert [frame.cut for frame in frames(pcapng("<", packet, packet_block("<", 0)))] == [True, False]


# -- our own ----------------------------------------------------------------------------------------------------------

ENDPOINTS = st.builds(Endpoint, st.ip_addresses(v=4), st.integers(0, 65535))
ENDPOINTS_6 = st.builds(Endpoint, st.ip_addresses(v=6), st.integers(0, 65535))
MICROSECONDS = st.integers(0, 2**32 * 10**6 - 1).map(lambda time: time * 1000)
PAYLOADS = st.binary(max_size=100)
WRITTEN = st.one_of(
    st.builds(Datagram, MICROSECONDS, ENDPOINTS, ENDPOINTS, PAYLOADS),
    st.builds(Datagram, MICROSECONDS, ENDPOINTS_6, ENDPOINTS_6, PAYLOADS),
)


@settings(deadline=None)
@given(st.lists(WRITTEN, max_size=5))
def test_what_is_written_is_read(sent: list[Datagram]) -> None:
    assert read(file_header() + b"".join(map(record, sent))) == sent


def test_the_messages_of_a_capture_and_their_negotiations_are_counted() -> None:
    def sent(responder: bytes, message_id: int, marker: bytes = b"") -> Datagram:
        header = Header(b"initiato", responder, PayloadType.NONE, ExchangeType.MAIN_MODE, Flags.NONE, message_id)
        return Datagram(AT, A, B, marker + header.encode(0))

    main_mode = sent(bytes(8), 0), sent(b"responde", 0), sent(b"responde", 0, bytes(4))
    quick_modes = sent(b"responde", 1), sent(b"responde", 2)
    assert counted([*main_mode, *quick_modes]) == (5, 3)
