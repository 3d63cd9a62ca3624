"""CRLs that were fetched, until they are out of date, and places that gave none."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from cryptography import x509

from ikevd.frozen import frozen

MAX_CRLS, MAX_OCTETS = 64, 32 * 1024 * 1024
WITHOUT_END = timedelta(hours=1)
"""How long one without nextUpdate is kept."""
LONGEST = timedelta(days=7)
"""How long any is kept, whatever its nextUpdate says."""
PAUSE = timedelta(minutes=1)
"""After a failure nobody asks that place again for so long."""


@frozen
class Kept:
    """One CRL."""

    crl: x509.CertificateRevocationList
    octets: int
    since: datetime
    until: datetime


@frozen
class Failure:
    """One place that gave none."""

    reason: str
    until: datetime


class CrlCache:
    """By URL. Bounded: the one that was put there first goes first."""

    def __init__(self) -> None:
        self._kept = dict[str, Kept]()
        self._failures = dict[str, Failure]()

    def put(self, url: str, crl: x509.CertificateRevocationList, octets: int, now: datetime, *, current: bool) -> None:
        """Keep one. `current`: it was checked against its issuer; else it is kept for a moment, as a failure is."""
        ends = (crl.next_update_utc or now + WITHOUT_END) if current else now + PAUSE
        self._failures.pop(url, None)
        self._kept.pop(url, None)
        self._kept[url] = Kept(crl, octets, now, min(ends, now + LONGEST))
        while len(self._kept) > MAX_CRLS or sum(one.octets for one in self._kept.values()) > MAX_OCTETS:
            del self._kept[next(iter(self._kept))]

    def get(self, urls: Sequence[str], now: datetime) -> x509.CertificateRevocationList | None:
        """One from any of these places that is still current. A clock that was set back makes none live longer."""
        found = (self._kept[url] for url in urls if url in self._kept)
        return next((one.crl for one in found if one.since <= now < one.until), None)

    def failed(self, url: str, reason: str, now: datetime) -> None:
        """Remember it for a while."""
        self._failures.pop(url, None)
        self._failures[url] = Failure(reason, now + PAUSE)
        while len(self._failures) > MAX_CRLS:
            del self._failures[next(iter(self._failures))]

    def failure(self, url: str, now: datetime) -> str | None:
        """Why that place is not asked now."""
        one = self._failures.get(url)
        return one.reason if one and now < one.until <= now + PAUSE else None

    def clear(self) -> None:
        """`ikevd reload` begins anew."""
        self._kept.clear()
        self._failures.clear()
