"""Virtual time, a wire that loses, and a die that decides what goes wrong."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from itertools import count


class World:
    """`calm()` ends all that goes wrong."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.now = 0.0
        self.loss = self.dice.choice((0.0, 0.1, 0.25))
        self.refusals = 0.03
        self.kills = 0.004
        self.cut_until = 0.0
        """Nothing arrives until then."""
        self.number = count(1000)
        """No SPI, cookie or message ID comes twice."""
        self.wrong: list[str] = []
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def after(self, delay: float, do: Callable[[], None]) -> None:
        """Call `do` so many seconds from now."""
        self.at(self.now + delay, do)

    def at(self, when: float, do: Callable[[], None]) -> None:
        """Call `do` then, or now if that is past."""
        heapq.heappush(self._queue, (max(when, self.now), next(self._order), do))

    def run_until(self, when: float) -> None:
        """Everything that is due by then."""
        while self._queue and self._queue[0][0] <= when:
            self.now, _, do = heapq.heappop(self._queue)
            do()
        self.now = when

    def carry(self, deliver: Callable[[], None]) -> None:
        """A datagram, which may be lost."""
        if self.now >= self.cut_until and not self.chance(self.loss):
            self.after(0.02 + 0.05 * self.dice.random(), deliver)

    def chance(self, share: float) -> bool:
        return share > 0 and self.dice.random() < share

    def calm(self) -> None:
        self.loss = self.refusals = self.kills = self.cut_until = 0.0
