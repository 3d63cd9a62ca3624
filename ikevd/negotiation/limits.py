"""Bounds on what peers can cause before they are authenticated: half-open negotiations, and answers to them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Generic, TypeVar

from ikevd.addresses import Address
from ikevd.policy.settings import Limits

HOST_PREFIX, SITE_PREFIX = 64, 48
"""Bits of an IPv6 address: one host may use every address of the one, one site every network of the other."""
HOSTS_OF_A_SITE = 8
"""So many times the limit of an address may one site hold, but no more than half of what there is for all strangers."""
EVICTIONS = 20
"""Per second, and at once: so often does an older negotiation of strangers make way for another."""

Attempt = TypeVar("Attempt")
Source = tuple[int, int, int]
"""Where negotiations come from: IP version, leading bits, and how many bits those are."""
Limited = dict[Source, int]
"""How many each of them may have."""


def _source(address: Address, bits: int) -> Source:
    return address.version, int(address) >> (address.max_prefixlen - bits), bits


class HalfOpen(Generic[Attempt]):
    """Negotiations that cost a key pair and whose peer is not authenticated yet, oldest first.

    Each configured address has places of its own, whatever the limits say. All others share theirs."""

    def __init__(
        self,
        limits: Limits,
        static: Collection[Address],
        clock: Callable[[], float],
        *,
        each_static: int,
        evictions_static: int,
    ) -> None:
        """`static`: the addresses configured as `remote`, each with `each_static` places; `evictions_static`: so often
        a second one of them makes way for another of the same address."""
        self._limits = limits
        self._static = frozenset(static)
        self._clock = clock
        self._each_static, self._evictions_static = each_static, evictions_static
        self._addresses: dict[Attempt, Address] = {}
        self._sources: dict[Attempt, tuple[Source, ...]] = {}
        self._strangers: dict[Attempt, None] = {}
        self._held: dict[Source, dict[Attempt, None]] = {}
        """By each source that they count for, so that nobody is searched for among all."""
        self._evictions: dict[tuple[Address | None, bool], RateLimit] = {}
        """For each configured address, and for all others where the source is full and where there is no place at all:
        none can use up what another needs."""

    def __len__(self) -> int:
        return len(self._addresses)

    def reload(self, limits: Limits, static: Collection[Address]) -> None:
        """Other bounds from here on. Nobody makes way for that."""
        present, self._addresses = self._addresses, {}
        self._limits, self._static = limits, frozenset(static)
        self._strangers, self._held = {}, {}
        for attempt, address in present.items():
            self.enter(attempt, address)

    def refusal(self, address: Address) -> str | None:
        """Why no further negotiation from `address` may begin, or None where it may."""
        known, limits = self._limits_of(address)
        if self._full_source(limits):
            return "half-open limit of the address"
        full = not known and len(self._strangers) >= self._limits.half_open
        return "half-open limit" if full else None

    def to_make_way(self, address: Address) -> Attempt | None:
        """Where places are wanting: who must make way for `address`, the oldest of the same source, or else of all
        strangers. None where it has happened so often that only a flood can want it."""
        known, limits = self._limits_of(address)
        source = self._full_source(limits)
        owner = address if known else None, source is not None
        rate = self._evictions_static if known else EVICTIONS
        if not self._evictions.setdefault(owner, RateLimit(rate, rate, self._clock)).allows():
            return None
        return next(iter(self._strangers if source is None else self._held[source]))

    def enter(self, attempt: Attempt, address: Address) -> None:
        """One more."""
        known, limits = self._limits_of(address)
        self._addresses[attempt] = address
        self._sources[attempt] = tuple(limits)
        if not known:
            self._strangers[attempt] = None
        for source in self._sources[attempt]:
            self._held.setdefault(source, {})[attempt] = None

    def leave(self, attempt: Attempt) -> None:
        """One less, if it is there."""
        if self._addresses.pop(attempt, None) is None:
            return
        self._strangers.pop(attempt, None)
        for source in self._sources.pop(attempt):
            del self._held[source][attempt]
            if not self._held[source]:
                del self._held[source]

    def _full_source(self, limits: Limited) -> Source | None:
        """That holds all it may."""
        return next((source for source, most in limits.items() if len(self._held.get(source, ())) >= most), None)

    def _limits_of(self, address: Address) -> tuple[bool, Limited]:
        """Is it configured, and where does it belong to? A configured address and every IPv4 address counts alone."""
        each = self._limits.half_open_per_address
        if address in self._static:
            return True, {_source(address, address.max_prefixlen): self._each_static}
        if address.version == 4:
            return False, {_source(address, address.max_prefixlen): each}
        of_a_site = max(each, min(each * HOSTS_OF_A_SITE, self._limits.half_open // 2))
        return False, {_source(address, HOST_PREFIX): each, _source(address, SITE_PREFIX): of_a_site}


class RateLimit:
    """A token bucket: `burst` at once, then `rate` per second."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._tokens = float(burst)
        self._since = clock()

    def allows(self, cost: float = 1) -> bool:
        """May it happen once more now, for so many tokens?"""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._since) * self._rate)
        self._since = now
        if self._tokens < cost:
            return False
        self._tokens -= cost
        return True

    def give_back(self, cost: float) -> None:
        """It did not happen after all."""
        self._tokens = min(self._burst, self._tokens + cost)
