"""A file or standard input as a stream of bounded length, unpacked where it is gzip.

No more than a piece of it is ever in memory.
"""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from ikevd.errors import Malformed

MEBIBYTE = 1 << 20
LIMIT = 256 * MEBIBYTE
"""Octets that are read, counted without gzip."""
PLAIN = 16 * MEBIBYTE
"""So many octets may come of any gzip file, and"""
RATIO = 50
"""so many times its own size: a capture shrinks to a tenth, to a thousandth only what was made to do harm."""
GZIP = b"\x1f\x8b"
ADVICE = "tcpdump -r can pick the packets of IKE from a capture"


@contextmanager
def opened(file: Path, limit: int = LIMIT, plain: int = PLAIN) -> Iterator[io.BufferedReader]:
    """`-` is standard input. Raises `OSError`; reading raises `Malformed` beyond a bound, and for damaged gzip."""
    if str(file) == "-":
        yield _unpacked(cast("io.BufferedReader", sys.stdin.buffer), limit, plain)
    else:
        with file.open("rb") as stream:
            yield _unpacked(stream, limit, plain)


def _unpacked(stream: io.BufferedReader, limit: int, plain: int) -> io.BufferedReader:
    counted = _Counted(stream.read1, lambda count: _too_long(count, limit))
    read: io.BufferedReader = io.BufferedReader(counted)
    if read.peek(len(GZIP))[: len(GZIP)] != GZIP:
        return read
    unpacked = gzip.GzipFile(fileobj=read)

    def refusal(count: int) -> str | None:
        if count > max(plain, RATIO * counted.count):
            return f"the gzip unpacks to more than {RATIO} times its size; {ADVICE}"
        return _too_long(count, limit)

    return io.BufferedReader(_Counted(unpacked.read1, refusal))


def _too_long(count: int, limit: int) -> str | None:
    return f"more than {limit / MEBIBYTE:g} MiB; {ADVICE}" if count > limit else None


class _Counted(io.RawIOBase):
    """Gives on what `read` gives, until `refusal` has a sentence about their number."""

    def __init__(self, read: Callable[[int], bytes], refusal: Callable[[int], str | None]) -> None:
        self._read = read
        self._refusal = refusal
        self.count = 0

    def readable(self) -> bool:
        """For `BufferedReader`."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """As `RawIOBase.readinto`; raises `Malformed`."""
        try:
            octets = self._read(len(buffer))
        except (gzip.BadGzipFile, zlib.error, EOFError) as error:
            raise Malformed(f"damaged gzip: {error}") from error
        self.count += len(octets)
        if sentence := self._refusal(self.count):
            raise Malformed(sentence)
        buffer[: len(octets)] = octets
        return len(octets)
