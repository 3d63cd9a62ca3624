"""Hash and prf, and the one comparison of authenticators."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import Any, NamedTuple

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC

from ikevd.wire.registry import Hash


class _Row(NamedTuple):
    name: str
    """In OpenSSL."""
    new: Callable[[bytes], Any]
    size: int
    """Octets of output."""
    algorithm: hashes.HashAlgorithm
    """For `HMAC`."""


_HASHES = {
    Hash.MD5: _Row("md5", hashlib.md5, 16, hashes.MD5()),  # noqa: S303
    Hash.SHA1: _Row("sha1", hashlib.sha1, 20, hashes.SHA1()),  # noqa: S303
    Hash.SHA2_256: _Row("sha256", hashlib.sha256, 32, hashes.SHA256()),
    Hash.SHA2_384: _Row("sha384", hashlib.sha384, 48, hashes.SHA384()),
    Hash.SHA2_512: _Row("sha512", hashlib.sha512, 64, hashes.SHA512()),
}
"""What may be negotiated, the policy decides."""


def hash_size(hash: Hash) -> int:
    """Octets that `digest` and `prf` give."""
    return _row(hash).size


def digest(hash: Hash, data: bytes) -> bytes:
    """hash(data)."""
    octets: bytes = _row(hash).new(data).digest()
    return octets


def prf(hash: Hash, key: bytes, data: bytes) -> bytes:
    """prf(key, data): the HMAC of the negotiated hash (RFC 2409 section 4)."""
    return hmac.digest(key, data, _row(hash).name)


class Prf:
    """`prf` under one key for several values: the key is prepared once (RFC 2104 section 4)."""

    __slots__ = ("_keyed", "hash")

    def __init__(self, hash: Hash, key: bytes) -> None:
        self.hash = hash
        self._keyed = HMAC(key, _row(hash).algorithm)

    def __call__(self, data: bytes) -> bytes:
        """prf(key, data)."""
        keyed = self._keyed.copy()
        keyed.update(data)
        return keyed.finalize()


def equal(a: bytes, b: bytes) -> bool:
    """Are the two authenticators the same? Takes the same time wherever they differ."""
    return hmac.compare_digest(a, b)


def _row(hash: Hash) -> _Row:
    row = _HASHES.get(hash)
    if row is None:
        raise ValueError(f"hash {hash} is not supported")
    return row
