"""Which keys and signatures may prove anything, and which only where the configuration allows weak ones."""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ObjectIdentifier, SignatureAlgorithmOID

PeerKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
"""What signs in IKEv1."""

RSA_BITS, WEAK_RSA_BITS, MAX_RSA_BITS = 2048, 1024, 8192
"""At least; at least where weak ones are allowed; at most, since each signature costs as much time."""
MAX_EXPONENT_BITS = 64
EC_BITS = 224

SOUND = frozenset(
    {
        SignatureAlgorithmOID.RSA_WITH_SHA224,
        SignatureAlgorithmOID.RSA_WITH_SHA256,
        SignatureAlgorithmOID.RSA_WITH_SHA384,
        SignatureAlgorithmOID.RSA_WITH_SHA512,
        SignatureAlgorithmOID.RSASSA_PSS,
        SignatureAlgorithmOID.ECDSA_WITH_SHA224,
        SignatureAlgorithmOID.ECDSA_WITH_SHA256,
        SignatureAlgorithmOID.ECDSA_WITH_SHA384,
        SignatureAlgorithmOID.ECDSA_WITH_SHA512,
        SignatureAlgorithmOID.ED25519,
        SignatureAlgorithmOID.ED448,
    }
)
"""Signatures below a certificate."""
WEAK = {
    SignatureAlgorithmOID.RSA_WITH_SHA1: "SHA-1",
    ObjectIdentifier("1.3.14.3.2.29"): "SHA-1",
    SignatureAlgorithmOID.ECDSA_WITH_SHA1: "SHA-1",
    SignatureAlgorithmOID.RSA_WITH_MD5: "MD5",
}


def key_of(certificate: x509.Certificate) -> PeerKey:
    """Its key. ValueError for one that is of no use in IKEv1, or would cost too much."""
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError(f"its key cannot be read ({error})") from None
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key
    if not isinstance(key, rsa.RSAPublicKey):
        raise ValueError("its key is neither RSA nor ECDSA")
    if key.key_size > MAX_RSA_BITS:
        raise ValueError(f"its RSA key has {key.key_size} bits; at most {MAX_RSA_BITS} are wanted")
    exponent = key.public_numbers().e
    if exponent < 3 or exponent % 2 == 0 or exponent.bit_length() > MAX_EXPONENT_BITS:
        raise ValueError(f"its RSA key has a public exponent that is even, 1 or longer than {MAX_EXPONENT_BITS} bits")
    return key


def weak_key(key: object, allow_weak: bool) -> str | None:
    """Why a key is too weak, or None."""
    if isinstance(key, ec.EllipticCurvePublicKey):
        return None if key.key_size >= EC_BITS else f"ECDSA with {key.key_size} bits; {EC_BITS} are wanted"
    if not isinstance(key, rsa.RSAPublicKey):
        return None
    wanted = WEAK_RSA_BITS if allow_weak else RSA_BITS
    return None if key.key_size >= wanted else f"RSA with {key.key_size} bits; {wanted} are wanted"


def weak_signature(certificate: x509.Certificate, allow_weak: bool) -> str | None:
    """Why its issuer's signature proves nothing, or None. MD5 never does."""
    kind = certificate.signature_algorithm_oid
    if kind in SOUND:
        return None
    name = WEAK.get(kind, kind.dotted_string)
    return None if allow_weak and name == "SHA-1" else name
