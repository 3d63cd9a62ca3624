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

    def prove(self, block: bytes) -> bool:
        """A message of the peer opened from `block`. True: that ends the peer's own last message of Main Mode, so that
        it does not have ours."""
        blocks, each = self.sa.last_blocks, self._blocks_of_each
        if not self._proven and self._forks:
            begin = blocks.index(block) // each * each
            likeliest, others = blocks[begin : begin + each], blocks[:begin] + blocks[begin + each :]
            self.sa = replace(self.sa, last_blocks=likeliest + others)
        self._proven, self._forks = True, ()
        return each > 1 and block in blocks[1::each]

    @property
    def _blocks_of_each(self) -> int:
        """Candidate: a responder of Main Mode also holds the block before its last message (`IsakmpSa.last_blocks`)."""
        return 1 if self.sa.initiator or self.sa.exchange != ExchangeType.MAIN_MODE else 2
