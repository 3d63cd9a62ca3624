"""What is due when, with one timer for all of it, and for all sessions."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

from ikevd.negotiation.clock import call_at, loop_time
from ikevd.negotiation.reports import report

K = TypeVar("K", bound=Hashable)

FEW = 5
"""Entries that fit into the smallest dict."""
AT_ONCE = 4
"""Keys that are told in one turn of the event loop: much may be due at one time, as after a restart, and what comes
from the network has its turn in between."""
SPARE = 8
"""The heap is made anew once it has this many entries more than twice what is due."""


class Agenda(Generic[K]):
    """A time for each key. `on_due` gets the keys whose time has come, each of which is off the agenda by then."""

    __slots__ = ("_armed_for", "_heap", "_now", "_number", "_on_due", "_timer", "_times", "_within")

    def __init__(
        self,
        on_due: Callable[[list[K]], None],
        within: Agenda[Agenda[Any]] | None = None,
        now: Callable[[], float] = loop_time,
    ) -> None:
        """`within`: the agenda of many (`agenda_of_many`), whose timer and clock are those of all; None: it has its
        own. `now`: that clock, in seconds."""
        self._now: Callable[[], float] = within._now if within is not None else now
        self._on_due = on_due
        self._within = within
        self._times: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        """Some of it may be out of date; `_times` is right."""
        self._number = 0
        self._timer: asyncio.TimerHandle | None = None
        self._armed_for: float | None = None

    def __contains__(self, key: K) -> bool:
        return key in self._times

    def set(self, key: K, when: float | None) -> None:
        """`key` is due at `when`; None: never."""
        if when is None:
            self._times.pop(key, None)
        elif self._times.get(key) != when:
            self._times[key] = when
            self._number += 1  # of keys with one time, the one that was set first comes first
            heapq.heappush(self._heap, (when, self._number, key))
            if len(self._heap) > 2 * len(self._times) + SPARE:
                self._tidy()
            if self._armed_for is None or when < self._armed_for:  # one that comes too early is left alone
                self._arm()

    def fire(self) -> None:
        """The time that this agenda was armed for has come. What is due beyond `AT_ONCE` waits for the next turn."""
        self._timer = self._armed_for = None
        now, due = self._now(), list[K]()
        while self._heap and self._heap[0][0] <= now and len(due) < AT_ONCE:
            when, _, key = heapq.heappop(self._heap)
            if self._times.get(key) == when:
                del self._times[key]
                due.append(key)
        if len(self._times) <= FEW:  # neither shrinks by itself, and each session has both
            self._times = dict(self._times.items())  # a copy of the dict itself may be as large
            self._tidy()
        try:
            if due:
                self._on_due(due)
        finally:
            self._arm()

    def close(self) -> None:
        """Nothing is due any more."""
        self._times.clear()
        self._heap.clear()
        if self._within is not None:
            self._within.set(self, None)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._armed_for = None

    def _tidy(self) -> None:
        self._heap = [(when, number, key) for number, (key, when) in enumerate(self._times.items())]
        heapq.heapify(self._heap)
        self._number = len(self._heap)

    def _arm(self) -> None:
        """For what is due first. A timer that comes too early is left alone: making one anew costs more than that one
        call."""
        while self._heap and self._times.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        if not self._heap:
            return
        when = self._heap[0][0]
        if self._armed_for is not None and self._armed_for <= when:
            return
        self._armed_for = when
        if self._within is not None:
            self._within.set(self, when)
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = call_at(when, self._now, self.fire)


def agenda_of_many(now: Callable[[], float] = loop_time) -> Agenda[Agenda[Any]]:
    """One timer for the agendas that are made within it: a timer takes 450 octets."""
    return Agenda(_fire, now=now)


def _fire(due: list[Agenda[Any]]) -> None:
    for agenda in due:
        try:
            agenda.fire()
        except Exception as bug:  # it is one agenda's, and no other's
            report("at a time that was due", bug)


def sooner(one: float | None, other: float | None) -> float | None:
    """The earlier of two times; None: never."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
