"""The time that a peer gets when it is asked whether it lives, while all else of a session waits."""

from __future__ import annotations

import asyncio


class TimeToAnswer:
    """Of all peers of a daemon."""

    __slots__ = ("_over",)

    def __init__(self) -> None:
        self._over = asyncio.Event()

    async def wait(self, seconds: float) -> bool:
        """False, and at once: the daemon stops, nobody gets any more time."""
        try:
            async with asyncio.timeout(seconds):
                await self._over.wait()
        except TimeoutError:
            return True
        return False

    def end(self) -> None:
        """The daemon stops."""
        self._over.set()
