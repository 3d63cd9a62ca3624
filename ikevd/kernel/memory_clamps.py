"""Clamps of the MSS in memory: `Clamps` as nftables are, for tests."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence

from ikevd.errors import KernelRefused
from ikevd.host.clamps import Clamp


class MemoryClamps:
    """Without packets."""

    def __init__(self) -> None:
        self.table: list[Clamp] = []
        self.lacking = False
        """Is there no program nft?"""
        self.done: list[list[Clamp]] = []
        """What was put, in this order."""
        self._changed: Callable[[], None] = lambda: None

    async def put(self, clamps: Sequence[Clamp]) -> None:
        """See `Clamps.put`."""
        if self.lacking:
            raise KernelRefused("there is no program nft", errno.EIO)
        self.table = [*clamps]
        self.done.append(self.table)
        self._changed()

    async def stand(self) -> bool:
        """See `Clamps.stand`."""
        return bool(self.table)

    def watch(self, changed: Callable[[], None]) -> None:
        """See `Clamps.watch`."""
        self._changed = changed

    def close(self) -> None:
        """Nothing to close."""

    # -- by the hand of another program

    def flush(self) -> None:
        """`nft flush ruleset`."""
        self.table = []
        self._changed()
