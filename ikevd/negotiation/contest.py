"""Somebody else removes or changes our policies: how often they are put back."""

from __future__ import annotations

from collections.abc import Callable

PUT_BACK, WITHIN = 3, 60.0
"""So many times in so many seconds. What is changed once more then is only blocked, until these seconds are over."""


class Contest:
    """Of one peer's children, by name."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._put_back: dict[str, list[float]] = {}
        self._blocked_until: dict[str, float] = {}

    def changed(self, child: str) -> bool:
        """Its policies are not what they were left as. True: from now on it is blocked."""
        if self.blocked_until(child) is not None:
            return False
        now = self._clock()
        times = [time for time in self._put_back.get(child, ()) if now - time < WITHIN]
        if len(times) >= PUT_BACK:
            self._blocked_until[child] = times[0] + WITHIN
            return True
        self._put_back[child] = [*times, now]
        return False

    def blocked_until(self, child: str) -> float | None:
        """None: it is not blocked."""
        until = self._blocked_until.get(child)
        if until is not None and until <= self._clock():
            del self._blocked_until[child]
            return None
        return until
