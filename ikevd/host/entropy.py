"""Where unpredictable octets come from."""

from __future__ import annotations

import os
from hashlib import shake_256
from typing import Protocol

SEED_OCTETS = 32
ENOUGH = 2 * 136
"""Octets, more than most exchanges take: two blocks of SHAKE256."""


class Entropy(Protocol):
    """A source of unpredictable octets."""

    def octets(self, count: int) -> bytes:
        """`count` random octets."""


class SystemEntropy:
    """The kernel's random numbers."""

    def octets(self, count: int) -> bytes:
        """`count` octets of getrandom(2)."""
        return os.urandom(count)


class SeededEntropy:
    """SHAKE256 of a seed (FIPS 202 section 6.2): the same seed gives the same octets, in the order in which they are
    asked for. One seed serves one exchange. Its `repr` shows nothing."""

    __slots__ = ("_seed", "_stream", "_used")

    def __init__(self, seed: bytes) -> None:
        """`seed`: 32 octets, secret; else ValueError."""
        if len(seed) != SEED_OCTETS:
            raise ValueError(f"a seed has {SEED_OCTETS} octets, not {len(seed)}")
        self._seed = seed
        self._stream = b""
        self._used = 0

    def octets(self, count: int) -> bytes:
        """The next `count` octets of the stream."""
        begin, self._used = self._used, self._used + count
        if self._used > len(self._stream):
            self._stream = shake_256(self._seed).digest(max(ENOUGH, 2 * self._used))
        return self._stream[begin : self._used]

    def __repr__(self) -> str:
        return "<SeededEntropy>"
