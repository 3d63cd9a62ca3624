"""The path from a certificate to a CA that is trusted: OpenSSL builds and checks it, then comes what is IKE's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier
from OpenSSL import crypto

from ikevd.certificate_findings import CertificateRefused, Check, ShownCertificate
from ikevd.errors import AuthenticationFailed, Malformed
from ikevd.frozen import frozen
from ikevd.pki import names, strength
from ikevd.pki.received import quiet
from ikevd.pki.trust import Trust

MAX_DEPTH = 8
"""Certificates of a path, both ends counted."""
MAX_NAMESAKES = 4
"""CAs of one name that are tried one by one."""
CLOCK_FAULT = datetime(2026, 11, 1, tzinfo=UTC)
"""Before this ikevd was made, so no clock that is right stands there."""

EKU_OF_IKE = frozenset(
    {
        ExtendedKeyUsageOID.IPSEC_IKE,
        ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
        ExtendedKeyUsageOID.SERVER_AUTH,
        ExtendedKeyUsageOID.CLIENT_AUTH,
        ObjectIdentifier("1.3.6.1.5.5.8.2.2"),  # iKEIntermediate, which Microsoft and Apple want
        ObjectIdentifier("1.3.6.1.5.5.7.3.5"),  # ipsecEndSystem, ipsecTunnel, ipsecUser: of RFC 2459, now historic
        ObjectIdentifier("1.3.6.1.5.5.7.3.6"),
        ObjectIdentifier("1.3.6.1.5.5.7.3.7"),
    }
)
"""RFC 4945 section 5.1.3.12 wants none at all, or one for IKE; gateways carry those of TLS, too."""

# X509_V_ERR_… of OpenSSL's x509_vfy.h
CHECKS = {
    **dict.fromkeys((2, 18, 19, 20, 21), Check.ANCHOR),
    **dict.fromkeys((4, 6, 7), Check.SIGNATURE),
    9: Check.NOT_YET,
    10: Check.EXPIRED,
    22: Check.DEPTH,
    **dict.fromkeys((24, 79), Check.NOT_A_CA),
    25: Check.PATH_LENGTH,
    32: Check.CA_KEY_USAGE,
    34: Check.CRITICAL,
    **dict.fromkeys((47, 48, 49, 50, 51, 52, 53), Check.NAME_CONSTRAINTS),
    3: Check.NO_CRL,
    **dict.fromkeys((11, 12), Check.STALE_CRL),
    **dict.fromkeys((5, 8, 15, 16, 33, 35, 36, 44, 54), Check.BAD_CRL),
    23: Check.REVOKED,
}
Path = tuple[x509.Certificate, ...]
"""From the end entity to the CA that is trusted, which may be the same."""


@frozen
class Verdict:
    """Of OpenSSL, on the certificate that it does not accept."""

    check: Check
    detail: str
    certificate: x509.Certificate


def build(trust: Trust, leaf: x509.Certificate, came: Sequence[x509.Certificate], now: datetime) -> Path:
    """The path of `leaf`, by way of what came with it or is known.

    Raises `AuthenticationFailed` with `CertificateRefused`.
    """
    others = [*map(crypto.X509.from_cryptography, came), *map(_ours, trust.known)]
    found = verified(map(_ours, trust.anchors), leaf, others, now)
    if isinstance(found, Verdict) and found.check is Check.SIGNATURE:
        found = _by_one_anchor(trust, found, leaf, others, now) or found
    if isinstance(found, Verdict):
        raise refused(found.certificate, found.check, now, found.detail)
    if len(found) > MAX_DEPTH:
        raise refused(leaf, Check.DEPTH, now, f"{len(found)} certificates; {MAX_DEPTH} at most")
    _check_usage(found[0], now)
    for number, one in enumerate(found):
        _check_link(trust, one, number, len(found), now)
    return found


def _by_one_anchor(
    trust: Trust, failed: Verdict, leaf: x509.Certificate, others: Sequence[crypto.X509], now: datetime
) -> Path | None:
    """A CA that has a new key under its old name: OpenSSL takes the first of that name where nothing tells which."""
    wanted = names.issuer(failed.certificate)
    namesakes = [one for one in trust.anchors if names.subject(one) == wanted][:MAX_NAMESAKES]
    paths = (verified([_ours(anchor)], leaf, others, now) for anchor in namesakes if len(namesakes) > 1)
    return next((one for one in paths if not isinstance(one, Verdict)), None)


@lru_cache(maxsize=1024)
def _ours(certificate: x509.Certificate) -> crypto.X509:
    """For OpenSSL; only those that the configuration names."""
    return crypto.X509.from_cryptography(certificate)


@quiet()
def verified(
    anchors: Iterable[crypto.X509],
    leaf: x509.Certificate,
    others: Sequence[crypto.X509],
    now: datetime,
    crls: Iterable[x509.CertificateRevocationList] = (),
    flags: int = 0,
) -> Path | Verdict:
    """What OpenSSL says at the time `now`."""
    store = crypto.X509Store()
    try:
        for anchor in anchors:
            store.add_cert(anchor)
        for crl in crls:
            store.add_crl(crl)
        store.set_time(now)
        store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN | flags)
        context = crypto.X509StoreContext(store, crypto.X509.from_cryptography(leaf), others)
        return tuple(one.to_cryptography() for one in context.get_verified_chain())
    except crypto.X509StoreContextError as error:
        code, message = int(error.errors[0]), str(error.errors[2])
        return Verdict(CHECKS.get(code, Check.OTHER), message, error.certificate.to_cryptography())
    except crypto.Error as error:
        return Verdict(Check.OTHER, _reason(error), leaf)


def _reason(error: crypto.Error) -> str:
    """OpenSSL's own words, of which there may be none."""
    return str(error)[:120] or "it cannot be read"


def _check_usage(leaf: x509.Certificate, now: datetime) -> None:
    usage = extension(leaf, x509.KeyUsage)
    if usage and not (usage.digital_signature or usage.content_commitment):
        raise refused(leaf, Check.KEY_USAGE, now)
    extended = extension(leaf, x509.ExtendedKeyUsage)
    if extended and not EKU_OF_IKE & set(extended):
        raise refused(leaf, Check.EXTENDED_KEY_USAGE, now, ", ".join(one.dotted_string for one in extended)[:80])


def _check_link(trust: Trust, one: x509.Certificate, number: int, length: int, now: datetime) -> None:
    """What nothing below may rest on. Nobody relies on the signature below the last one, whom we trust anyway."""
    last = number == length - 1
    if weak := strength.weak_key(one.public_key(), trust.allow_weak):
        raise refused(one, Check.WEAK_KEY, now, weak)
    if not last and (weak := strength.weak_signature(one, trust.allow_weak)):
        raise refused(one, Check.WEAK_SIGNATURE, now, weak)
    if number == 0 or (last and one.version == x509.Version.v1):
        return
    basic = extension(one, x509.BasicConstraints)  # OpenSSL takes key usage or Netscape's extension in its place
    if not basic or not basic.ca:
        raise refused(one, Check.NOT_A_CA, now)


def extension(
    certificate: x509.Certificate, kind: type[x509.extensions.ExtensionTypeVar]
) -> x509.extensions.ExtensionTypeVar | None:
    """None where there is none of that kind."""
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def refused(certificate: x509.Certificate, check: Check, now: datetime, detail: str = "") -> AuthenticationFailed:
    """The refusal, with all that an operator needs to find its cause."""
    fault = now < CLOCK_FAULT and check in (Check.NOT_YET, Check.STALE_CRL)
    return AuthenticationFailed(CertificateRefused(shown(certificate), check, moment(now), detail, clock_fault=fault))


def shown(certificate: x509.Certificate) -> ShownCertificate:
    """What tells it from others."""
    return ShownCertificate(
        _shown_name(names.subject, certificate),
        _shown_name(names.issuer, certificate),
        moment(certificate.not_valid_before_utc),
        moment(certificate.not_valid_after_utc),
    )


def _shown_name(read: names.ReadName, certificate: x509.Certificate) -> str:
    try:
        return names.text(read(certificate))
    except Malformed:
        return "(unreadable name)"


def moment(at: datetime) -> str:
    """As all findings about certificates have it."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
