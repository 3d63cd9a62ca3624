"""Where unpredictable octets come from."""

from __future__ import annotations

import os
from typing import Protocol

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms

SEED_OCTETS = 32


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
    """The key stream of ChaCha20 (RFC 8439 section 2.4, nonce and counter zero) under a seed: the same seed gives the
    same octets, in the order in which they are asked for. One seed serves one exchange. Its `repr` shows nothing."""

    __slots__ = ("_seed", "_stream")

    def __init__(self, seed: bytes) -> None:
        """`seed`: 32 octets, secret; else ValueError."""
        if len(seed) != SEED_OCTETS:
            raise ValueError(f"a seed has {SEED_OCTETS} octets, not {len(seed)}")
        self._seed = seed
        self._stream: CipherContext | None = None

    def octets(self, count: int) -> bytes:
        """The next `count` octets of the stream."""
        if self._stream is None:  # many an exchange ends before its first
            self._stream = Cipher(algorithms.ChaCha20(self._seed, bytes(16)), mode=None).encryptor()
        return self._stream.update(bytes(count))

    def __repr__(self) -> str:
        return "<SeededEntropy>"
