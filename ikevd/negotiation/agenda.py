"""What is due when, with one timer for all of it."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Hashable
from itertools import count
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

SPARE = 16
"""The heap is made anew once it has this many entries more than twice what is due."""


class Agenda(Generic[K]):
    """A time for each key. `on_due` gets the keys whose time has come, each of which is off the agenda by then."""

    def __init__(self, on_due: Callable[[list[K]], None]) -> None:
        self._on_due = on_due
        self._times: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        """Some of it may be out of date; `_times` is right."""
        self._number = count()
        self._timer: asyncio.TimerHandle | None = None
        self._armed_for = 0.0

    def __contains__(self, key: K) -> bool:
        return key in self._times

    def set(self, key: K, when: float | None) -> None:
        """`key` is due at `when`, on the clock of the event loop; None: never."""
        if when is None:
            self._times.pop(key, None)
        elif self._times.get(key) != when:
            self._times[key] = when
            heapq.heappush(self._heap, (when, next(self._number), key))
            if len(self._heap) > 2 * len(self._times) + SPARE:
                self._heap = [(due, next(self._number), key) for key, due in self._times.items()]
                heapq.heapify(self._heap)
            self._arm()

    def close(self) -> None:
        """Nothing is due any more."""
        self._times.clear()
        self._heap.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        """A timer that comes too early is left alone: making one anew costs more than that one call."""
        while self._heap and self._times.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        if not self._heap:
            return
        when = self._heap[0][0]
        if self._timer is not None:
            if self._armed_for <= when:
                return
            self._timer.cancel()
        self._armed_for = when  # uvloop's handle cannot tell, where the time has come already
        self._timer = asyncio.get_running_loop().call_at(when, self._fire)

    def _fire(self) -> None:
        self._timer = None
        now, due = asyncio.get_running_loop().time(), list[K]()
        while self._heap and self._heap[0][0] <= now:
            when, _, key = heapq.heappop(self._heap)
            if self._times.get(key) == when:
                del self._times[key]
                due.append(key)
        if due:
            self._on_due(due)
        self._arm()


def sooner(one: float | None, other: float | None) -> float | None:
    """The earlier of two times; None: never."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
