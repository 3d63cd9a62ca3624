"""Bodies of payloads as IOS writes them. Numbers stand here as numbers: nothing is taken from the daemon's registry."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

from ikevd.crypto.ciphers import IvChain
from ikevd.errors import InvalidHash
from ikevd.wire.message import Message
from ikevd.wire.payloads import Opaque
from ikevd.wire.registry import PayloadType

SA, KE, ID, HASH, NONCE, NOTIFY, DELETE, VID = 1, 4, 5, 8, 10, 11, 12, 13
ISAKMP, ESP = 1, 3
UDP = 17
ID_IPV4, ID_FQDN, ID_SUBNET, ID_KEY_ID = 1, 2, 4, 11
INITIAL_CONTACT, RESPONDER_LIFETIME, R_U_THERE, R_U_THERE_ACK = 24578, 24576, 36136, 36137
BASIC = 0x8000

UNITY = bytes.fromhex("12f5f28c457168a9702d9fe274cc0100")
DPD = bytes.fromhex("afcad71368a1f1c96b8696fc77570100")
XAUTH = bytes.fromhex("09002689dfd6b712")
RFC_3947 = bytes.fromhex("4a131c81070358455c5728f20e95452f")
DRAFT_07 = bytes.fromhex("439b59f8ba676c4c7737ae22eab8f582")
DRAFT_03 = bytes.fromhex("7d9419a65310ca6f2c179d9215529d56")
DRAFT_02 = bytes.fromhex("90cb80913ebb696e086381b5ec427b1f")
IOS_MASK = bytes.fromhex("f5c7a71d00010000")
IOS_TAIL = bytes.fromhex("db6a509869fdb330")
"""As in one of the captures; it differs from one negotiation to the next."""


def payload(number: int, body: bytes) -> Opaque:
    """Sent as it stands."""
    return Opaque(PayloadType(number), body)


def payloads(number: int, bodies: Iterable[bytes]) -> tuple[Opaque, ...]:
    """Several of one type."""
    return tuple(payload(number, body) for body in bodies)


def bodies(message: Message, number: int) -> list[bytes]:
    """All of one type in a message."""
    return [found.body for found in message.payloads if int(found.TYPE) == number]


def with_hash(message: Message, expected: bytes) -> Message:
    """The message, if this is its only HASH. Raises `InvalidHash`."""
    if bodies(message, HASH) != [expected]:
        raise InvalidHash("HASH does not match")
    return message


def attribute(number: int, value: int) -> bytes:
    """ "basic of 3600", or "VPI of 0x0 0x1 0x51 0x80" where two octets do not hold it."""
    if value <= 0xFFFF:
        return struct.pack(">HH", number | BASIC, value)
    return struct.pack(">HHI", number, 4, value)


def transform(number: int, identifier: int, *attributes: bytes) -> bytes:
    """Number, id, and attributes in the order given."""
    return struct.pack(">BBH", number, identifier, 0) + b"".join(attributes)


def sa(protocol: int, spi: bytes, transforms: Sequence[bytes]) -> bytes:
    """One proposal, number 1."""
    chain = b""
    for position, body in enumerate(transforms, start=1):
        more = 3 if position < len(transforms) else 0
        chain += struct.pack(">BBH", more, 0, len(body) + 4) + body
    proposal = struct.pack(">BBBB", 1, protocol, len(spi), len(transforms)) + spi + chain
    return struct.pack(">II", 1, 1) + struct.pack(">BBH", 0, 0, len(proposal) + 4) + proposal


def identity(kind: int, data: bytes, protocol: int = 0, port: int = 0) -> bytes:
    """An ID of phase 1 or a selector of phase 2."""
    return struct.pack(">BBH", kind, protocol, port) + data


def notify(protocol: int, kind: int, spi: bytes, data: bytes = b"", doi: int = 1) -> bytes:
    """A notification."""
    return struct.pack(">IBBH", doi, protocol, len(spi), kind) + spi + data


def delete(protocol: int, *spis: bytes, doi: int = 1) -> bytes:
    """A Delete."""
    return struct.pack(">IBBH", doi, protocol, len(spis[0]), len(spis)) + b"".join(spis)


def ios_vendor_id(cookie: bytes) -> bytes:
    """Another one in each negotiation."""
    return bytes(a ^ b for a, b in zip(cookie, IOS_MASK, strict=True)) + IOS_TAIL


def chain_of(*parts: Opaque) -> bytes:
    """The payloads with their generic headers: what HASH(1) and HASH(2) are over."""
    found = b""
    for position, part in enumerate(parts, start=1):
        following = int(parts[position].TYPE) if position < len(parts) else 0
        found += struct.pack(">BBH", following, 0, len(part.body) + 4) + part.body
    return found


class AlwaysPadded(IvChain):
    """Appendix B of RFC 2409: there is always padding, and its last octet counts the others. IOS does so: its message
    5 of 64 octets is 80 long in both captures."""

    __slots__ = ()

    def encrypt(self, plaintext: bytes) -> bytes:
        following, end = -1, 0
        while following != 0:
            following, length = plaintext[end], int.from_bytes(plaintext[end + 2 : end + 4], "big")
            end += length
        size = len(self.iv)
        fill = size - end % size
        return super().encrypt(plaintext[:end] + bytes(fill - 1) + bytes([fill - 1]))
