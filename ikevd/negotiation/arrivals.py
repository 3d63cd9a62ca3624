"""Whether packets of a peer came through the SAs of its children, from one question to the next: a sign of life.

Of an SA the kernel counts the packets that proved to be the peer's, but does not tell when the last one came (before
Linux 6.2); of a policy it tells when a packet last met it, be it one in the clear that was dropped. Both together do.
"""

from __future__ import annotations

from collections.abc import Iterator

from ikevd.errors import IkeError
from ikevd.host.interface import SaId
from ikevd.negotiation.kernel_side import KernelSide
from ikevd.negotiation.paced import paced
from ikevd.negotiation.ports import Ports
from ikevd.peer.state import ChildState, PeerState
from ikevd.sa.model import Spi


def inbound(child: ChildState) -> Iterator[SaId]:
    """The SAs that its peer sends to."""
    return (SaId(pair.sa.local, pair.sa.inbound) for pair in child.standing)


class Arrivals:
    """Of one session."""

    __slots__ = ("_asked_at", "_kernel", "_packets", "_ports")

    def __init__(self, kernel: KernelSide, ports: Ports) -> None:
        self._kernel = kernel
        self._ports = ports
        self._packets: dict[Spi, int] = {}
        """Counted at the last question, by our SPI."""
        self._asked_at: float | None = None

    async def newest(self, state: PeerState) -> float | None:
        """When the last packet came, if any did since this was last asked. What the kernel refuses to tell is none."""
        before, self._packets = self._packets, {}
        busy = set[str]()
        asked_at, self._asked_at = self._asked_at, self._ports.now()
        try:
            async for name, id in paced((child, id) for child, its in state.children.items() for id in inbound(its)):
                found = await self._ports.kernel.counters(id)
                if found is not None and found.packets:
                    self._packets[id.spi] = found.packets
                    if found.packets > before.get(id.spi, 0):
                        busy.add(name)
            idle = [await self._kernel.idle(state, name) for name in busy]
        except IkeError as refusal:
            self._kernel.report([refusal])
            return None
        if not busy:
            return None
        now = self._ports.now()
        newest = max(now - (since or 0.0) for since in idle)
        return newest if asked_at is None else max(newest, asked_at)
