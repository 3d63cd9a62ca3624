"""Findings about certificates: why what a peer sent does not prove who it is."""

from __future__ import annotations

from enum import Enum

from ikevd.errors import Finding
from ikevd.findings import Named, Part
from ikevd.frozen import frozen


class Check(Enum):
    """What a certificate, or the path from it to a CA of ours, does not pass."""

    ANCHOR = "no path leads from it to a CA that is trusted here"
    SIGNATURE = "its signature was not made by its issuer"
    EXPIRED = "it has expired"
    NOT_YET = "it is not valid yet"
    NOT_A_CA = "it is not a CA's, yet has issued another one"
    PATH_LENGTH = "there are more CAs below it than its path length allows"
    DEPTH = "the path to a CA is too long"
    KEY_USAGE = "its key usage has neither digitalSignature nor nonRepudiation"
    CA_KEY_USAGE = "its key usage has no keyCertSign, yet it has issued another one"
    EXTENDED_KEY_USAGE = "its extended key usage is for something else than IKE"
    NAME_CONSTRAINTS = "a CA above it may not issue certificates for its names"
    CRITICAL = "it holds a critical extension that is unknown here"
    WEAK_SIGNATURE = "it is signed with a weak hash"
    WEAK_KEY = "its key is weak"
    REVOKED = "it is revoked"
    NO_CRL = "there is no CRL of its issuer, and `revocation: strict` wants one"
    STALE_CRL = "the CRL of its issuer is out of date, and `revocation: strict` wants a current one"
    BAD_CRL = "the CRL of its issuer cannot be used, and `revocation: strict` wants one"
    OTHER = "OpenSSL refuses it"


@frozen
class ShownCertificate(Part):
    """What tells a certificate from others."""

    subject: str
    issuer: str
    not_before: str
    not_after: str
    """`2026-11-27 13:00:00 UTC`."""


@frozen
class CertificateRefused(Finding):
    """A certificate, the peer's own or one on its path, does not pass a check."""

    certificate: ShownCertificate
    check: Check
    clock: str
    """What the clock of this machine says."""
    detail: str = ""
    clock_fault: bool = False
    """Does that clock stand before ikevd was made, so that it must be wrong?"""


@frozen
class OtherCertificate(Finding):
    """What the peer calls itself stands in no certificate that it sent."""

    claimed: Named
    certificate: ShownCertificate
    """The one that is most likely its own."""
    names: tuple[str, ...]
    """Those that stand there."""
    clock: str


@frozen
class NoCertificate(Finding):
    """The peer sent none that could be read, and none of its is known here."""

    claimed: Named
    unusable: tuple[str, ...]
    """What came, and why it is of no use."""


@frozen
class TooManyCertificates(Finding):
    """More came than anybody needs."""

    what: str
    came: int
    most: int


@frozen
class CrlNotFetched(Finding):
    """No CRL came from where a certificate names one; `revocation: strict` then refuses it, `relaxed` does not."""

    url: str
    reason: str
