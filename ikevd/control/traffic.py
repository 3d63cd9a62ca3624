"""Whether packets of a child come and go, from what the kernel counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

from ikevd.frozen import frozen
from ikevd.host.interface import Kernel
from ikevd.host.policies import Direction, PolicyId
from ikevd.peer.child_state import PairState

ONE_WAY = 10
"""Seconds that the last packet out must be younger than the last one in. Answers take less; two clocks that count
whole seconds differ by one."""


@frozen
class Traffic:
    """Ages in seconds."""

    last_in: int | None
    """Of the last packet that arrived."""
    one_way: int | None
    """Since when packets leave while none arrives."""


NONE = Traffic(None, None)
INBOUND, OUTBOUND = (Direction.IN, Direction.FWD), (Direction.OUT,)
"""Local packets take another policy than those that are forwarded."""
MAX_ASKED = 8
"""Policies of one direction whose last use is asked for: selectors that are ranges make many."""


async def traffic_of(
    pairs: Sequence[PairState], policies: Iterable[PolicyId], kernel: Kernel, now: float, *, received: bool
) -> Traffic:
    """Of all pairs that carry one child, for the kernel remembers the last packet of a policy, not of an SA.

    One way: the last packet that left is at least `ONE_WAY` seconds younger than the last one that arrived or, where
    none ever did (`received`), than the oldest pair.
    """
    if not pairs:
        return NONE
    came = await _idle(policies, INBOUND, kernel)
    left = await _idle(policies, OUTBOUND, kernel)
    silent = came if received else now - pairs[0].born
    if silent is None:  # the policies are newer than the last packet
        return NONE
    one_way = left is not None and silent - left >= ONE_WAY
    return Traffic(round(silent) if received else None, round(silent) if one_way else None)


async def _idle(policies: Iterable[PolicyId], directions: Sequence[Direction], kernel: Kernel) -> float | None:
    """Seconds since the last packet; None where there was none since the policies were last installed."""
    asked = [
        policy
        for direction in directions
        for policy in islice((policy for policy in policies if policy.direction is direction), MAX_ASKED)
    ]
    found = [await kernel.idle_seconds(policy) for policy in asked]
    return min((idle for idle in found if idle is not None), default=None)
