"""Whether packets of a child come and go, from what the kernel counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ikevd.negotiation.install import Installer
from ikevd.peer.children import Pair

ONE_WAY = 10
"""Seconds that the last packet out must be younger than the last one in. Answers take less; two clocks that count
whole seconds differ by one."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """Ages in seconds."""

    last_in: int | None
    """Of the last packet that arrived."""
    one_way: int | None
    """Since when packets leave while none arrives."""


NONE = Traffic(None, None)


async def traffic_of(pairs: Sequence[Pair], installer: Installer, now: float, *, received: bool) -> Traffic:
    """Of all pairs that carry one child, for the kernel remembers the last packet of a policy, not of an SA.

    One way: the last packet that left is at least `ONE_WAY` seconds younger than the last one that arrived or, where
    none ever did (`received`), than the oldest pair.
    """
    if not pairs:
        return NONE
    came, left = await installer.idle_seconds(pairs[-1].sa)
    silent = came if received else now - pairs[0].born
    if silent is None:  # the policies are newer than the last packet
        return NONE
    one_way = left is not None and silent - left >= ONE_WAY
    return Traffic(round(silent) if received else None, round(silent) if one_way else None)
