"""The one bounds check of this program: `Reader` for received octets, `Writer` for those to send."""

from __future__ import annotations

from struct import Struct
from typing import Any

from ikevd.errors import Malformed

GENERIC = Struct("!BBH")
"""Next payload, reserved, length: before each payload, proposal and transform (RFC 2408 section 3.2)."""


class Reader:
    """Reads network-order fields from octets; raises `Malformed` rather than read past the end."""

    __slots__ = ("_data", "_end", "_what", "offset")

    def __init__(self, data: bytes, what: str = "message") -> None:
        self._data = data
        self._end = len(data)
        self._what = what
        self.offset = 0

    @property
    def remaining(self) -> int:
        """Octets left before the present end."""
        return self._end - self.offset

    def take(self, count: int) -> bytes:
        """The next `count` octets."""
        start = self.offset
        end = start + count
        if count < 0 or end > self._end:
            raise self._too_short(count)
        self.offset = end
        return self._data[start:end]

    def fields(self, layout: Struct) -> tuple[Any, ...]:
        """Several fields at once: what `take` would give, without a copy."""
        start = self.offset
        end = start + layout.size
        if end > self._end:
            raise self._too_short(layout.size)
        self.offset = end
        return layout.unpack_from(self._data, start)

    def _too_short(self, count: int) -> Malformed:
        return Malformed(f"{self._what}: {count} octets wanted, {self.remaining} left")

    def u8(self) -> int:
        """One octet."""
        return self.take(1)[0]

    def u16(self) -> int:
        """Two octets."""
        return int.from_bytes(self.take(2))

    def u32(self) -> int:
        """Four octets."""
        return int.from_bytes(self.take(4))

    def rest(self) -> bytes:
        """All octets up to the present end."""
        return self.take(self.remaining)

    def within(self, length: int, what: str) -> Narrowed:
        """Narrow to the next `length` octets, which must be consumed exactly: `with reader.within(…):`."""
        if length < 0 or length > self.remaining:
            raise Malformed(f"{what}: length {length}, but {self.remaining} octets are left in {self._what}")
        return Narrowed(self, self.offset + length, what)


class Narrowed:
    """A stretch of a `Reader`, as a context manager."""

    __slots__ = ("_end", "_outer", "_reader", "_what")

    def __init__(self, reader: Reader, end: int, what: str) -> None:
        self._reader, self._end, self._what = reader, end, what

    def __enter__(self) -> None:
        reader = self._reader
        self._outer = reader._end, reader._what
        reader._end, reader._what = self._end, self._what

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        reader = self._reader
        if kind is None:
            if reader.remaining:
                raise Malformed(f"{self._what}: {reader.remaining} octets too many")
            reader._end, reader._what = self._outer


class Writer:
    """Collects network-order fields."""

    __slots__ = ("_parts",)

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def u8(self, *values: int) -> Writer:
        """One octet for each value."""
        self._parts.append(bytes(values))
        return self

    def fields(self, layout: Struct, *values: Any) -> Writer:
        """Several fields at once."""
        self._parts.append(layout.pack(*values))
        return self

    def u16(self, value: int) -> Writer:
        """Two octets."""
        self._parts.append(value.to_bytes(2, "big"))
        return self

    def u32(self, value: int) -> Writer:
        """Four octets."""
        self._parts.append(value.to_bytes(4, "big"))
        return self

    def octets(self, data: bytes) -> Writer:
        """The octets as they are."""
        self._parts.append(data)
        return self

    def done(self) -> bytes:
        """Everything written."""
        return b"".join(self._parts)
