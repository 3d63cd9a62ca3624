"""The one reading of DER of our own: tag and contents of a value. What certificates hold is read by `cryptography`."""

from __future__ import annotations

from ikevd.errors import Malformed
from ikevd.wire.buffer import Reader

SEQUENCE, SET, OID, INTEGER, OCTET_STRING = 0x30, 0x31, 0x06, 0x02, 0x04


def value(reader: Reader) -> tuple[int, bytes]:
    """Tag and contents of the next value, of definite length."""
    tag, length = reader.u8(), reader.u8()
    if length > 0x84 or length == 0x80:
        raise Malformed("a length stands there that DER does not have")
    if length > 0x80:
        length = int.from_bytes(reader.take(length - 0x80), "big")
    return tag, reader.take(length)


def contents(reader: Reader, tag: int) -> bytes:
    """Of the next value, which must have this tag."""
    got, octets = value(reader)
    if got != tag:
        raise Malformed(f"tag 0x{got:02x} stands where 0x{tag:02x} is wanted")
    return octets


def sequence(octets: bytes, what: str) -> list[tuple[int, bytes]]:
    """The values in a sequence, each with its tag and as it stands there, header and all."""
    body = contents(Reader(octets, what), SEQUENCE)
    reader, found = Reader(body, what), list[tuple[int, bytes]]()
    while reader.remaining:
        start = reader.offset
        tag, _ = value(reader)
        found.append((tag, body[start : reader.offset]))
    return found
