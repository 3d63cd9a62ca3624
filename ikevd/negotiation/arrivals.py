"""Whether packets of a peer came through the SAs of its children, from one question to the next: a sign of life.

Of an SA the kernel counts the packets that proved to be the peer's, but does not tell when the last one came (before
Linux 6.2); of a policy it tells when a packet last met it, be it one in the clear that was dropped. Both together do:
only an SA whose count has grown since it was last looked at is asked when. At the first look there is nothing to
compare with: an SA that has ever carried a packet may have done so when its policy was met.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ikevd.errors import IkeError
from ikevd.frozen import frozen
from ikevd.host.sas import SaId
from ikevd.negotiation.kernel_side import KernelSide
from ikevd.negotiation.paced import paced
from ikevd.negotiation.ports import Ports
from ikevd.peer.child_state import ChildState, PairState
from ikevd.peer.state import PeerState
from ikevd.sa.model import Spi


def inbound(child: ChildState) -> Iterator[SaId]:
    """The SAs that its peer sends to."""
    return (SaId(pair.sa.local, pair.sa.inbound) for pair in child.standing)


@frozen
class _Seen:
    packets: int
    at: float
    """When the last of them came, as far as that is known: perhaps earlier."""


class Arrivals:
    """Of one session."""

    __slots__ = ("_asked_at", "_kernel", "_ports", "_seen", "_told")

    def __init__(self, kernel: KernelSide, ports: Ports) -> None:
        self._kernel = kernel
        self._ports = ports
        self._seen: dict[Spi, _Seen] = {}
        """At the last look, by our SPI, of SAs that have carried a packet."""
        self._asked_at: float | None = None
        self._told: float | None = None

    async def newest(self, state: PeerState) -> float | None:
        """When the last packet came, if any did since this was last asked. What the kernel refuses to tell is none."""
        try:
            await self._look(state)
        except IkeError as refusal:
            self._kernel.report([refusal])
            return None
        newest = max((seen.at for seen in self._seen.values()), default=None)
        if newest is None or (self._told is not None and newest <= self._told):
            return None
        self._told = newest
        return newest

    async def within(self, seconds: float, state: PeerState, pairs: Iterable[PairState]) -> bool:
        """Did a packet come through one of these pairs of the peer? Raises `KernelRefused`."""
        await self._look(state)
        since = self._ports.now() - seconds
        return any((seen := self._seen.get(pair.sa.inbound)) is not None and since < seen.at for pair in pairs)

    async def _look(self, state: PeerState) -> None:
        before, now, grown = self._seen, dict[Spi, _Seen](), dict[str, list[Spi]]()
        began = self._ports.now()
        async for name, id in paced((child, id) for child, its in state.children.items() for id in inbound(its)):
            found = await self._ports.kernel.counters(id)
            if found is None or not found.packets:
                continue
            known = before.get(id.spi)
            now[id.spi] = _Seen(found.packets, known.at if known else 0.0)
            if known is None or found.packets > known.packets:
                grown.setdefault(name, []).append(id.spi)
        for name, spis in grown.items():
            at = self._ports.now() - (await self._kernel.idle(state, name) or 0.0)
            for spi in spis:
                now[spi] = _Seen(now[spi].packets, at if self._asked_at is None else max(at, self._asked_at))
        self._seen, self._asked_at = now, began
