"""Data attributes of transforms (RFC 2408 section 3.3): type and value, or type, length and value."""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct

from ikevd.errors import Malformed
from ikevd.frozen import frozen
from ikevd.wire.buffer import Reader

BASIC = 0x8000
MAX_ATTRIBUTES = 64
"""Of one transform or one Attributes payload: the longest transforms in use have ten, a Mode Config answer thirty."""
MAX_NUMBER_OCTETS = 8
_HEAD = Struct("!HH")


@frozen
class Attribute:
    """One attribute as it stands on the wire; `basic` is the two-octet form.

    `AF|type (16)  value (16)`  or  `type (16)  length (16)  value (length)`
    """

    type: int
    value: bytes
    basic: bool

    @classmethod
    def number(cls, kind: int, number: int) -> Attribute:
        """The basic form up to 65,535, else four octets (what Cisco and strongSwan send for long lifetimes) or eight,
        as a number of the peer's may have."""
        if number <= 0xFFFF:
            return cls(kind, number.to_bytes(2, "big"), basic=True)
        return cls(kind, number.to_bytes(4 if number <= 0xFFFFFFFF else MAX_NUMBER_OCTETS, "big"), basic=False)

    @property
    def has_number(self) -> bool:
        """Can the value be read as a number?"""
        return 1 <= len(self.value) <= MAX_NUMBER_OCTETS

    def as_number(self) -> int:
        """The value as a number, whatever its width up to eight octets."""
        if self.basic or self.has_number:
            return int.from_bytes(self.value, "big")
        raise Malformed(f"attribute {self.type} holds a number of {len(self.value)} octets, not 1 to 8")

    @classmethod
    def decode(cls, reader: Reader) -> Attribute:
        """Read one attribute."""
        kind, value_or_length = reader.fields(_HEAD)
        if kind & BASIC:
            return cls(kind & ~BASIC, value_or_length.to_bytes(2), True)
        return cls(kind, reader.take(value_or_length), False)

    def encode(self) -> bytes:
        """The octets, exactly those that were decoded."""
        if self.basic:
            return (self.type | BASIC).to_bytes(2) + self.value
        return self.type.to_bytes(2) + len(self.value).to_bytes(2) + self.value


def decode_all(reader: Reader) -> tuple[Attribute, ...]:
    """Read attributes up to the end of `reader`; raises `Malformed` where there are more than anyone sends."""
    found: list[Attribute] = []
    while reader.remaining:
        if len(found) == MAX_ATTRIBUTES:
            raise Malformed(f"more than {MAX_ATTRIBUTES} attributes in a row")
        found.append(Attribute.decode(reader))
    return tuple(found)


def encode_all(attributes: Iterable[Attribute]) -> bytes:
    """One after the other."""
    return b"".join([attribute.encode() for attribute in attributes])
