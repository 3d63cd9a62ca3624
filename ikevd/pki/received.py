"""What stands in the CERT payloads of a peer. All of it is hostile until a path to a CA of ours is found."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from OpenSSL import crypto

from ikevd.certificate_findings import TooManyCertificates
from ikevd.errors import AuthenticationFailed, Malformed
from ikevd.frozen import frozen
from ikevd.pki import names
from ikevd.pki.strength import key_of
from ikevd.text import printable
from ikevd.wire.certificates import CertEncoding, CertPayload

MAX_CERTIFICATES = 16
"""Of one peer, CRLs beside them; strongSwan reads 8 payloads."""
MAX_CERTIFICATE = 16_384
"""Octets of one; those in use have some 1,000 to 3,000."""
MAX_OCTETS = 131_072
"""Of all payloads together: more than a datagram holds."""
MAX_UNUSABLE = 4
"""Of which the reason is kept."""

UNREADABLE = (
    ValueError,
    Malformed,
    UnsupportedAlgorithm,
    crypto.Error,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What comes of octets that are no certificate or CRL, or none that is of use."""
CERTIFICATES = (CertEncoding.X509_SIGNATURE, CertEncoding.X509_KEY_EXCHANGE)


@frozen
class Received:
    """Certificates with a key that can be used, in the order in which they came, each once; CRLs; what is no use."""

    certificates: tuple[x509.Certificate, ...] = ()
    crls: tuple[x509.CertificateRevocationList, ...] = ()
    unusable: tuple[str, ...] = ()


@contextmanager
def quiet() -> Iterator[None]:
    """What `cryptography` warns of, as serial numbers of zero, comes from the peer: nothing for standard error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@quiet()
def read_untrusted(payloads: Iterable[CertPayload]) -> Received:
    """Read them all; one that cannot be read costs nothing but itself.

    Raises `AuthenticationFailed` with `TooManyCertificates`, before anything is read.
    """
    given = list(payloads)
    _bounded("CERT payloads", len(given), MAX_CERTIFICATES)
    _bounded("octets of certificates", sum(len(one.data) for one in given), MAX_OCTETS)
    certificates, crls, unusable = dict[bytes, x509.Certificate](), list[x509.CertificateRevocationList](), list[str]()
    for payload in given:
        try:
            if payload.encoding == CertEncoding.CRL:
                crls.append(read_crl(payload.data))
                continue
            for one in _certificates(payload):
                check_readable(one)
                certificates.setdefault(one.public_bytes(Encoding.DER), one)
        except UNREADABLE as error:
            unusable.append(f"{payload.encoding} of {len(payload.data)} octets: {printable(str(error)[:120])}")
        _bounded("certificates", len(certificates), MAX_CERTIFICATES)
    return Received(tuple(certificates.values()), tuple(crls), tuple(unusable[:MAX_UNUSABLE]))


def _bounded(what: str, came: int, most: int) -> None:
    if came > most:
        raise AuthenticationFailed(TooManyCertificates(what, came, most))


def _certificates(payload: CertPayload) -> Iterator[x509.Certificate]:
    if payload.encoding in CERTIFICATES:
        if len(payload.data) > MAX_CERTIFICATE:
            raise ValueError(f"at most {MAX_CERTIFICATE} octets are wanted")
        yield x509.load_der_x509_certificate(payload.data)
    elif payload.encoding == CertEncoding.PKCS7:
        yield from pkcs7.load_der_pkcs7_certificates(payload.data)
    else:
        raise ValueError("an encoding that is not used here")


def read_crl(data: bytes) -> x509.CertificateRevocationList:
    """Of DER, readable in full. Raises one of `UNREADABLE`."""
    crl = x509.load_der_x509_crl(data)
    names.crl_issuer(crl)
    crl.last_update_utc, crl.next_update_utc  # noqa: B018
    return crl


def check_readable(certificate: x509.Certificate) -> None:
    """Nothing that cannot be read in full, or would cost too much, comes near OpenSSL's path building.

    Raises one of `UNREADABLE`.
    """
    key_of(certificate)
    names.subject(certificate)
    names.issuer(certificate)
    crypto.X509.from_cryptography(certificate)
    certificate.extensions, certificate.not_valid_before_utc, certificate.not_valid_after_utc  # noqa: B018
