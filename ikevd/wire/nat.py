"""The payloads of NAT traversal (RFC 3947), with the numbers that its drafts used."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from ikevd.errors import Malformed
from ikevd.frozen import frozen
from ikevd.wire.buffer import Reader, Writer
from ikevd.wire.registry import IdType, PayloadType

ADDRESS_OCTETS = {IdType.IPV4_ADDR: 4, IdType.IPV6_ADDR: 16}


@frozen
class NatDPayload:
    """A hash over the cookies and one endpoint (RFC 3947 section 3.2).

    `type` is 20 of the RFC, 130 of drafts 00 to 03 or 15 of drafts 04 to 08. Number 15 is `Opaque` when decoded: only
    the exchange knows whether the peer announced such a draft.
    """

    type: PayloadType
    body: bytes

    @property
    def TYPE(self) -> PayloadType:
        """The payload type, which depends on the draft."""
        return self.type

    @classmethod
    def decode(cls, body: bytes) -> NatDPayload:
        """Of the RFC. Any octets: the negotiated hash decides the length."""
        return cls(PayloadType.NAT_D, body)

    @classmethod
    def decode_draft(cls, body: bytes) -> NatDPayload:
        """Of drafts 00 to 03."""
        return cls(PayloadType.NAT_D_DRAFT, body)


@frozen
class NatOaPayload:
    """The address that an end of a transport mode SA has for itself (RFC 3947 section 5.2).

    `ID type (8)  reserved (24)  address`; `type` is 21, or 131 of drafts 00 to 03.
    """

    type: PayloadType
    id_type: IdType
    data: bytes
    reserved: bytes = bytes(3)

    @property
    def TYPE(self) -> PayloadType:
        """The payload type, which depends on the draft."""
        return self.type

    @property
    def body(self) -> bytes:
        """The octets behind the generic header."""
        return Writer().u8(self.id_type).octets(self.reserved).octets(self.data).done()

    @property
    def address(self) -> IPv4Address | IPv6Address | None:
        """None for an ID type that is no address."""
        if self.id_type == IdType.IPV4_ADDR:
            return IPv4Address(self.data)
        return IPv6Address(self.data) if self.id_type == IdType.IPV6_ADDR else None

    @classmethod
    def of(cls, kind: PayloadType, address: IPv4Address | IPv6Address) -> NatOaPayload:
        """The address of one end, in a payload of the RFC or of a draft."""
        return cls(kind, IdType.IPV4_ADDR if address.version == 4 else IdType.IPV6_ADDR, address.packed)

    @classmethod
    def decode(cls, body: bytes) -> NatOaPayload:
        """Of the RFC."""
        return cls._decode(PayloadType.NAT_OA, body)

    @classmethod
    def decode_draft(cls, body: bytes) -> NatOaPayload:
        """Of drafts 00 to 03."""
        return cls._decode(PayloadType.NAT_OA_DRAFT, body)

    @classmethod
    def _decode(cls, kind: PayloadType, body: bytes) -> NatOaPayload:
        reader = Reader(body, "NAT-OA payload")
        id_type, reserved, data = IdType(reader.u8()), reader.take(3), reader.rest()
        wanted = ADDRESS_OCTETS.get(id_type, len(data))
        if len(data) != wanted:
            raise Malformed(f"NAT-OA payload of type {id_type} with {len(data)} octets, not {wanted}")
        return cls(kind, id_type, data, reserved)
