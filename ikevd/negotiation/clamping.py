"""The MSS of TCP connections that are forwarded through tunnels: what all sessions want is one table, which is put anew
as a whole whenever it is another one, and removed when nobody wants any of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ikevd.addresses import Address
from ikevd.errors import IkeError
from ikevd.host.clamps import Clamp, Clamps
from ikevd.negotiation.clock import loop_time
from ikevd.negotiation.reports import surely_done
from ikevd.negotiation.rounds import Rounds
from ikevd.observe.words import say_error
from ikevd.peer.clamps import desired_clamps
from ikevd.peer.state import PeerState
from ikevd.policy.connection import Connection
from ikevd.store.interface import NoStore, Placed, Store

SETTLE = 0.2
"""Seconds from the first change to the next table: others come with it."""
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
        self._path_mtu = path_mtu
        self._rounds = Rounds(self._round, now, SETTLE)
        self._wanted: dict[object, tuple[Clamp, ...]] = {}
        self._stands: tuple[Clamp, ...] | None = None
        """What was put last; None: it is not known what stands."""
        self._may_stand = self._is_doubtful = False
        """May a table of ours stand, as the store knows? Or as it does not, since it was lost?"""
        self.refused: Mapping[str, str] = {}
        """Why they do not stand, by connection."""

    # -- what sessions want ---------------------------------------------------------------------------------------

    def follow(self, who: object, connection: Connection, state: PeerState) -> None:
        """It wants what its state desires, over its way as it is now, from here on."""
        wanted = desired_clamps(connection, state, self._path_mtu)
        if wanted == self._wanted.get(who, ()):
            return
        self._wanted[who] = wanted
        if not wanted:
            del self._wanted[who]
        self._rounds.changed()

    def release(self, who: object) -> None:
        """It wants nothing any more."""
        if self._wanted.pop(who, None) is not None:
            self._rounds.changed()

    # -- from start to end ----------------------------------------------------------------------------------------

    def inherit(self, placed: Mapping[str, Placed], *, unknown: bool) -> None:
        """An earlier process may have left a table, by the rows of the store. `unknown`: or where these were lost."""
        self._may_stand = ROW in placed
        self._is_doubtful = unknown and not placed

    def open(self) -> None:
        """All sessions have said what they want."""
        if self._clamps is not None:
            self._rounds.open()
            self._clamps.watch(self.doubt)
        if self._wanted or self._may_stand or self._is_doubtful:
            self._rounds.look(0.0)

    def doubt(self) -> None:
        """Somebody has changed something of nftables: a look, soon."""
        if self._stands:
            self._rounds.doubt(SETTLE)

    def rest(self) -> None:
        """Nothing is changed any more; what stands stays."""
        self._rounds.rest()

    async def remove_all(self) -> None:
        """The daemon takes all down. What cannot be removed is for the next start."""
        self._wanted.clear()
        await self._rounds.ended()
        if self._clamps is not None and self._may_stand:
            await surely_done(self._compare(self._clamps))

    # -- the table ------------------------------------------------------------------------------------------------

    async def _round(self) -> bool:
        cause = await self._compare(self._clamps) if self._clamps is not None else None
        self._tell(cause)
        return cause is not None

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
