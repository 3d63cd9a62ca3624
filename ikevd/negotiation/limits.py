"""Bounds on what strangers can cause: half-open negotiations, and answers to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection

from ikevd.addresses import Address
from ikevd.policy.model import Limits

HOST_PREFIX, SITE_PREFIX = 64, 48
"""Bits of an IPv6 address: one host may use every address of the one, one site every network of the other."""
HOSTS_OF_A_SITE = 8
"""So many times the limit of an address may one site hold."""

Source = tuple[int, int, int]
"""Where negotiations come from: IP version, leading bits, and how many bits those are."""


def _source(address: Address, bits: int) -> Source:
    return address.version, int(address) >> (address.max_prefixlen - bits), bits


class HalfOpen:
    """Counts negotiations whose peer is not authenticated yet."""

    def __init__(self, limits: Limits, static: Collection[Address]) -> None:
        """`static`: the addresses configured as `remote`, for which a share is kept."""
        self._limits = limits
        self._static = frozenset(static)
        self._counts: Counter[Source] = Counter()
        self.total = 0

    def refusal(self, address: Address) -> str | None:
        """Why no further negotiation from `address` may begin, or None where it may."""
        if self.full_source(address):
            return "half-open limit of the address"
        return "half-open limit" if self.total >= self.room(address) else None

    def room(self, address: Address) -> int:
        """How many there may be in all before one from `address` begins."""
        return self._limits.half_open - (0 if self.is_static(address) else self._limits.reserved_for_static)

    def full_source(self, address: Address) -> tuple[Source, int] | None:
        """The source that `address` belongs to and that holds all it may, with that number."""
        limits = self._limits_of(address).items()
        return next(((source, most) for source, most in limits if self._counts.get(source, 0) >= most), None)

    def belongs(self, address: Address, source: Source) -> bool:
        """Is a negotiation from `address` counted at `source`?"""
        return source in self._limits_of(address)

    def is_static(self, address: Address) -> bool:
        """Is `address` configured as `remote`?"""
        return address in self._static

    def enter(self, address: Address) -> None:
        """One more."""
        self.total += 1
        self._counts.update(self._limits_of(address).keys())

    def leave(self, address: Address) -> None:
        """One less."""
        self.total -= 1
        for source in self._limits_of(address):
            self._counts[source] -= 1
            if self._counts[source] <= 0:
                del self._counts[source]

    def _limits_of(self, address: Address) -> dict[Source, int]:
        """A configured address and every IPv4 address counts alone."""
        each = self._limits.half_open_per_address
        if address.version == 4 or self.is_static(address):
            return {_source(address, address.max_prefixlen): each}
        return {_source(address, HOST_PREFIX): each, _source(address, SITE_PREFIX): each * HOSTS_OF_A_SITE}


class RateLimit:
    """A token bucket: `burst` at once, then `rate` per second."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._tokens = float(burst)
        self._since = clock()

    def allows(self) -> bool:
        """May it happen once more now?"""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._since) * self._rate)
        self._since = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
