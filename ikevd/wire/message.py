"""The ISAKMP header and the chain of payloads behind it (RFC 2408 sections 3.1 and 3.2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from operator import attrgetter
from struct import Struct
from typing import TypeVar

from ikevd.errors import Malformed
from ikevd.frozen import frozen
from ikevd.wire.buffer import GENERIC, Reader
from ikevd.wire.payloads import Payload, decode_payload, parts
from ikevd.wire.registry import ALL_FLAGS, EXCHANGE_TYPES, PAYLOAD_TYPES, ExchangeType, Flags, PayloadType

_HEADER = Struct("!8s8sBBBBII")
HEADER_OCTETS = _HEADER.size
GENERIC_OCTETS = GENERIC.size
VERSION = 0x10
MAX_PAYLOADS = 64
"""Of one message. The largest seen in real captures is 17 (a Main Mode message full of vendor IDs)."""
MAX_PARTS = 1024
"""Of one message: payloads, transforms, attributes and SPIs together. An offer of 96 transforms has some 700."""
MAX_OFFERS = 2
"""SA payloads of one message: one is right, and a second one is told from none (RFC 2409 section 5.5 allows several in
Quick Mode; nobody sends them)."""
MAX_PADDING = 255
"""Octets behind the last payload. Padding to a block needs 15 or 16, racoon adds some blocks of random length."""
MAX_TRAILER = 16
"""# Deviates: RFC 2408 has no octets behind the last payload; an old Cisco client adds 16 zero ones."""

NONE, SA = PayloadType.NONE, PayloadType.SA
P = TypeVar("P", bound=Payload)


@frozen
class Header:
    """The fixed header.

    `initiator cookie (64)  responder cookie (64)  next payload (8)  version (8)  exchange (8)  flags (8)
    message ID (32)  length (32)`
    """

    initiator: bytes
    responder: bytes
    next_payload: PayloadType
    exchange: ExchangeType
    flags: Flags
    message_id: int
    version: int = VERSION
    length: int = 0

    @property
    def major(self) -> int:
        """Major version: 1 for ISAKMP and IKEv1, 2 for IKEv2."""
        return self.version >> 4

    @property
    def encrypted(self) -> bool:
        """Is the encryption bit set?"""
        return bool(int(self.flags) & 1)

    @classmethod
    def decode_untrusted(cls, datagram: bytes) -> Header:
        """Read the header and hold its length against the datagram. Raises only `Malformed`."""
        header = _decode_header_untrusted(datagram[:HEADER_OCTETS])
        _check_length(datagram, header.length)
        return header

    @classmethod
    def _decode(cls, octets: bytes) -> Header:
        reader = Reader(octets, "ISAKMP header")
        initiator, responder, following, version, exchange, flags, message_id, length = reader.fields(_HEADER)
        return cls(
            initiator,
            responder,
            PAYLOAD_TYPES[following],
            EXCHANGE_TYPES[exchange],
            ALL_FLAGS[flags],
            message_id,
            version,
            length,
        )

    def encode(self, body_octets: int) -> bytes:
        """The 28 octets for a body of `body_octets`."""
        codes = self.next_payload, self.version, self.exchange, self.flags
        return _HEADER.pack(self.initiator, self.responder, *codes, self.message_id, HEADER_OCTETS + body_octets)


@lru_cache(maxsize=8)
def _decode_header_untrusted(octets: bytes) -> Header:
    """Of no more than a header's octets. Asked twice in a row: by the router, and by the exchange that it finds."""
    return Header._decode(octets)


def _check_length(datagram: bytes, length: int) -> None:
    surplus = len(datagram) - length
    if length < HEADER_OCTETS or not 0 <= surplus <= MAX_TRAILER or (surplus and any(datagram[length:])):
        raise Malformed(f"ISAKMP length is {length}, but the datagram has {len(datagram)} octets")


@frozen
class Message:
    """A header with its payloads in the clear. `chain` is the octets of all payloads, without padding."""

    header: Header
    payloads: tuple[Payload, ...]
    chain: bytes

    @classmethod
    def decode_untrusted(cls, header: Header, body: bytes) -> Message:
        """Read the payload chain in `body`: the clear text behind the header, or what decryption gave.

        Octets behind the last payload are padding and ignored, as far as there may be any. Raises only `Malformed`.
        """
        reader = Reader(body, "payload chain")
        payloads = tuple(decode_chain_untrusted(header.next_payload, reader))
        if reader.remaining > MAX_PADDING:
            raise Malformed(f"{reader.remaining} octets behind the last payload; at most {MAX_PADDING} are wanted")
        return cls(header, payloads, body[: reader.offset])

    def all(self, kind: type[P]) -> tuple[P, ...]:
        """Every payload of one kind."""
        return tuple([payload for payload in self.payloads if type(payload) is kind])

    def one(self, kind: type[P]) -> P:
        """The payload of that kind; `Malformed` unless there is exactly one."""
        found = None
        for payload in self.payloads:
            if type(payload) is kind:
                if found is not None:
                    raise self._not_one(kind)
                found = payload
        if found is None:
            raise self._not_one(kind)
        return found

    def _not_one(self, kind: type[P]) -> Malformed:
        found, name = self.all(kind), kind.__name__.removesuffix("Payload").upper()
        count = f"{len(found)} {name} payloads" if found else f"no {name} payload"
        return Malformed(f"{count} in {self.header.exchange}; exactly one is wanted")

    def at_most_one(self, kind: type[P]) -> P | None:
        """The payload of that kind or None; `Malformed` if there are several."""
        return self.one(kind) if self.all(kind) else None

    @property
    def after_first(self) -> bytes:
        """The octets behind the first payload: what HASH(1) and HASH(2) cover (RFC 2409 section 5.5)."""
        return self.chain[GENERIC_OCTETS + len(self.payloads[0].body) :] if self.payloads else b""


def split_untrusted(kind: PayloadType, body: bytes) -> tuple[bytes, bytes]:
    """The first payload's body and the octets of all payloads behind it, by their lengths alone: what a HASH proves,
    whether or not the payloads can be read. Raises only `Malformed`."""
    reader = Reader(body, "payload chain")
    bodies: list[bytes] = []
    while kind != NONE:
        following, _, length = reader.fields(GENERIC)
        bodies.append(reader.take(max(0, length - GENERIC_OCTETS)))
        kind = PAYLOAD_TYPES[following]
    if not bodies:
        raise Malformed("message without payloads")
    return bodies[0], body[GENERIC_OCTETS + len(bodies[0]) : reader.offset]


def decode_chain_untrusted(kind: PayloadType, reader: Reader) -> Iterator[Payload]:
    """The payloads, the first of which is of type `kind`, one after the other; raises only `Malformed`."""
    number = read = offers = 0
    while kind is not NONE:
        number += 1
        if number > MAX_PAYLOADS:
            raise Malformed(f"message with more than {MAX_PAYLOADS} payloads")
        following, reserved, length = reader.fields(GENERIC)
        if reserved:
            raise Malformed(f"reserved octet of payload {number} ({kind}) is {reserved}, not 0")
        if length < GENERIC_OCTETS:
            raise Malformed(f"{kind} payload with length {length}; at least {GENERIC_OCTETS} is wanted")
        offers += kind is SA
        if offers > MAX_OFFERS:
            raise Malformed(f"message with more than {MAX_OFFERS} SA payloads")
        payload = decode_payload(kind, reader.take(length - GENERIC_OCTETS))
        read += parts(payload)
        if read > MAX_PARTS:
            raise Malformed(f"message with more than {MAX_PARTS} payloads, transforms, attributes and SPIs")
        yield payload
        kind = PAYLOAD_TYPES[following]


def encode_chain(payloads: Sequence[Payload]) -> bytes:
    """The payloads with their generic headers."""
    octets, behind = b"", 0
    for payload in reversed(payloads):
        body = payload.body
        octets = GENERIC.pack(behind, 0, len(body) + GENERIC_OCTETS) + body + octets
        behind = payload.TYPE
    return octets


def names(payloads: Sequence[Payload]) -> tuple[str, ...]:
    """What the payloads are called; the same tuple for the same types, since evidence keeps many."""
    return _names(bytes(map(_TYPE, payloads)))


@lru_cache(maxsize=256)
def _names(types: bytes) -> tuple[str, ...]:
    return tuple([_NAMES[kind] for kind in types])


_TYPE = attrgetter("TYPE")
_NAMES = tuple(map(str, PAYLOAD_TYPES))


def first_type(payloads: Sequence[Payload]) -> PayloadType:
    """What the header calls the next payload."""
    return payloads[0].TYPE if payloads else NONE
