"""The port to what this machine does with the MSS of the TCP connections that it forwards. Implemented by `hooks/nft`
and, for tests, in memory.

All calls raise `ikevd.errors.KernelRefused`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from ikevd.frozen import frozen
from ikevd.policy.selectors import Network


@frozen
class Clamp:
    """Connections through one tunnel get this MSS at most, in either direction."""

    mss: int
    version: int
    """The IP version of the packets."""
    owner: str
    """The connection of the file."""
    interface: str | None = None
    """What is routed to it, and comes from it; None: what a policy-based tunnel carries, of these networks."""
    ours: tuple[Network, ...] = ()
    theirs: tuple[Network, ...] = ()


class Clamps(Protocol):
    """Of one network namespace."""

    async def put(self, clamps: Sequence[Clamp]) -> None:
        """These and no others, all at once; of none nothing is left."""

    async def stand(self) -> bool:
        """Has nobody removed them?"""

    def watch(self, changed: Callable[[], None]) -> None:
        """From the first `put` on: something may have changed them."""

    def close(self) -> None:
        """Idempotent. What stands stays."""
