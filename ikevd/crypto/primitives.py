"""Hash and prf, and the one comparison of authenticators."""

from __future__ import annotations

import hashlib
import hmac

from ikevd.wire.registry import Hash

_HASHES = {
    Hash.MD5: ("md5", 16),
    Hash.SHA1: ("sha1", 20),
    Hash.SHA2_256: ("sha256", 32),
    Hash.SHA2_384: ("sha384", 48),
    Hash.SHA2_512: ("sha512", 64),
}
"""Name in OpenSSL, octets of output. What may be negotiated, the policy decides."""


def hash_size(hash: Hash) -> int:
    """Octets that `digest` and `prf` give."""
    return _row(hash)[1]


def digest(hash: Hash, data: bytes) -> bytes:
    """hash(data)."""
    return hashlib.new(_row(hash)[0], data).digest()


def prf(hash: Hash, key: bytes, data: bytes) -> bytes:
    """prf(key, data): the HMAC of the negotiated hash (RFC 2409 section 4)."""
    return hmac.digest(key, data, _row(hash)[0])


def equal(a: bytes, b: bytes) -> bool:
    """Are the two authenticators the same? Takes the same time wherever they differ."""
    return hmac.compare_digest(a, b)


def _row(hash: Hash) -> tuple[str, int]:
    row = _HASHES.get(hash)
    if row is None:
        raise ValueError(f"hash {hash} is not supported")
    return row
