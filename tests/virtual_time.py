"""An asyncio event loop whose clock jumps to the next timer instead of waiting: a day passes in milliseconds."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

from ikevd.store.memory import Killed

T = TypeVar("T")


class _JumpingSelector(selectors.SelectSelector):
    """Never waits: where the loop would sleep, its clock moves."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout:
            self.now += timeout
        return super().select(0)


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Time begins at 0."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run to completion in virtual time; every error that reaches the loop is raised, but the end of a process."""
    loop = VirtualTimeLoop()
    troubles: list[dict[str, Any]] = []

    def note(_: object, context: dict[str, Any]) -> None:
        if not isinstance(context.get("exception"), Killed):
            troubles.append(context)

    loop.set_exception_handler(note)
    try:
        result = loop.run_until_complete(main)
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        assert not troubles, troubles
        return result
    finally:
        loop.close()
