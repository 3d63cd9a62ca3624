"""Which last block of phase 1 the peer holds: the IVs of everything under the ISAKMP SA begin from it."""

from __future__ import annotations

from collections.abc import Iterable

from ikevd.frozen import replace
from ikevd.sa.model import IsakmpSa
from ikevd.wire.registry import ExchangeType


class Ends:
    """The candidates, until the peer's first message under the SA proves one of them.

    The octets behind the payloads of the last message of phase 1 are covered by no HASH: where a copy of it differs
    there, either may be the peer's.
    """

    __slots__ = ("_forks", "_proven", "sa")

    def __init__(self, sa: IsakmpSa) -> None:
        self.sa = sa
        """With all candidates, the likeliest first."""
        self._forks: tuple[bytes, ...] = ()
        """Those that stand beside the likeliest for what we begin."""
        self._proven = False

    @property
    def origins(self) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
        """From which blocks an exchange under the SA may begin, and of these apart those that stand beside the first
        one."""
        blocks = self.sa.last_blocks
        if not self._forks:
            return blocks, ()
        beside = tuple(block for block in blocks if block in self._forks)
        return tuple(block for block in blocks if block not in self._forks), beside

    def lack_message_6(self, block: bytes) -> bool:
        """Does who goes on from that block not have our last message of Main Mode? Its own last one is `block`."""
        sa = self.sa
        return not sa.initiator and sa.exchange == ExchangeType.MAIN_MODE and block in sa.last_blocks[1::2]

    def learn(self, others: Iterable[tuple[bytes, ...]]) -> tuple[bytes, ...]:
        """Copies of the last message had these ends, each behind what we would go on from: tells which of all are
        new."""
        new = [blocks for blocks in others if blocks[0] not in self.sa.last_blocks]
        if self._proven or not new:
            return ()
        first = tuple(blocks[0] for blocks in new)
        self._forks += first
        self.sa = replace(self.sa, last_blocks=(*self.sa.last_blocks, *(block for blocks in new for block in blocks)))
        return first

    def prove(self, block: bytes) -> None:
        """A message of the peer opened from `block`."""
        if not self._proven and self._forks:
            others = (other for other in self.sa.last_blocks if other != block)
            self.sa = replace(self.sa, last_blocks=(block, *others))
        self._proven, self._forks = True, ()
