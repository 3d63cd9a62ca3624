"""The sentences of findings about certificates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ikevd import certificate_findings as cf
from ikevd.errors import Finding
from ikevd.findings import Named


def _refused(found: cf.CertificateRefused) -> str:
    detail = f" ({found.detail})" if found.detail else ""
    clock = f"the clock of this machine says {found.clock}"
    if found.clock_fault:
        clock += ", which was before this ikevd was made: set the clock, the certificate may be good"
    return f"the certificate of {_certificate(found.certificate)} is refused: {found.check.value}{detail}; {clock}"


def _other(found: cf.OtherCertificate) -> str:
    names = ", ".join(found.names) or "none that can be read"
    return (
        f"the peer calls itself {_named(found.claimed)}, which stands in no certificate that it sent; that of "
        f"{_certificate(found.certificate)} has the names {names}; the clock of this machine says {found.clock}"
    )


def _none(found: cf.NoCertificate) -> str:
    came = f"of what it sent nothing can be used: {'; '.join(found.unusable)}" if found.unusable else "it sent none"
    who = _named(found.claimed)
    return f"the peer calls itself {who} and no certificate proves that: {came}, and none of its is known here"


def _certificate(one: cf.ShownCertificate) -> str:
    return f"{one.subject}, issued by {one.issuer}, valid from {one.not_before} to {one.not_after},"


def _named(identity: Named) -> str:
    return f"{identity.value} ({identity.type})"


SENTENCES: dict[type[Finding], Callable[[Any], str]] = {
    cf.CertificateRefused: _refused,
    cf.OtherCertificate: _other,
    cf.NoCertificate: _none,
    cf.CrlNotFetched: lambda found: f"no CRL from {found.url}: {found.reason}",
    cf.TooManyCertificates: lambda found: f"the peer sent {found.came} {found.what}; {found.most} are read at most",
}
