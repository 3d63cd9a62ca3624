"""How long certificates and CRLs are still valid."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from cryptography import x509

from ikevd.frozen import frozen
from ikevd.pki import names

SOON = 30
"""Days before the end at which `ikevd check` and `ikevd status` warn: a CA may take weeks."""


@frozen
class Expiry:
    """Of one certificate."""

    subject: str
    not_before: datetime
    not_after: datetime
    days: int
    """Whole days that are left; negative once it has expired."""

    @property
    def soon(self) -> bool:
        """Is it time to renew it?"""
        return self.days < SOON


def expiries(certificates: Iterable[x509.Certificate], now: datetime) -> tuple[Expiry, ...]:
    """The one that ends first comes first."""
    found = (_expiry(one, now) for one in certificates)
    return tuple(sorted(found, key=lambda one: one.not_after))


def _expiry(one: x509.Certificate, now: datetime) -> Expiry:
    begin, end = one.not_valid_before_utc, one.not_valid_after_utc
    return Expiry(names.text(names.subject(one)), begin, end, (end - now) // timedelta(days=1))


def doubts(certificates: Iterable[x509.Certificate], now: datetime) -> list[str]:
    """What `ikevd check` says of each that ends soon, has ended, or has not begun."""
    said = []
    for one in expiries(certificates, now):
        if one.days < 0:
            said.append(
                f"the certificate of {one.subject} has expired on {one.not_after:%Y-%m-%d}; wanted a renewed one"
            )
        elif one.soon:
            said.append(f"the certificate of {one.subject} expires in {_days(one.days)}, on {one.not_after:%Y-%m-%d}")
        elif one.not_before > now:
            said.append(
                f"the certificate of {one.subject} is valid from {one.not_before:%Y-%m-%d} on, and the clock of this "
                f"machine says {now:%Y-%m-%d %H:%M}"
            )
    return said


def _days(count: int) -> str:
    return "a day" if count == 1 else f"{count} days" if count else "less than a day"
