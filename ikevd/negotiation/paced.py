"""Work over many peers, in steps: others have their turns in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

T = TypeVar("T")

STEP = 20
"""Of them at once: a few milliseconds."""
FEW = 4
"""Likewise where one may take one or two of them alone, as a peer that is restored."""
APART, SPREAD = 0.01, 30.0
"""Seconds between what is begun for one peer and for the next one, where it is due for many at once; and for all."""


def apart(many: int) -> float:
    """Seconds from one of so many peers to the next."""
    return min(APART, SPREAD / max(1, many))


async def paced(many: Iterable[T], step: int = STEP) -> AsyncIterator[T]:
    """One after the other."""
    for number, one in enumerate(many, start=1):
        yield one
        if number % step == 0:
            await asyncio.sleep(0)
