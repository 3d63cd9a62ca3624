"""X25519 and X448: public values and secrets are octets as they are (RFC 8031 section 3.1, RFC 7748)."""

from __future__ import annotations

from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.x448 import X448PrivateKey, X448PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

X25519_SIZE = 32
X448_SIZE = 56


class CurveHalf:
    """A private key on one of the two curves."""

    __slots__ = ("_exchange", "public")

    def __init__(self, public: bytes, exchange: Callable[[bytes], bytes]) -> None:
        self.public = public
        self._exchange = exchange

    def agree(self, peer_public: bytes) -> bytes:
        """The secret. Raises ValueError where it would be zero (RFC 7748 section 6)."""
        try:
            return self._exchange(peer_public)
        except ValueError:
            raise ValueError("a point of small order") from None


def x25519(private: bytes) -> CurveHalf:
    """Our half with this private value, 32 octets, whatever they are (RFC 7748 section 5)."""
    key = X25519PrivateKey.from_private_bytes(private)
    return CurveHalf(
        key.public_key().public_bytes_raw(), lambda peer: key.exchange(X25519PublicKey.from_public_bytes(peer))
    )


def x448(private: bytes) -> CurveHalf:
    """Our half with this private value, 56 octets, whatever they are."""
    key = X448PrivateKey.from_private_bytes(private)
    return CurveHalf(
        key.public_key().public_bytes_raw(), lambda peer: key.exchange(X448PublicKey.from_public_bytes(peer))
    )
