"""Bounds for lines that strangers cause."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

MAX_KEYS = 1000
"""Kinds and sources that are remembered; the one that was quiet longest is forgotten first."""


class RateLimit:
    """In each interval: one of a kind from one source, `each` of a kind, and `total` of all kinds."""

    def __init__(self, *, each: int = 10, total: int = 60, interval: float = 60.0) -> None:
        self._each = each
        self._total = total
        self._interval = interval
        self._begin: float | None = None
        self._counts: OrderedDict[Hashable, int] = OrderedDict()
        self._passed = 0
        self._held_back = 0

    def turn(self, now: float) -> int:
        """Where an interval has ended by `now` (seconds): begin the next; tells how many the old one held back."""
        if self._begin is not None and 0 <= now - self._begin < self._interval:
            return 0
        held_back = self._held_back
        self._begin, self._passed, self._held_back = now, 0, 0
        self._counts.clear()
        return held_back

    def passes(self, kind: Hashable, source: Hashable) -> bool:
        """May one more be shown? Else it is counted as held back."""
        both = kind, source
        if self._passed < self._total and not self._counts.get(both) and self._counts.get(kind, 0) < self._each:
            self._passed += 1
            self._count(both)
            self._count(kind)
            return True
        self._held_back += 1
        return False

    def _count(self, key: Hashable) -> None:
        self._counts[key] = self._counts.pop(key, 0) + 1
        if len(self._counts) > MAX_KEYS:
            self._counts.popitem(last=False)
