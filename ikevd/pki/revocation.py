"""Whether a certificate of a path is revoked. OpenSSL judges each CRL: its signature, its time, what it is about."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import pairwise

from cryptography import x509
from OpenSSL.crypto import X509, X509StoreFlags

from ikevd.certificate_findings import Check
from ikevd.errors import Malformed
from ikevd.pki import names
from ikevd.pki.path import Path, Verdict, refused, verified
from ikevd.pki.trust import Revocation

NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME."""
UNKNOWN = (Check.NO_CRL, Check.STALE_CRL, Check.BAD_CRL)
MAX_CRLS = 8
"""Of one issuer, the newest ones."""


def check(path: Path, crls: Iterable[x509.CertificateRevocationList], revocation: Revocation, now: datetime) -> None:
    """Raises `AuthenticationFailed` with `CertificateRefused` for the first certificate that `revocation` refuses.

    Nobody revokes the CA at the end, which is trusted since the configuration says so.
    """
    if revocation is Revocation.OFF:
        return
    given = tuple(crls)
    for one, issuer in pairwise(path):
        own = _of(issuer, one, given, now)
        if not own and revocation is Revocation.RELAXED:
            continue
        found = _verdict(one, issuer, own, now)
        if found and (revocation is Revocation.STRICT or found.check not in UNKNOWN):
            raise refused(one, found.check, now, found.detail)


def _verdict(
    one: x509.Certificate, issuer: x509.Certificate, crls: list[x509.CertificateRevocationList], now: datetime
) -> Verdict | None:
    """Of one link; what stands on the newest CRL stays revoked when that is out of date and an older one is not."""
    for some, flags in ((crls[:1], NO_CHECK_TIME), (crls, 0)):
        found = _by_openssl(one, issuer, some, now, flags)
        if isinstance(found, Verdict) and (not flags or found.check is Check.REVOKED):
            return found
    return None


def _by_openssl(
    one: x509.Certificate,
    issuer: x509.Certificate,
    crls: list[x509.CertificateRevocationList],
    now: datetime,
    flags: int,
) -> Path | Verdict:
    return verified([X509.from_cryptography(issuer)], one, (), now, crls, X509StoreFlags.CRL_CHECK | flags)


def is_current(
    crl: x509.CertificateRevocationList, one: x509.Certificate, issuer: x509.Certificate, now: datetime
) -> bool:
    """Does it say, now and by `issuer`, whether `one` is revoked?"""
    found = _verdict(one, issuer, _of(issuer, one, (crl,), now), now)
    return found is None or found.check is Check.REVOKED


def _of(
    issuer: x509.Certificate,
    one: x509.Certificate,
    crls: tuple[x509.CertificateRevocationList, ...],
    now: datetime,
) -> list[x509.CertificateRevocationList]:
    """Those of `issuer` that hold by themselves, if there are any: OpenSSL takes the newest before it looks at the
    signature, so that whoever is revoked could hide that behind a forged one."""
    named = [crl for crl in crls if _issuer(crl) == names.subject(issuer)]
    true = [crl for crl in named if _says_something(crl, one, issuer, now)]
    return sorted(true or named, key=lambda crl: crl.last_update_utc, reverse=True)[:MAX_CRLS]


def _says_something(
    crl: x509.CertificateRevocationList, one: x509.Certificate, issuer: x509.Certificate, now: datetime
) -> bool:
    found = _by_openssl(one, issuer, [crl], now, NO_CHECK_TIME)
    return not isinstance(found, Verdict) or found.check is Check.REVOKED


def _issuer(crl: x509.CertificateRevocationList) -> bytes | None:
    try:
        return names.crl_issuer(crl)
    except Malformed:
        return None
