"""Bounds for lines that peers and strangers cause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Owner = TypeVar("Owner", bound=Hashable)

INTERVAL = 60.0
"""Seconds."""
MAX_OWNERS = 1000
"""Who caused lines within one interval; beyond, the oldest is forgotten."""


class RateLimit:
    """For one interval: `same` of a kind from one source, `each` of a kind, and `total` of all kinds.

    It holds no more than what passed.
    """

    def __init__(self, begin: float, *, same: int = 1, each: int = 10, total: int = 60) -> None:
        self._begin = begin
        self._same = same
        self._each = each
        self._left = total
        self._counts: Counter[Hashable] = Counter()
        self.held_back = 0

    def over(self, now: float) -> bool:
        """Has the interval ended (or the clock been set back)?"""
        return not 0 <= now - self._begin < INTERVAL

    def passes(self, kind: Hashable, source: Hashable) -> bool:
        """May one more be shown? Else it is counted as held back."""
        both = kind, source
        if self._left and self._counts[both] < self._same and self._counts[kind] < self._each:
            self._left -= 1
            self._counts[both] += 1
            self._counts[kind] += 1
            return True
        self.held_back += 1
        return False


class Limits(Generic[Owner]):
    """A limit for each owner of lines, so that nobody's flood hides another's; forgotten when its interval is over."""

    def __init__(self, held_back: Callable[[Owner, int], None], **limit: int) -> None:
        """`held_back` is told how many lines of whom were not shown; `limit` is as for `RateLimit`."""
        self._tell = held_back
        self._limit = limit
        self._limits: dict[Owner, RateLimit] = {}
        """Those whose interval ends first stand first."""

    def __len__(self) -> int:
        return len(self._limits)

    def turn(self, now: float) -> None:
        """Forget every interval that has ended by `now` (seconds), and tell what it held back."""
        while self._limits and next(iter(self._limits.values())).over(now):
            self._forget_oldest()

    def passes(self, owner: Owner, kind: Hashable, source: Hashable, now: float) -> bool:
        """As `RateLimit.passes`."""
        limit = self._limits.get(owner)
        if limit is None:
            if len(self._limits) == MAX_OWNERS:
                self._forget_oldest()
            limit = self._limits[owner] = RateLimit(now, **self._limit)
        return limit.passes(kind, source)

    def _forget_oldest(self) -> None:
        owner = next(iter(self._limits))
        held_back = self._limits.pop(owner).held_back
        if held_back:
            self._tell(owner, held_back)
