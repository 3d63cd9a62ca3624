"""The one bounds check of this program: `Reader` for received octets, `Writer` for those to send."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ikevd.errors import Malformed


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
        if count < 0 or count > self.remaining:
            raise Malformed(f"{self._what}: {count} octets wanted, {self.remaining} left")
        start = self.offset
        self.offset += count
        return self._data[start : self.offset]

    def u8(self) -> int:
        """One octet."""
        return self.take(1)[0]

    def u16(self) -> int:
        """Two octets."""
        return int.from_bytes(self.take(2), "big")

    def u32(self) -> int:
        """Four octets."""
        return int.from_bytes(self.take(4), "big")

    def rest(self) -> bytes:
        """All octets up to the present end."""
        return self.take(self.remaining)

    @contextmanager
    def within(self, length: int, what: str) -> Iterator[None]:
        """Narrow to the next `length` octets, which must be consumed exactly."""
        if length < 0 or length > self.remaining:
            raise Malformed(f"{what}: length {length}, but {self.remaining} octets are left in {self._what}")
        outer_end, outer_what = self._end, self._what
        self._end, self._what = self.offset + length, what
        yield
        if self.remaining:
            raise Malformed(f"{what}: {self.remaining} octets too many")
        self._end, self._what = outer_end, outer_what


class Writer:
    """Collects network-order fields."""

    __slots__ = ("_parts",)

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def u8(self, *values: int) -> Writer:
        """One octet for each value."""
        self._parts.append(bytes(values))
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
