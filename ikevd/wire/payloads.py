"""Every payload that this program can read, and `Opaque` for all others; those of RFC 2409 stand here.

Each is a frozen value with `TYPE`, `body` (the octets behind the generic header, as received where it was
received) and `decode(body)`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from struct import Struct
from typing import ClassVar

from ikevd.errors import Malformed
from ikevd.frozen import frozen
from ikevd.wire.buffer import Reader, Writer
from ikevd.wire.certificates import CertPayload, CertReqPayload, SigPayload
from ikevd.wire.fragment import FragmentPayload
from ikevd.wire.modecfg import AttributesPayload
from ikevd.wire.nat import NatDPayload, NatOaPayload
from ikevd.wire.registry import Doi, IdType, NotifyType, PayloadType, Protocol
from ikevd.wire.sa import SaPayload

__all__ = [
    "AttributesPayload",
    "CertPayload",
    "CertReqPayload",
    "DeletePayload",
    "FragmentPayload",
    "HashPayload",
    "IdPayload",
    "KePayload",
    "NatDPayload",
    "NatOaPayload",
    "NoncePayload",
    "NotifyPayload",
    "Opaque",
    "Payload",
    "SaPayload",
    "SigPayload",
    "VidPayload",
    "decode_payload",
    "parts",
]

_ID = Struct("!BBH")
NONCE_OCTETS = (8, 256)
"""RFC 2409 section 5: the length of a nonce must be between 8 and 256 octets."""
MAX_SPIS = 512
"""Of one Delete payload: more than fit into a datagram that is not in pieces."""


@frozen
class KePayload:
    """A Diffie-Hellman public value (RFC 2408 section 3.7)."""

    TYPE: ClassVar = PayloadType.KE
    body: bytes = field(repr=False)

    @classmethod
    def decode(cls, body: bytes) -> KePayload:
        """Any octets: the group decides the length."""
        return cls(body)


@frozen
class NoncePayload:
    """Ni or Nr (RFC 2408 section 3.13)."""

    TYPE: ClassVar = PayloadType.NONCE
    body: bytes

    @classmethod
    def decode(cls, body: bytes) -> NoncePayload:
        """8 to 256 octets."""
        low, high = NONCE_OCTETS
        if not low <= len(body) <= high:
            raise Malformed(f"nonce of {len(body)} octets; {low} to {high} are wanted")
        return cls(body)


@frozen
class HashPayload:
    """HASH_I, HASH_R or HASH(1) to HASH(3) (RFC 2408 section 3.11)."""

    TYPE: ClassVar = PayloadType.HASH
    body: bytes = field(repr=False)

    @classmethod
    def decode(cls, body: bytes) -> HashPayload:
        """Any octets: the negotiated hash decides the length."""
        return cls(body)


@frozen
class VidPayload:
    """A vendor ID (RFC 2408 section 3.16)."""

    TYPE: ClassVar = PayloadType.VID
    body: bytes

    @classmethod
    def decode(cls, body: bytes) -> VidPayload:
        """Any octets."""
        return cls(body)


@frozen
class IdPayload:
    """An identity, or a traffic selector in Quick Mode (RFC 2407 section 4.6.2).

    `type (8)  protocol (8)  port (16)  data`
    """

    TYPE: ClassVar = PayloadType.ID
    type: IdType
    protocol: int
    port: int
    data: bytes

    @property
    def body(self) -> bytes:
        """IDii_b and IDir_b of RFC 2409: every field counts, so re-encoding gives the received octets."""
        return _ID.pack(self.type, self.protocol, self.port) + self.data

    @classmethod
    def decode(cls, body: bytes) -> IdPayload:
        """Read the body of an ID payload."""
        reader = Reader(body, "ID payload")
        kind, protocol, port = reader.fields(_ID)
        return cls(IdType.of(kind), protocol, port, reader.rest())


@frozen
class NotifyPayload:
    """A notification (RFC 2408 section 3.14).

    `DOI (32)  protocol (8)  SPI size (8)  type (16)  SPI  data`
    """

    TYPE: ClassVar = PayloadType.N
    protocol: Protocol
    type: NotifyType
    spi: bytes = b""
    data: bytes = b""
    doi: Doi = Doi.IPSEC

    @property
    def body(self) -> bytes:
        """The octets behind the generic header."""
        writer = Writer().u32(self.doi).u8(self.protocol, len(self.spi)).u16(self.type)
        return writer.octets(self.spi).octets(self.data).done()

    @classmethod
    def decode(cls, body: bytes) -> NotifyPayload:
        """Read the body of a Notification payload."""
        reader = Reader(body, "notification payload")
        doi, protocol, spi_size = Doi(reader.u32()), Protocol(reader.u8()), reader.u8()
        kind = NotifyType(reader.u16())
        return cls(protocol, kind, reader.take(spi_size), reader.rest(), doi)


@frozen
class DeletePayload:
    """SPIs that the sender has dropped (RFC 2408 section 3.15).

    `DOI (32)  protocol (8)  SPI size (8)  number of SPIs (16)  SPIs`
    """

    TYPE: ClassVar = PayloadType.D
    protocol: Protocol
    spis: tuple[bytes, ...]
    doi: Doi = Doi.IPSEC

    @property
    def body(self) -> bytes:
        """The octets behind the generic header."""
        size = len(self.spis[0]) if self.spis else 0
        writer = Writer().u32(self.doi).u8(self.protocol, size).u16(len(self.spis))
        return writer.octets(b"".join(self.spis)).done()

    @property
    def parts(self) -> int:
        """How many SPIs there are to read."""
        return len(self.spis)

    @classmethod
    def decode(cls, body: bytes) -> DeletePayload:
        """Read the body of a Delete payload: ISAKMP SPIs are 16 octets, ESP and AH ones 4."""
        reader = Reader(body, "delete payload")
        doi, protocol = Doi(reader.u32()), Protocol(reader.u8())
        size, count = reader.u8(), reader.u16()
        wanted = 16 if protocol == Protocol.ISAKMP else 4
        if protocol in (Protocol.ISAKMP, Protocol.ESP, Protocol.AH) and size != wanted:
            raise Malformed(f"delete payload for {protocol} with SPIs of {size} octets, not {wanted}")
        if size == 0 or count == 0 or size * count != reader.remaining:
            raise Malformed(f"delete payload announces {count} SPIs of {size} octets and holds {reader.remaining}")
        if count > MAX_SPIS:
            raise Malformed(f"delete payload with {count} SPIs; at most {MAX_SPIS} are wanted")
        octets = reader.rest()
        return cls(protocol, tuple([octets[at : at + size] for at in range(0, len(octets), size)]), doi)


@frozen
class Opaque:
    """A payload that this program does not read: kept and shown, never acted on."""

    type: PayloadType
    body: bytes

    @property
    def TYPE(self) -> PayloadType:
        """The payload type as received."""
        return self.type


Payload = (
    SaPayload
    | KePayload
    | NoncePayload
    | HashPayload
    | VidPayload
    | IdPayload
    | NotifyPayload
    | DeletePayload
    | CertPayload
    | CertReqPayload
    | SigPayload
    | AttributesPayload
    | NatDPayload
    | NatOaPayload
    | FragmentPayload
    | Opaque
)

_DECODERS: dict[PayloadType, Callable[[bytes], Payload]] = {
    PayloadType.SA: SaPayload.decode,
    PayloadType.KE: KePayload.decode,
    PayloadType.NONCE: NoncePayload.decode,
    PayloadType.HASH: HashPayload.decode,
    PayloadType.VID: VidPayload.decode,
    PayloadType.ID: IdPayload.decode,
    PayloadType.N: NotifyPayload.decode,
    PayloadType.D: DeletePayload.decode,
    PayloadType.CERT: CertPayload.decode,
    PayloadType.CERTREQ: CertReqPayload.decode,
    PayloadType.SIG: SigPayload.decode,
    PayloadType.ATTRIBUTES: AttributesPayload.decode,
    PayloadType.NAT_D: NatDPayload.decode,
    PayloadType.NAT_D_DRAFT: NatDPayload.decode_draft,
    PayloadType.NAT_OA: NatOaPayload.decode,
    PayloadType.NAT_OA_DRAFT: NatOaPayload.decode_draft,
    PayloadType.FRAGMENT: FragmentPayload.decode,
}


def parts(payload: Payload) -> int:
    """How many things the payload holds that are read one by one; 1 for most."""
    return payload.parts if isinstance(payload, (SaPayload, DeletePayload, AttributesPayload)) else 1


def decode_payload(kind: PayloadType, body: bytes) -> Payload:
    """The payload of type `kind`; raises `Malformed`."""
    decoder = _DECODERS.get(kind)
    return decoder(body) if decoder else Opaque(kind, body)
