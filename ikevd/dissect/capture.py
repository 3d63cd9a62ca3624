"""What UDP datagrams hold for IKE: messages, keepalives, and ESP in UDP (RFC 3948), as plain data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from ikevd.dissect.decode import MAJOR, cut_short, decoded
from ikevd.dissect.fields import View
from ikevd.dissect.frames import Datagram
from ikevd.dissect.outline import outline
from ikevd.errors import Malformed
from ikevd.wire.buffer import Reader
from ikevd.wire.message import Header
from ikevd.wire.registry import ExchangeType

PORT, NAT_PORT = 500, 4500
IKE_VERSIONS = (MAJOR, 2)
NON_ESP_MARKER = bytes(4)
KEEPALIVE = b"\xff"
ESP_HEADER = 8
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def message_views(datagrams: Iterable[Datagram]) -> Iterator[View]:
    """Each datagram that has to do with IKE, numbered from 1; `kind` is isakmp, esp or keepalive."""
    number = 0
    for datagram in datagrams:
        view = _view(datagram)
        if view is not None:
            number += 1
            yield {"number": number, **_envelope(datagram), **view}


def text(view: View) -> str:
    """One of `message_views`, indented below a line with its time and endpoints."""
    head = f"{view['number']}  {view['time']}  {view['source']} -> {view['destination']}"
    match view["kind"]:
        case "keepalive":
            return f"{head}  NAT keepalive"
        case "esp":
            return f"{head}  ESP in UDP, SPI {view['spi']}, sequence {view['sequence']}, {view['octets']} octets"
    return f"{head}\n{outline(view['message'], '  ')}"


def without_marker(octets: bytes) -> bytes:
    """For octets of unknown origin: the non-ESP marker is taken off where a message follows it, and only then."""
    marked = octets.startswith(NON_ESP_MARKER) and not _is_message(octets) and _is_message(octets[4:])
    return octets[4:] if marked else octets


def resembles_message(octets: bytes) -> bool:
    """Do version and exchange stand where an ISAKMP header has them, whatever its length says?"""
    reader = Reader(octets, "ISAKMP header")
    try:
        reader.take(17)
        version, exchange = reader.u8(), ExchangeType.of(reader.u8())
        reader.take(9)
    except Malformed:
        return False
    return version >> 4 in IKE_VERSIONS and exchange.known


def counted(datagrams: Iterable[Datagram]) -> tuple[int, int]:
    """How many messages, and of how many negotiations: pairs of initiator cookie and message ID."""
    messages, negotiations = 0, set[tuple[bytes, int]]()
    for datagram in datagrams:
        messages += 1
        with suppress(Malformed):
            header = Header.decode_untrusted(without_marker(datagram.payload))
            negotiations.add((header.initiator, header.message_id))
    return messages, len(negotiations)


def _envelope(datagram: Datagram) -> View:
    time = EPOCH + timedelta(microseconds=datagram.time // 1000)
    return {
        "time": time.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "source": str(datagram.source),
        "destination": str(datagram.destination),
    }


def _view(datagram: Datagram) -> View | None:
    ports = datagram.source.port, datagram.destination.port
    octets = datagram.payload + bytes(datagram.missing)
    if NAT_PORT in ports:
        if octets == KEEPALIVE:
            return {"kind": "keepalive"}
        if datagram.payload.startswith(NON_ESP_MARKER):  # not the zeros that stand for octets not kept
            return _message(octets[len(NON_ESP_MARKER) :], datagram.missing)
        if PORT not in ports and not _is_message(octets):
            return _esp(datagram)
    elif PORT not in ports:
        octets = without_marker(octets)
        if not _is_message(octets):
            return None
    return _message(octets, datagram.missing)


def _message(octets: bytes, missing: int) -> View:
    """`missing` octets at the end are filled with zeros."""
    kept = len(octets) - min(missing, len(octets))
    tree = cut_short(octets[:kept], len(octets) - kept) if missing else decoded(octets)
    return {"kind": "isakmp", "wire": octets[:kept].hex(), "message": tree}


def _esp(datagram: Datagram) -> View | None:
    octets = datagram.payload
    if len(octets) < ESP_HEADER:
        return None
    return {
        "kind": "esp",
        "spi": octets[:4].hex(),
        "sequence": int.from_bytes(octets[4:8], "big"),
        "octets": len(octets) + datagram.missing,
    }


def _is_message(octets: bytes) -> bool:
    try:
        header = Header.decode_untrusted(octets)
    except Malformed:
        return False
    return header.major in IKE_VERSIONS and header.exchange.known
