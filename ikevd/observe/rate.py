"""Bounds for lines that strangers cause."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

MAX_KEYS = 1000


class RateLimit:
    """Lets one of a kind through per `interval` seconds, and of all kinds `burst` at once, `burst` per interval."""

    def __init__(self, interval: float = 60.0, burst: int = 60) -> None:
        self._interval = interval
        self._burst = burst
        self._tokens = float(burst)
        self._refilled: float | None = None
        self._seen: OrderedDict[Hashable, tuple[float, int]] = OrderedDict()

    def held_back(self, kind: Hashable, now: float) -> int | None:
        """May one more of `kind` pass? Then how many were held back before it, else None."""
        last, held = self._seen.pop(kind, (None, 0))
        passes = (last is None or not 0 <= now - last < self._interval) and self._take(now)
        self._seen[kind] = (now, 0) if passes else (now if last is None else last, held + 1)
        if len(self._seen) > MAX_KEYS:
            self._seen.popitem(last=False)
        return held if passes else None

    def _take(self, now: float) -> bool:
        if self._refilled is not None:
            passed = max(0.0, now - self._refilled)
            self._tokens = min(self._burst, self._tokens + passed * self._burst / self._interval)
        self._refilled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
