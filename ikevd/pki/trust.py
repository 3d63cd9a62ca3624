"""What the operator trusts, and what the peer's certificates are checked against."""

from __future__ import annotations

from dataclasses import field
from enum import Enum

from cryptography import x509

from ikevd.frozen import frozen
from ikevd.pki import names
from ikevd.wire.certificates import CertEncoding, CertReqPayload


class Revocation(Enum):
    """How much is asked of CRLs."""

    STRICT = "strict"
    """Each certificate of the path must stand on no current CRL of its issuer, which must be there."""
    RELAXED = "relaxed"
    """None may stand on a CRL of its issuer that is there, current or not."""
    OFF = "off"


@frozen
class Trust:
    """Of one connection."""

    anchors: tuple[x509.Certificate, ...]
    """CAs (root or intermediate), or the peer's very certificate: each is the end of a path."""
    known: tuple[x509.Certificate, ...] = ()
    """Further intermediates and end entities, which a peer need not send; trusted in nothing."""
    crls: tuple[x509.CertificateRevocationList, ...] = field(default=(), repr=False, hash=False)
    """From files."""
    revocation: Revocation = Revocation.RELAXED
    allow_weak: bool = False
    """Signatures with SHA-1, RSA keys from 1024 bits on."""

    def requests(self) -> tuple[CertReqPayload, ...]:
        """The CERTREQ payloads that say which CAs are trusted here (RFC 4945 section 3.2)."""
        authorities = dict.fromkeys(names.subject(one) for one in self.anchors)
        return tuple(CertReqPayload(CertEncoding.X509_SIGNATURE, name) for name in authorities)
