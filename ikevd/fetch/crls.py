"""The CRLs that a path asks for: from the cache, or fetched, each place by one request at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime

from cryptography import x509

from ikevd.certificate_findings import CrlNotFetched
from ikevd.fetch.http import NotFetchedError, get
from ikevd.frozen import frozen
from ikevd.pki import contents
from ikevd.pki.contents import Octets
from ikevd.pki.crl_cache import CrlCache
from ikevd.pki.prove import Point

AT_ONCE, WAITING = 4, 64
"""Requests under way, and those that wait for one of them to end."""


@frozen
class Fetched:
    """All that could be had, and why the others could not."""

    crls: tuple[x509.CertificateRevocationList, ...]
    failures: tuple[CrlNotFetched, ...]


class Crls:
    """Of one daemon. `get`: raises `NotFetchedError`."""

    def __init__(self, now: Callable[[], datetime], get: Callable[[str], Awaitable[bytes]] = get) -> None:
        self._now, self._get = now, get
        self._cache = CrlCache()
        self._locks = dict[str, asyncio.Lock]()
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._asked = 0

    async def of(self, points: Iterable[Point]) -> Fetched:
        """Takes at most as long as one request for each place of a point that is asked in vain."""
        found = await asyncio.gather(*(self._of(point) for point in points))
        return Fetched(
            tuple(crl for crl, _ in found if crl is not None),
            tuple(failure for _, failures in found for failure in failures),
        )

    def clear(self) -> None:
        """Forget all of it."""
        self._cache.clear()

    async def _of(self, point: Point) -> tuple[x509.CertificateRevocationList | None, list[CrlNotFetched]]:
        failures = list[CrlNotFetched]()
        for url in point.urls:
            lock = self._locks.setdefault(url, asyncio.Lock())
            self._asked += 1
            try:
                if self._asked > WAITING:
                    raise NotFetchedError("too many CRLs are being fetched")
                async with lock:
                    return await self._one(point, url), failures
            except NotFetchedError as error:
                failures.append(CrlNotFetched(url[:200], str(error)))
            finally:
                self._asked -= 1
                if not lock.locked():
                    self._locks.pop(url, None)
        return None, failures

    async def _one(self, point: Point, url: str) -> x509.CertificateRevocationList:
        now = self._now()
        known = self._cache.get(point.urls, now)
        if known is not None:  # one that revokes nobody has no length
            return known
        if reason := self._cache.failure(url, now):
            raise NotFetchedError(reason)
        try:
            async with self._turn:
                data = await self._get(url)
            crl = _read(data, url)
        except NotFetchedError as error:
            self._cache.failed(url, str(error), now)
            raise
        current = point.judged(crl, self._now())
        self._cache.put(url, crl, len(data), self._now(), current=current)
        return crl


def _read(data: bytes, url: str) -> x509.CertificateRevocationList:
    try:
        found = contents.read(Octets(data, url)).crls
    except ValueError as error:
        raise NotFetchedError(str(error)[:200]) from None
    if len(found) != 1:
        raise NotFetchedError(f"{len(found)} CRLs stand there; one is wanted")
    return found[0]
