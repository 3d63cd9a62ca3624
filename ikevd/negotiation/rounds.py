"""One difference after the other between what is wanted and what stands: soon after a change, seldom where it takes
long, and again where something was refused."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from ikevd.negotiation.agenda import Agenda
from ikevd.negotiation.reports import surely_done

REST = 9.0
"""A round that took a second is followed by so many without one."""
LOOK_EVERY = 5.0
"""Seconds from one look at what stands to the next, however often others change something."""
FIRST_PAUSE, LAST_PAUSE = 1.0, 60.0
"""Seconds until what was refused is tried again; each pause is twice the one before."""


class Rounds:
    """When each is due. None begins before the one before has ended."""

    def __init__(self, compare: Callable[[], Awaitable[bool]], now: Callable[[], float], settle: float) -> None:
        """`compare` is one of them; True: something was refused. `settle`: seconds from a change to the next round, so
        that others come with it."""
        self._compare = compare
        self._now = now
        self._settle = settle
        self._agenda = Agenda[str](self._due, now=now)
        self._open = False
        self._next = 0.0
        """When the next one is due, if one is."""
        self._at_work: asyncio.Task[None] | None = None
        self._looked_at = self._rests_until = float("-inf")
        self._pause = FIRST_PAUSE

    def open(self) -> None:
        """From here on."""
        self._open = True

    def changed(self) -> None:
        """Another thing is wanted."""
        self.look(self._settle)

    def doubt(self, at_least: float = 0.0) -> None:
        """Others have changed something: a look, soon. `at_least`: seconds from now."""
        self.look(max(at_least, self._looked_at + LOOK_EVERY - self._now()))

    def look(self, after: float) -> None:
        """A round in so many seconds, if none is due before."""
        if not self._open:
            return
        when = max(self._now() + after, self._rests_until)
        if "next" not in self._agenda or when < self._next:
            self._next = when
            self._agenda.set("next", when)

    def rest(self) -> None:
        """No other one begins."""
        self._open = False
        self._agenda.close()

    async def ended(self) -> None:
        """No other one begins, and that which is under way has ended."""
        self.rest()
        if self._at_work is not None:
            await asyncio.wait([self._at_work])

    def _due(self, _: list[str]) -> None:
        if self._at_work is not None and not self._at_work.done():
            self.changed()
        elif self._open:
            self._at_work = asyncio.get_running_loop().create_task(self._surely())

    async def _surely(self) -> None:
        await surely_done(self._round())

    async def _round(self) -> None:
        began = self._looked_at = self._now()
        refused = await self._compare()
        self._rests_until = self._now() + REST * (self._now() - began)
        if refused:
            self.look(self._pause)
            self._pause = min(2 * self._pause, LAST_PAUSE)
        else:
            self._pause = FIRST_PAUSE
