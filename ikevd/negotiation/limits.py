"""Bounds on what strangers can cause: half-open negotiations, and answers to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection

from ikevd.addresses import Address
from ikevd.policy.model import Limits


class HalfOpen:
    """Counts negotiations whose peer is not authenticated yet."""

    def __init__(self, limits: Limits, static: Collection[Address]) -> None:
        """`static`: the addresses configured as `remote`, for which a share is kept."""
        self._limits = limits
        self._static = frozenset(static)
        self._per_address: Counter[Address] = Counter()
        self.total = 0

    def refusal(self, address: Address) -> str | None:
        """Why no further negotiation from `address` may begin, or None where it may."""
        if self._per_address.get(address, 0) >= self._limits.half_open_per_address:
            return "half-open limit of the address"
        kept = 0 if address in self._static else self._limits.reserved_for_static
        return "half-open limit" if self.total >= self._limits.half_open - kept else None

    def holds(self, address: Address) -> bool:
        """Is there a negotiation from `address`?"""
        return address in self._per_address

    def is_static(self, address: Address) -> bool:
        """Is `address` configured as `remote`?"""
        return address in self._static

    def enter(self, address: Address) -> None:
        """One more."""
        self.total += 1
        self._per_address[address] += 1

    def leave(self, address: Address) -> None:
        """One less."""
        self.total -= 1
        self._per_address[address] -= 1
        if self._per_address[address] <= 0:
            del self._per_address[address]


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
