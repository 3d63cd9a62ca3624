"""Whether a certificate of a path is revoked. OpenSSL judges each CRL: its signature, its issuer, what it is about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import pairwise

from cryptography import x509
from OpenSSL.crypto import X509, X509StoreFlags

from ikevd.certificate_findings import Check
from ikevd.errors import Malformed
from ikevd.pki import names
from ikevd.pki.path import Path, Verdict, moment, refused, verified
from ikevd.pki.trust import Revocation

NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME."""
UNKNOWN = (Check.NO_CRL, Check.STALE_CRL, Check.BAD_CRL)


def check(path: Path, crls: Iterable[x509.CertificateRevocationList], revocation: Revocation, now: datetime) -> None:
    """Raises `AuthenticationFailed` with `CertificateRefused` for the first certificate that `revocation` refuses.

    Nobody revokes the CA at the end, which is trusted since the configuration says so.
    """
    if revocation is Revocation.OFF:
        return
    given = tuple(crls)
    for one, issuer in pairwise(path):
        found = _verdict(one, issuer, given, now)
        if found and (revocation is Revocation.STRICT or found.check not in UNKNOWN):
            raise refused(one, found.check, now, found.detail)


def is_current(
    crl: x509.CertificateRevocationList, one: x509.Certificate, issuer: x509.Certificate, now: datetime
) -> bool:
    """Does it say, now and by `issuer`, whether `one` is revoked?"""
    found = _verdict(one, issuer, (crl,), now)
    return found is None or (found.check is Check.REVOKED and not _flaw_of_time(crl, now))


def _verdict(
    one: x509.Certificate, issuer: x509.Certificate, crls: tuple[x509.CertificateRevocationList, ...], now: datetime
) -> Verdict | None:
    """What the newest one says of those that `issuer` has signed: whoever stands on it stays revoked when it is out of
    date. A forged one counts for nothing, or whoever is revoked could hide that behind it."""
    flawed = Verdict(Check.NO_CRL, "", one)
    for crl in _newest_first(issuer, crls):
        said = _by_openssl(one, issuer, crl, now)
        if not isinstance(said, Verdict):
            flaw = _flaw_of_time(crl, now)
            return Verdict(Check.STALE_CRL, flaw, one) if flaw else None
        if said.check is Check.REVOKED:
            return said
        flawed = said
    return flawed


def _newest_first(
    issuer: x509.Certificate, crls: tuple[x509.CertificateRevocationList, ...]
) -> Iterator[x509.CertificateRevocationList]:
    """Those that bear the name of `issuer`."""
    name = names.subject(issuer)
    yield from sorted((crl for crl in crls if _issuer(crl) == name), key=lambda crl: crl.last_update_utc, reverse=True)


def _issuer(crl: x509.CertificateRevocationList) -> bytes | None:
    try:
        return names.crl_issuer(crl)
    except Malformed:
        return None


def _by_openssl(
    one: x509.Certificate, issuer: x509.Certificate, crl: x509.CertificateRevocationList, now: datetime
) -> Path | Verdict:
    """Whatever the time. OpenSSL copies the CRL, which takes most of it: 30 ms for 800 kB."""
    anchors, flags = [X509.from_cryptography(issuer)], X509StoreFlags.CRL_CHECK | NO_CHECK_TIME
    return verified(anchors, one, (), now, (crl,), flags)


def _flaw_of_time(crl: x509.CertificateRevocationList, now: datetime) -> str:
    """Empty for one that holds now."""
    if crl.last_update_utc > now:
        return f"of {moment(crl.last_update_utc)}"
    ends = crl.next_update_utc
    return f"valid to {moment(ends)}" if ends and ends < now else ""
