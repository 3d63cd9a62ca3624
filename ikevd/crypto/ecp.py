"""Diffie-Hellman over prime curves: those of NIST (RFC 5903) and Brainpool (RFC 6932 section 2.3).

A public value is x | y, each as long as the field; the secret is x alone (RFC 5903 section 7). All these curves have a
prime order, so that a point on the curve has no small order.
"""

from __future__ import annotations

from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ikevd.crypto.private_values import Octets, one_to
from ikevd.wire.registry import Group

UNCOMPRESSED = b"\x04"
"""How SEC 1 marks x | y."""

CURVES: Mapping[Group, ec.EllipticCurve] = {
    Group.ECP_256: ec.SECP256R1(),
    Group.ECP_384: ec.SECP384R1(),
    Group.ECP_521: ec.SECP521R1(),
    Group.ECP_192: ec.SECP192R1(),
    Group.ECP_224: ec.SECP224R1(),
    Group.BRAINPOOL_256: ec.BrainpoolP256R1(),
    Group.BRAINPOOL_384: ec.BrainpoolP384R1(),
    Group.BRAINPOOL_512: ec.BrainpoolP512R1(),
}


def coordinate_size(curve: ec.EllipticCurve) -> int:
    """Octets of x, of y and of the shared secret."""
    return (curve.key_size + 7) // 8


class EcpHalf:
    """A private key on one curve."""

    __slots__ = ("_private", "public")

    def __init__(self, private: ec.EllipticCurvePrivateKey) -> None:
        self._private = private
        point = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.public = point.removeprefix(UNCOMPRESSED)

    @classmethod
    def generate(cls, curve: ec.EllipticCurve, octets: Octets) -> EcpHalf:
        """A fresh one."""
        return cls(ec.derive_private_key(one_to(curve.group_order, octets), curve))

    def agree(self, peer_public: bytes) -> bytes:
        """x of the shared point. Raises ValueError where the peer's point is not on the curve."""
        try:
            peer = ec.EllipticCurvePublicKey.from_encoded_point(self._private.curve, UNCOMPRESSED + peer_public)
        except ValueError:
            raise ValueError("not a point of the curve") from None
        return self._private.exchange(ec.ECDH(), peer)
