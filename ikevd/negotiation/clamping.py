"""The MSS of TCP connections that are forwarded through tunnels: what all sessions want is one table, which is put anew
as a whole whenever it is another one, and removed when nobody wants any of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from ikevd.addresses import Address
from ikevd.errors import IkeError
from ikevd.host.clamps import Clamp, Clamps
from ikevd.negotiation.agenda import Agenda
from ikevd.negotiation.clock import loop_time
from ikevd.negotiation.reports import surely_done
from ikevd.observe.words import say_error
from ikevd.peer.clamps import desired_clamps
from ikevd.peer.state import PeerState
from ikevd.policy.connection import Connection
from ikevd.store.interface import NoStore, Placed, Store

SETTLE = 0.2
"""Seconds from the first change to the next table: others come with it."""
REST = 9.0
"""A table that took a second to put is followed by so many in which none is."""
LOOK_EVERY = 5.0
"""Seconds from one look at whether it stands to the next, however often others change theirs."""
FIRST_PAUSE, LAST_PAUSE = 1.0, 60.0
"""Seconds until what was refused is tried again; each pause is twice the one before."""
ROW = "mss"
"""The row of the store that says: the table may stand."""


class Clamping:
    """Of one daemon."""

    def __init__(
        self,
        clamps: Clamps | None = None,
        store: Store | None = None,
        trouble: Callable[[str], None] = lambda said: None,
        now: Callable[[], float] = loop_time,
        path_mtu: Callable[[Address, Address], int | None] = lambda source, destination: None,
    ) -> None:
        """`path_mtu`: of the way between two addresses."""
        self._clamps = clamps
        self._store = store or NoStore("there is none")
        self._trouble = trouble
        self._now = now
        self._path_mtu = path_mtu
        self._agenda = Agenda[str](self._due, now=now)
        self._wanted: dict[object, tuple[Clamp, ...]] = {}
        self._stands: tuple[Clamp, ...] | None = None
        """What was put last; None: it is not known what stands."""
        self._may_stand = self._is_doubtful = False
        """May a table of ours stand, as the store knows? Or as it does not, since it was lost?"""
        self._open = False
        self._next = 0.0
        """When the next look is due, if one is."""
        self._at_work: asyncio.Task[None] | None = None
        self._looked_at = self._rests_until = float("-inf")
        self._pause = FIRST_PAUSE
        self.refused: Mapping[str, str] = {}
        """Why they do not stand, by connection."""

    # -- what sessions want ---------------------------------------------------------------------------------------

    def follow(self, who: object, connection: Connection, state: PeerState) -> None:
        """It wants what its state desires, over its way as it is now, from here on."""
        if connection.mss is None and who not in self._wanted:
            return
        wanted = desired_clamps(connection, state, self._path_mtu)
        if wanted == self._wanted.get(who, ()):
            return
        self._wanted[who] = wanted
        if not wanted:
            del self._wanted[who]
        self._look(SETTLE)

    def release(self, who: object) -> None:
        """It wants nothing any more."""
        if self._wanted.pop(who, None) is not None:
            self._look(SETTLE)

    # -- from start to end ----------------------------------------------------------------------------------------

    def inherit(self, placed: Mapping[str, Placed], *, unknown: bool) -> None:
        """An earlier process may have left a table, by the rows of the store. `unknown`: or where these were lost."""
        self._may_stand = ROW in placed
        self._is_doubtful = unknown and not placed

    def open(self) -> None:
        """All sessions have said what they want."""
        self._open = True
        if self._clamps is not None:
            self._clamps.watch(self.doubt)
        if self._wanted or self._may_stand or self._is_doubtful:
            self._look(0.0)

    def doubt(self) -> None:
        """Somebody has changed something of nftables: a look, soon."""
        if self._stands:
            self._look(max(SETTLE, self._looked_at + LOOK_EVERY - self._now()))

    def rest(self) -> None:
        """Nothing is changed any more; what stands stays."""
        self._open = False
        self._agenda.close()

    async def remove_all(self) -> None:
        """The daemon takes all down. What cannot be removed is for the next start."""
        self.rest()
        self._wanted.clear()
        if self._at_work is not None:
            await asyncio.wait([self._at_work])
        if self._clamps is not None and self._may_stand:
            await surely_done(self._compare(self._clamps))

    # -- the table ------------------------------------------------------------------------------------------------

    def _look(self, after: float) -> None:
        if not self._open or self._clamps is None:
            return
        when = max(self._now() + after, self._rests_until)
        if ROW not in self._agenda or when < self._next:
            self._next = when
            self._agenda.set(ROW, when)

    def _due(self, _: list[str]) -> None:
        if self._at_work is not None and not self._at_work.done():
            self._look(SETTLE)
        elif self._open and self._clamps is not None:
            self._at_work = asyncio.get_running_loop().create_task(self._bring(self._clamps))

    async def _bring(self, clamps: Clamps) -> None:
        await surely_done(self._try(clamps))

    async def _try(self, clamps: Clamps) -> None:
        began = self._looked_at = self._now()
        cause = await self._compare(clamps)
        self._rests_until = self._now() + REST * (self._now() - began)
        self._tell(cause)
        if cause is not None:
            self._look(self._pause)
            self._pause = min(2 * self._pause, LAST_PAUSE)
        else:
            self._pause = FIRST_PAUSE

    async def _compare(self, clamps: Clamps) -> str | None:
        """Why they do not stand."""
        shall = tuple(dict.fromkeys(clamp for wanted in self._wanted.values() for clamp in wanted))
        try:
            if shall == self._stands and (not shall or await clamps.stand()):
                return None
            if shall:
                self._note(may_stand=True)
            self._stands = None
            await clamps.put(shall)
        except IkeError as refusal:
            return say_error(refusal)
        self._stands = shall
        if not shall:
            self._note(may_stand=False)
        return None

    def _note(self, *, may_stand: bool) -> None:
        if may_stand != self._may_stand:
            self._may_stand = may_stand
            if said := self._store.place({ROW: Placed() if may_stand else None}):
                self._trouble(said)

    def _tell(self, cause: str | None) -> None:
        """Once, as long as it is so."""
        names = dict.fromkeys(clamp.owner for wanted in self._wanted.values() for clamp in wanted)
        told = set(self.refused.values())
        if cause is not None and cause not in told and names:
            self._trouble(cause)
        self.refused = dict.fromkeys(names, cause) if cause is not None else {}
