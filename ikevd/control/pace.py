"""Long work in short steps: between two of them the event loop serves the peers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from time import perf_counter
from typing import TypeVar

T = TypeVar("T")
STEP = 0.001
"""Seconds of work without a rest. What is one piece of work takes a few of them at most."""


class Pace:
    """One piece of work after the other; then a rest as long as the work took, so that half of the time is free."""

    def __init__(self, clock: Callable[[], float] = perf_counter) -> None:
        self._clock = clock
        self._began = clock()

    @property
    def due(self) -> bool:
        """Is it time for a rest?"""
        return self._clock() - self._began >= STEP

    async def rest(self) -> None:
        """Let others go on."""
        await asyncio.sleep(self._clock() - self._began)
        self._began = self._clock()

    async def keep(self) -> None:
        """Rest if it is time."""
        if self.due:
            await self.rest()


async def paced(pieces: Iterator[T]) -> AsyncIterator[T]:
    """The same pieces, with rests between them."""
    pace = Pace()
    for piece in pieces:
        yield piece
        await pace.keep()
