"""Turns of the event loop: how much is done in one of them, and so how long others wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType


class Turns:
    """Looks at a count in each turn while its block runs, in which no virtual time passes."""

    def __init__(self, count: Callable[[], int]) -> None:
        """`count`: of what has been done so far."""
        self._count = count
        self._before = 0
        self._runs = False
        self.most = 0
        """How much was done in one turn at most."""

    def __enter__(self) -> Turns:
        self._runs, self._before = True, self._count()
        asyncio.get_running_loop().call_soon(self._look)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._note()
        self._runs = False

    def _look(self) -> None:
        if self._runs:
            self._note()
            asyncio.get_running_loop().call_soon(self._look)

    def _note(self) -> None:
        now = self._count()
        self.most, self._before = max(self.most, now - self._before), now
