"""What the peers of a daemon may cause unproven: each configured address has a share of its own, all others have one
together, and there is a bound for all."""

from __future__ import annotations

from collections.abc import Callable

from ikevd.addresses import Address
from ikevd.negotiation.limits import RateLimit

MOST = 1024
"""Shares that are remembered. Beyond them all begin anew, within the bound for all."""
FOR_ALL = 10
"""So many shares at full rate may be used at a time."""


class Shares:
    """`burst` at once for each, then `rate` per second."""

    __slots__ = ("_all", "_burst", "_clock", "_each", "_rate")

    def __init__(self, rate: float, burst: int, clock: Callable[[], float]) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._each: dict[Address | None, RateLimit] = {}
        self._all = RateLimit(FOR_ALL * rate, FOR_ALL * burst, clock)

    def __len__(self) -> int:
        return len(self._each)

    def allows(self, whose: Address | None) -> bool:
        """May it happen once more now? `whose`: a configured address; None: any other."""
        share = self._each.get(whose)
        if share is None:
            if len(self._each) >= MOST:
                self._each.clear()
            share = self._each[whose] = RateLimit(self._rate, self._burst, self._clock)
        return share.allows() and self._all.allows()


class Tally:
    """What is told once in `every` seconds for each, with how often it was."""

    __slots__ = ("_clock", "_counts", "_every")

    def __init__(self, every: float, clock: Callable[[], float]) -> None:
        self._every, self._clock = every, clock
        self._counts: dict[Address | None, tuple[float, int]] = {}
        """When it was told, and how often it was since."""

    def count(self, whose: Address | None) -> int:
        """Once more: how often since it was told, or 0 where it is not to be told now."""
        told_at, times = self._counts.get(whose, (None, 0))
        now, times = self._clock(), times + 1
        tells = told_at is None or now >= told_at + self._every
        if len(self._counts) >= MOST and whose not in self._counts:
            self._counts.clear()
        self._counts[whose] = (now, 0) if tells or told_at is None else (told_at, times)
        return times if tells else 0
