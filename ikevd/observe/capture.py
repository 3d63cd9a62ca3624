"""What UDP datagrams hold for IKE: messages, keepalives, and ESP in UDP (RFC 3948), as plain data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from ikevd.errors import Malformed
from ikevd.observe.decode import MAJOR, decoded
from ikevd.observe.fields import View
from ikevd.observe.frames import Datagram
from ikevd.observe.outline import outline
from ikevd.wire.message import Header

PORT, NAT_PORT = 500, 4500
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


def _envelope(datagram: Datagram) -> View:
    time = EPOCH + timedelta(microseconds=datagram.time // 1000)
    return {
        "time": time.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "source": str(datagram.source),
        "destination": str(datagram.destination),
    }


def _view(datagram: Datagram) -> View | None:
    ports = datagram.source.port, datagram.destination.port
    octets = datagram.payload
    if NAT_PORT in ports:
        if octets == KEEPALIVE:
            return {"kind": "keepalive"}
        if octets.startswith(NON_ESP_MARKER):
            return {"kind": "isakmp", "message": decoded(octets[len(NON_ESP_MARKER) :])}
        if PORT not in ports and not _is_message(octets):
            return _esp(octets)
    elif PORT not in ports:
        octets = without_marker(octets)
        if not _is_message(octets):
            return None
    return {"kind": "isakmp", "message": decoded(octets)}


def _esp(octets: bytes) -> View | None:
    if len(octets) < ESP_HEADER:
        return None
    return {
        "kind": "esp",
        "spi": octets[:4].hex(),
        "sequence": int.from_bytes(octets[4:8], "big"),
        "octets": len(octets),
    }


def _is_message(octets: bytes) -> bool:
    try:
        header = Header.decode_untrusted(octets)
    except Malformed:
        return False
    return header.major in (MAJOR, 2) and header.exchange.known
