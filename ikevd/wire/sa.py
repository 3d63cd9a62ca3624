"""The Security Association payload with its Proposals and Transforms (RFC 2408 sections 3.4 to 3.6)."""

from __future__ import annotations

from dataclasses import field
from functools import lru_cache
from struct import Struct
from typing import ClassVar

from ikevd.errors import Malformed
from ikevd.frozen import frozen
from ikevd.wire import attributes
from ikevd.wire.attributes import Attribute
from ikevd.wire.buffer import GENERIC, Reader, Writer
from ikevd.wire.registry import PAYLOAD_TYPES, Doi, PayloadType, Protocol

NONE, PROPOSAL, TRANSFORM = PayloadType.NONE, PayloadType.PROPOSAL, PayloadType.TRANSFORM
IPSEC, ISAKMP = Doi.IPSEC, Doi.ISAKMP
SITUATION_IDENTITY_ONLY = 1
SUB_HEADER = GENERIC.size
_TRANSFORM = Struct("!BBH")
_PROPOSAL = Struct("!BBBB")
_SA = Struct("!II")
MAX_TRANSFORMS = 96
"""Of one SA payload: far above what any peer offers (ike-scan's largest default is 24)."""
MAX_SA = 4096
"""Octets of one SA payload: 96 transforms of the usual six attributes have fewer."""
USUAL_TRANSFORM = 64
"""Octets of a transform; the usual six attributes have 32."""
TOO_MANY = f"SA payload with more than {MAX_TRANSFORMS} transforms"


@frozen
class Transform:
    """One combination of algorithms.

    `number (8)  id (8)  reserved (16)  attributes`
    """

    number: int
    id: int
    attributes: tuple[Attribute, ...]
    octets: bytes = field(default=b"", init=False, compare=False, repr=False)
    """As received, or as it was made for many messages; of one that is made of another by `replace`, empty."""

    @classmethod
    def decode(cls, body: bytes, place: int) -> Transform:
        """Read the body of a Transform payload, the `place`th of its proposal."""
        return _decode_usual(body, place) if len(body) <= USUAL_TRANSFORM else cls._decode(body, place)

    @classmethod
    def _decode(cls, body: bytes, place: int) -> Transform:
        reader = Reader(body, f"transform {place}")
        number, identifier, reserved = reader.fields(_TRANSFORM)
        found = cls(number, identifier, attributes.decode_all(reader))
        return found if reserved else found.kept_as(body)

    def kept_as(self, octets: bytes) -> Transform:
        """This one, just made, which is sent in these octets from here on."""
        object.__setattr__(self, "octets", octets)
        return self

    def encode(self) -> bytes:
        """The body of the Transform payload."""
        return self.octets or _TRANSFORM.pack(self.number, self.id, 0) + attributes.encode_all(self.attributes)


@lru_cache(maxsize=256)
def _decode_usual(body: bytes, place: int) -> Transform:
    """Most peers of a gateway offer the same transforms."""
    return Transform._decode(body, place)


@frozen
class Proposal:
    """One protocol with the transforms offered for it.

    `number (8)  protocol (8)  SPI size (8)  number of transforms (8)  SPI  transforms`
    """

    number: int
    protocol: Protocol
    spi: bytes
    transforms: tuple[Transform, ...]

    @classmethod
    def decode(cls, reader: Reader) -> Proposal:
        """Read the body of a Proposal payload."""
        number, protocol, spi_size, count = reader.fields(_PROPOSAL)
        spi = reader.take(spi_size)
        transforms: list[Transform] = []
        more = TRANSFORM if reader.remaining else NONE
        while more == TRANSFORM:
            if len(transforms) == MAX_TRANSFORMS:
                raise Malformed(TOO_MANY)
            more, length = _sub_header(reader, TRANSFORM)
            transforms.append(Transform.decode(reader.take(length), len(transforms) + 1))
        if len(transforms) != count:
            raise Malformed(f"proposal {number} announces {count} transforms and holds {len(transforms)}")
        return cls(number, Protocol.of(protocol), spi, tuple(transforms))

    def encode(self) -> bytes:
        """The body of the Proposal payload."""
        writer = Writer().u8(self.number, self.protocol, len(self.spi), len(self.transforms)).octets(self.spi)
        return writer.octets(_encode_list([t.encode() for t in self.transforms], TRANSFORM)).done()


@frozen
class SaPayload:
    """An offer, or the choice from one.

    `DOI (32)  situation (32)  proposals`
    """

    TYPE: ClassVar = PayloadType.SA
    proposals: tuple[Proposal, ...]
    received: bytes = field(default=b"", compare=False, repr=False)

    @classmethod
    def of(cls, proposals: tuple[Proposal, ...]) -> SaPayload:
        """One to be sent, encoded once for all."""
        return cls(proposals, received=cls(proposals).encode())

    @property
    def body(self) -> bytes:
        """The octets as received, else as they are sent: SAi_b of RFC 2409."""
        return self.received or self.encode()

    @property
    def parts(self) -> int:
        """How many transforms and attributes there are to read."""
        count = 0
        for proposal in self.proposals:
            for transform in proposal.transforms:
                count += 1 + len(transform.attributes)
        return count

    @classmethod
    def decode(cls, body: bytes) -> SaPayload:
        """Read the body of an SA payload of the IPsec DOI."""
        if len(body) > MAX_SA:
            raise Malformed(f"SA payload of {len(body)} octets; at most {MAX_SA} are wanted")
        reader = Reader(body, "SA payload")
        doi, situation = reader.fields(_SA)
        if doi not in (IPSEC, ISAKMP):
            raise Malformed(f"SA payload of DOI {doi}; IPsec (1) is wanted")
        if situation != SITUATION_IDENTITY_ONLY:
            raise Malformed(f"SA payload with situation 0x{situation:x}; identity only (1) is wanted")
        proposals: list[Proposal] = []
        transforms = 0
        more = PROPOSAL
        while more == PROPOSAL:
            more, length = _sub_header(reader, PROPOSAL)
            with reader.within(length, f"proposal {len(proposals) + 1}"):
                proposals.append(Proposal.decode(reader))
            transforms += max(1, len(proposals[-1].transforms))  # a proposal without any takes as long to read
            if transforms > MAX_TRANSFORMS:
                raise Malformed(TOO_MANY)
        if reader.remaining:
            raise Malformed(f"SA payload: {reader.remaining} octets after the last proposal")
        return cls(tuple(proposals), received=body)

    def encode(self) -> bytes:
        """The body of the SA payload."""
        body = _encode_list([p.encode() for p in self.proposals], PROPOSAL)
        return _SA.pack(IPSEC, SITUATION_IDENTITY_ONLY) + body


def _sub_header(reader: Reader, kind: PayloadType) -> tuple[PayloadType, int]:
    """Next payload and the length of the body that follows (RFC 2408 section 3.2)."""
    following, reserved, length = reader.fields(GENERIC)
    more = PAYLOAD_TYPES[following]
    if more not in (kind, NONE):
        raise Malformed(f"{more} follows inside a list of {kind} payloads")
    if reserved:
        raise Malformed(f"reserved octet of a {kind} payload is {reserved}, not 0")
    if length < SUB_HEADER:
        raise Malformed(f"{kind} payload with length {length}; at least {SUB_HEADER} is wanted")
    return more, length - SUB_HEADER


def _encode_list(bodies: list[bytes], kind: PayloadType) -> bytes:
    writer = Writer()
    for position, body in enumerate(bodies, start=1):
        more = kind if position < len(bodies) else NONE
        writer.fields(GENERIC, more, 0, len(body) + SUB_HEADER).octets(body)
    return writer.done()
