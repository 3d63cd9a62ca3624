"""The clock by which everything is due: it goes on while the machine is suspended, and nobody sets it.

The event loop has one of its own, which stands still then.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial

LONGEST_WAIT = 60.0
"""Seconds of the loop's clock after which the other one is looked at again: what came due during a suspension is done
so soon after it."""


boot_time = partial(time.clock_gettime, time.CLOCK_BOOTTIME)
"""Seconds since the machine was started, the same in every process."""


def loop_time() -> float:
    """The event loop's own clock, in seconds; in tests the virtual one."""
    return asyncio.get_running_loop().time()


def call_at(when: float, now: Callable[[], float], do: Callable[[], None]) -> asyncio.TimerHandle:
    """Call `do` at `when` on the clock `now`, perhaps too early: then it is to look again."""
    loop = asyncio.get_running_loop()
    if now is loop_time:
        return loop.call_at(when, do)
    return loop.call_later(min(max(0.0, when - now()), LONGEST_WAIT), do)
