"""The time limits of an SA in the kernel."""

from __future__ import annotations

FARTHEST = 60


def soft_before(seconds: int) -> int:
    """How many seconds before the hard limit, which is so many away, the soft one stands.

    Where both are set the kernel tells a clock that was set from a life that is over, and goes on counting. But if it
    looks so late that both have passed, as on a machine that was halted, it takes that for a clock that was set, too,
    and the SA lives on: so they stand apart.
    """
    return min(FARTHEST, seconds // 2)
