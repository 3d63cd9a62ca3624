"""The payload of Mode Config and XAUTH (draft-ietf-ipsec-isakmp-mode-cfg-05 section 3.2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from ikevd.wire import attributes
from ikevd.wire.attributes import Attribute
from ikevd.wire.buffer import Reader, Writer
from ikevd.wire.registry import ConfigType, PayloadType


@dataclass(frozen=True, slots=True)
class AttributesPayload:
    """Settings asked for or given. Its values may be passwords: they do not show in a repr.

    `type (8)  reserved (8)  identifier (16)  attributes`
    """

    TYPE: ClassVar = PayloadType.ATTRIBUTES
    type: ConfigType
    identifier: int
    attributes: tuple[Attribute, ...] = field(repr=False)
    reserved: int = 0

    @property
    def body(self) -> bytes:
        """The octets behind the generic header."""
        head = Writer().u8(self.type, self.reserved).u16(self.identifier)
        return head.octets(attributes.encode_all(self.attributes)).done()

    @classmethod
    def decode(cls, body: bytes) -> AttributesPayload:
        """Read the body of an Attributes payload."""
        reader = Reader(body, "attributes payload")
        kind, reserved, identifier = ConfigType(reader.u8()), reader.u8(), reader.u16()
        return cls(kind, identifier, attributes.decode_all(reader), reserved)
