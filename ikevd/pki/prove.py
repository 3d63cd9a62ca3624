"""Which public key is proven to be that of whom the peer says to be.

Two steps, since CRLs may be fetched for a path only once it leads to a CA of ours (CVE-2022-40617): `anchored`, then,
with what was fetched from `Anchored.points`, `proven`. Then the signature of the peer must verify under that key.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import pairwise

from cryptography import x509

from ikevd.certificate_findings import NoCertificate, OtherCertificate
from ikevd.errors import AuthenticationFailed, Malformed
from ikevd.findings import Named
from ikevd.frozen import frozen
from ikevd.pki import names, path, revocation, strength
from ikevd.pki.received import Received, quiet, read_untrusted
from ikevd.pki.strength import PeerKey
from ikevd.pki.trust import Revocation, Trust
from ikevd.policy.identity import Identity
from ikevd.wire.certificates import CertPayload

MAX_CANDIDATES = 4
"""Certificates of one name that are tried: an old one and its renewal, one for signatures and one for the rest."""
MAX_URLS = 2
"""Where the CRL of one issuer may be fetched."""


@frozen
class Point:
    """Where the CRL of one issuer is, says a certificate that it has issued."""

    certificate: x509.Certificate
    issuer: x509.Certificate
    urls: tuple[str, ...]
    """One as good as the other."""

    def judged(self, crl: x509.CertificateRevocationList, now: datetime) -> bool:
        """Is this a current CRL of that issuer? Whoever stands between could have sent any other one."""
        return revocation.is_current(crl, self.certificate, self.issuer, now)


@frozen
class Anchored:
    """A path to a CA of ours; nothing is known yet of who is revoked."""

    path: path.Path
    crls: tuple[x509.CertificateRevocationList, ...]
    """That came with it."""

    @property
    def points(self) -> tuple[Point, ...]:
        """Where CRLs may be fetched, for each certificate that an issuer may have revoked and that names any place."""
        return tuple(Point(one, above, found) for one, above in pairwise(self.path) if (found := http_urls(one)))


@frozen
class Proven:
    """`key` belongs to whom the peer says to be, says a CA of ours."""

    key: PeerKey
    path: path.Path

    @property
    def certificate(self) -> x509.Certificate:
        """The peer's own."""
        return self.path[0]


@quiet()
def anchored(trust: Trust, claimed: Identity, payloads: Iterable[CertPayload], now: datetime) -> tuple[Anchored, ...]:
    """The paths of certificates that name `claimed`, the first one the most likely; at least one.

    `now`: what the clock of this machine says, with its zone. Raises `AuthenticationFailed`: the finding names the
    certificate and the check that failed.
    """
    received = read_untrusted(payloads)
    found, failure = list[Anchored](), None
    for leaf in _candidates(trust, claimed, received, now):
        try:
            whole = path.build(trust, leaf, received.certificates, now)
            found.append(Anchored(whole, received.crls))
        except AuthenticationFailed as error:
            failure = failure or error
    if failure and not found:
        raise failure
    return tuple(found)


@quiet()
def proven(trust: Trust, one: Anchored, fetched: Iterable[x509.CertificateRevocationList], now: datetime) -> Proven:
    """That no certificate of its path is revoked, as far as `trust` asks for it. Raises `AuthenticationFailed`."""
    revocation.check(one.path, (*trust.crls, *fetched, *one.crls), trust.revocation, now)
    return Proven(strength.key_of(one.path[0]), one.path)


def wants_crls(trust: Trust, one: Anchored) -> bool:
    """Is there anything that a CRL to be fetched could tell?"""
    return trust.revocation is not Revocation.OFF and bool(one.points)


def _candidates(trust: Trust, claimed: Identity, received: Received, now: datetime) -> list[x509.Certificate]:
    """Those that name it, of what came and of what is known here."""
    naming = [one for one in received.certificates if names.matches(claimed, one)]
    naming += (one for one in (*trust.known, *trust.anchors) if claimed in _names_of_ours(one))
    if naming:
        return list(dict.fromkeys(naming))[:MAX_CANDIDATES]
    if not received.certificates:
        raise AuthenticationFailed(NoCertificate(_named(claimed), received.unusable))
    likely = _most_likely(received.certificates)
    raise AuthenticationFailed(
        OtherCertificate(_named(claimed), path.shown(likely), names.shown(likely), path.moment(now))
    )


@lru_cache(maxsize=1024)
def _names_of_ours(one: x509.Certificate) -> frozenset[Identity]:
    """Of a certificate from a file: there may be many CAs, and a look at each costs some 50 µs."""
    try:
        return frozenset(names.identities(one))
    except (ValueError, Malformed):
        return frozenset()


def _most_likely(certificates: Sequence[x509.Certificate]) -> x509.Certificate:
    """The first one that issued none of the others."""
    issuers = {names.issuer(one) for one in certificates if names.issuer(one) != names.subject(one)}
    return next((one for one in certificates if names.subject(one) not in issuers), certificates[0])


def _named(identity: Identity) -> Named:
    return Named(str(identity), str(identity.type))


def http_urls(certificate: x509.Certificate) -> tuple[str, ...]:
    """Of its CRL distribution points, those that can be fetched."""
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except x509.ExtensionNotFound:
        return ()
    given = [name.value for point in points for name in point.full_name or () if _is_uri(name)]
    return tuple(url for url in given if url.lower().startswith("http://"))[:MAX_URLS]


def _is_uri(name: x509.GeneralName) -> bool:
    return isinstance(name, x509.UniformResourceIdentifier)
