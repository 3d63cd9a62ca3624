"""What peers would refuse in a certificate, or are known to stumble over, before any of them sees it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from cryptography import x509

from ikevd.pki import names, path, strength
from ikevd.pki.expiry import doubts as expiry_doubts
from ikevd.policy.identity import MAX_DATA


def of(certificate: x509.Certificate, now: datetime) -> list[str]:
    """Each a clause in words, the most important first."""
    return [*expiry_doubts([certificate], now), *_doubts(certificate)]


def is_ca(certificate: x509.Certificate) -> bool:
    """Does it say of itself that it may issue others?"""
    basic = path.extension(certificate, x509.BasicConstraints)
    return bool(basic and basic.ca)


def _doubts(certificate: x509.Certificate) -> Iterator[str]:
    if weak := strength.weak_key(certificate.public_key(), allow_weak=False):
        yield f"its key is weak: {weak}"
    self_issued = names.issuer(certificate) == names.subject(certificate)
    if not self_issued and (weak := strength.weak_signature(certificate, allow_weak=False)):
        yield f"its signature is weak ({weak}): refused unless weak ones are allowed, and never taken where it is MD5"
    yield from _doubts_of_ca(certificate) if is_ca(certificate) else _doubts_of_end(certificate)


def _doubts_of_ca(certificate: x509.Certificate) -> Iterator[str]:
    usage = path.extension(certificate, x509.KeyUsage)
    if usage and not usage.key_cert_sign:
        yield "it is a CA's, but its key usage has no keyCertSign: what it issues is refused"
    if usage and not usage.crl_sign:
        yield "its key usage has no cRLSign: its CRLs are refused"


def _doubts_of_end(certificate: x509.Certificate) -> Iterator[str]:
    usage = path.extension(certificate, x509.KeyUsage)
    if usage and not (usage.digital_signature or usage.content_commitment):
        yield "its key usage has neither digitalSignature nor nonRepudiation: refused for IKE (RFC 4945)"
    extended = path.extension(certificate, x509.ExtendedKeyUsage)
    if extended and not path.EKU_OF_IKE & set(extended):
        yield "its extended key usage is for something else than IKE or TLS: refused"
    if not names.alternatives(certificate):
        yield "it has no alternative name: the identity must be its distinguished name, never a host name or address"
    if len(names.subject(certificate)) > MAX_DATA:
        yield f"its subject is longer than {MAX_DATA} octets: it cannot be the identity"
