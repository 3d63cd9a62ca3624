"""Work over many peers, in steps: others have their turns in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

T = TypeVar("T")

STEP = 20
"""Of them at once: a few milliseconds."""


async def paced(many: Iterable[T]) -> AsyncIterator[T]:
    """One after the other."""
    for number, one in enumerate(many, start=1):
        yield one
        if number % STEP == 0:
            await asyncio.sleep(0)
