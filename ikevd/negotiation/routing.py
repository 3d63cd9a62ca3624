"""The routes that follow policy-based tunnels: one difference between what all sessions want and what stands.

What stands is read before each difference, since anybody may change it, and what a route has of the way to its peer is
asked for anew. It is written to the store before it is put; so what an earlier process has left is known, and goes
where nobody wants it any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Set

from ikevd.addresses import Address
from ikevd.errors import IkeError
from ikevd.host.route_claims import Claims
from ikevd.host.routes import PeerRoute, Place, Routed, Routes, Rule, WantedRoute
from ikevd.negotiation.apply import may_stand
from ikevd.negotiation.clock import loop_time
from ikevd.negotiation.paced import paced
from ikevd.negotiation.reports import surely_done
from ikevd.negotiation.rounds import Rounds
from ikevd.observe.words import say_error
from ikevd.peer.routes import desired_routes
from ikevd.peer.state import PeerState
from ikevd.policy.connection import Connection
from ikevd.policy.selectors import Network
from ikevd.store.interface import NoStore, Placed, Store

SETTLE = 0.05
"""Seconds from the first change to the difference: others come with it."""
MANY = 200
"""Addresses and routes that are looked at in one step."""
ROW = "route "
"""Begins the names of its rows."""
UNKNOWN = "the routes to remote networks cannot be read or worked out"


class Routing:
    """Of one daemon."""

    def __init__(
        self,
        routes: Routes | None = None,
        store: Store | None = None,
        trouble: Callable[[str], None] = lambda said: None,
        now: Callable[[], float] = loop_time,
    ) -> None:
        self._routes = routes
        self._store = store or NoStore("there is none")
        self._trouble = trouble
        self._rounds = Rounds(self._round, now, SETTLE)
        self._wanted: dict[object, tuple[str, tuple[WantedRoute, ...]]] = {}
        """By whom: the name of its connection, and what."""
        self._known: dict[Place, Routed] = {}
        """What of ours may stand."""
        self._all_ours = self._never_used = False
        """Is all that bears our mark ours, whoever put it? Has the process before put nothing?"""
        self.peers: Callable[[], Iterable[Address]] = tuple
        """All that there are tunnels with, or are to be, by whatever connection."""
        self.refused: Mapping[str, str] = {}
        """Why something does not stand that shall, by connection."""

    # -- what sessions want ---------------------------------------------------------------------------------------

    def follow(self, who: object, connection: Connection, state: PeerState, yields: Callable[[str, str], bool]) -> None:
        """It wants what its state desires, from here on. `yields`: see `Standby`."""
        wanted = desired_routes(connection, state, lambda child: yields(connection.name, child))
        if wanted == (self._wanted[who][1] if who in self._wanted else ()):
            return
        self._wanted[who] = connection.name, wanted
        if not wanted:
            del self._wanted[who]
        self._rounds.changed()

    def release(self, who: object) -> None:
        """It wants nothing any more."""
        if self._wanted.pop(who, None) is not None:
            self._rounds.changed()

    # -- from start to end ----------------------------------------------------------------------------------------

    def inherit(self, placed: Mapping[str, Placed], *, unknown: bool) -> None:
        """What an earlier process may have left, by the rows of the store. `unknown`: and whatever bears our mark."""
        self._known = {thing.place: thing for row in placed.values() for thing in row.routed}
        self._all_ours = unknown
        self._never_used = bool(placed) and not self._known

    def open(self) -> None:
        """All sessions have said what they want."""
        if self._routes is not None:
            self._rounds.open()
        if self._wanted or self._known or (self._all_ours and not self._never_used):
            self._rounds.look(0.0)

    def doubt(self) -> None:
        """Something has changed on this machine: a look, soon."""
        if self._wanted or self._known:
            self._rounds.doubt()

    def rest(self) -> None:
        """Nothing is changed any more; what stands stays."""
        self._rounds.rest()

    async def remove_all(self) -> None:
        """The daemon takes all down. What the kernel refuses is for the next start."""
        self._wanted.clear()
        await self._rounds.ended()
        if self._routes is not None and self._known:
            await surely_done(self._compare(self._routes))

    # -- the difference -------------------------------------------------------------------------------------------

    async def _round(self) -> bool:
        refused = await self._compare(self._routes) if self._routes is not None else []
        self._tell(refused)
        return bool(refused)

    async def _compare(self, routes: Routes) -> list[tuple[str, str]]:
        """What was refused, and of which connection."""
        refused = list[tuple[str, str]]()
        wanted = await self._by_place()
        try:
            wanted = await self._admitted(routes, wanted, refused)
            resolved = await routes.resolve([one for _, one in wanted.values()])
            found = await routes.read()
        except IkeError as refusal:
            return [(name, f"{UNKNOWN}: {say_error(refusal)}") for name, _ in wanted.values()]
        ours = {thing.place: thing async for thing in paced(found, MANY)}
        stands = {place: thing for place, thing in ours.items() if self._all_ours or place in self._known}
        pairs = zip(wanted.values(), resolved, strict=True)
        shall = await _in_order((name, one, route or stands.get(one.place)) for (name, one), route in pairs)
        lacking = await self._put(routes, shall, stands, refused)
        async for thing in paced(sorted(stands.values(), key=_when_removed), MANY):
            if thing.place not in shall and not _serves(thing, lacking):
                await self._remove(routes, thing)
        async for place in paced(tuple(self._known), MANY):
            if place not in shall and place not in stands:
                self._forget(place)
        return refused

    async def _put(
        self,
        routes: Routes,
        shall: Mapping[Place, tuple[str, Routed]],
        stands: Mapping[Place, Routed],
        refused: list[tuple[str, str]],
    ) -> set[Network]:
        """Before anything goes. Gives the networks whose routes cannot be set: what leads there may serve on."""
        lacking = set[Network]()
        async for place, (name, thing) in paced(shall.items(), MANY):
            if stands.get(place) != thing:
                try:
                    self._note(thing)
                    await routes.put(thing, instead=place in stands)
                except IkeError as refusal:
                    refused.append((name, say_error(refusal)))
                    lacking |= {thing.to} if isinstance(thing, PeerRoute) else set()
                    if place not in stands and not may_stand(refusal):
                        self._forget(place)
            elif self._known.get(place) != thing:
                self._note(thing)
        return lacking

    async def _admitted(
        self, routes: Routes, wanted: dict[Place, tuple[str, WantedRoute]], refused: list[tuple[str, str]]
    ) -> dict[Place, tuple[str, WantedRoute]]:
        """Those that lead nothing away that is somebody else's; why the others do is added to `refused`."""
        if not wanted:
            return wanted
        chosen = {one.inside for _, one in wanted.values() if one.inside is not None}
        others = await routes.others(chosen) if chosen else frozenset()
        claims = Claims(others, [address async for address in paced(self.peers(), MANY)])
        found: dict[Place, tuple[str, WantedRoute]] = {}
        async for place, (name, one) in paced(wanted.items(), MANY):
            admitted = claims.admit(one)
            if isinstance(admitted, str):
                refused.append((name, admitted))
            else:
                found[place] = name, admitted
        return found

    async def _by_place(self) -> dict[Place, tuple[str, WantedRoute]]:
        """Of several that want the same one the first has it."""
        found: dict[Place, tuple[str, WantedRoute]] = {}
        async for name, wanted in paced(tuple(self._wanted.values()), MANY):
            for one in wanted:
                found.setdefault(one.place, (name, one))
        return found

    async def _remove(self, routes: Routes, thing: Routed) -> None:
        try:
            await routes.remove(thing)
        except IkeError as refusal:
            self._trouble(f"a route that no tunnel needs any more is still there: {say_error(refusal)}")
        else:
            self._forget(thing.place)

    def _tell(self, refused: list[tuple[str, str]]) -> None:
        """Once, as long as it is so."""
        told = set(self.refused.items())
        for name, text in dict.fromkeys(refused):
            if (name, text) not in told:
                self._trouble(f"{name}: {text}")
        self.refused = dict(reversed(refused))

    # -- the store ------------------------------------------------------------------------------------------------

    def _note(self, thing: Routed) -> None:
        """It may stand from here on."""
        self._known[thing.place] = thing
        row = Placed(rules=(thing,)) if isinstance(thing, Rule) else Placed(peer_routes=(thing,))
        self._write(thing.place, row)

    def _forget(self, place: Place) -> None:
        if self._known.pop(place, None) is not None:
            self._write(place, None)

    def _write(self, place: Place, row: Placed | None) -> None:
        if said := self._store.place({f"{ROW}{' '.join(map(str, place))}": row}):
            self._trouble(said)


def _serves(thing: Routed, lacking: Set[Network]) -> bool:
    """Is it better than none? A rule is, as long as anything is lacking that its table may have."""
    return bool(lacking) if isinstance(thing, Rule) else thing.to in lacking


async def _in_order(
    resolved: Iterable[tuple[str, WantedRoute, Routed | None]],
) -> dict[Place, tuple[str, Routed]]:
    """What leaves a peer out before what covers it, and the rules last; of each, for which connection."""
    found = [one async for one in paced(_with_all(resolved), MANY)]
    found.sort(key=lambda one: -_when_removed(one[1]))
    return {thing.place: (name, thing) async for name, thing in paced(found, MANY)}


def _with_all(
    resolved: Iterable[tuple[str, WantedRoute, Routed | None]],
) -> Iterator[tuple[str, Routed]]:
    for name, wanted, route in resolved:
        if route is not None:
            yield from ((name, thing) for thing in (*wanted.beside, route))


def _when_removed(thing: Routed) -> int:
    """Rules go first, and last what leaves a peer out."""
    if isinstance(thing, Rule):
        return 0
    return 1 if thing.link is not None else 2
