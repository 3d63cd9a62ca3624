"""Wait for what comes a moment later: a process, the kernel or a peer needs its time, and a busy machine more of it.

The one place where a test waits on the clock: it looks again and again, and ends as soon as it sees what is wanted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 60.0
"""Seconds: twenty times what the slowest takes on a quiet machine. Only a failing test waits as long."""
PAUSE = 0.05
"""Seconds between two looks."""


def eventually(look: Callable[[], T], holds: Callable[[T], bool] = bool, within: float = PATIENCE) -> T:
    """Look until what is seen `holds`, and return it. The last look stands in the failure."""
    deadline = time.monotonic() + within
    while not holds(seen := look()):
        assert time.monotonic() < deadline, f"after {within:g} s still {seen!r}"
        time.sleep(PAUSE)
    return seen


async def eventually_async(look: Callable[[], T], holds: Callable[[T], bool] = bool, within: float = PATIENCE) -> T:
    """The same while the event loop runs on between two looks."""
    deadline = time.monotonic() + within
    while not holds(seen := look()):
        assert time.monotonic() < deadline, f"after {within:g} s still {seen!r}"
        await asyncio.sleep(PAUSE)
    return seen
