"""IKE fragmentation as Cisco and Microsoft do it ([MS-IKEE] section 2.2.5; RFC 7383 is IKEv2's and differs)."""

from __future__ import annotations

from typing import ClassVar

from ikevd.errors import Malformed
from ikevd.frozen import frozen
from ikevd.wire.buffer import Reader, Writer
from ikevd.wire.registry import PayloadType

LAST = 1
"""Flag of the last fragment."""


@frozen
class FragmentPayload:
    """A piece of a whole message, header included.

    `fragment ID (16)  number (8)  flags (8)  data`
    """

    TYPE: ClassVar = PayloadType.FRAGMENT
    id: int
    number: int
    flags: int
    data: bytes

    @property
    def last(self) -> bool:
        """Is it the last one?"""
        return bool(self.flags & LAST)

    @property
    def body(self) -> bytes:
        """The octets behind the generic header."""
        return Writer().u16(self.id).u8(self.number, self.flags).octets(self.data).done()

    @classmethod
    def decode(cls, body: bytes) -> FragmentPayload:
        """Read the body of a fragment, which holds at least one octet of the message."""
        reader = Reader(body, "fragment payload")
        identifier, number, flags = reader.u16(), reader.u8(), reader.u8()
        if not reader.remaining:
            raise Malformed("fragment payload without data")
        return cls(identifier, number, flags, reader.rest())
