"""A backup peer: which of two connections carries the selectors that children of both have (`backup_of`).

Both may be up. The kernel holds one policy for a selector, so that of the better one that lives stands, and the other
one's SAs stand by. The one that holds turns the policy of the other into its own by one request: at no moment a
selector is without one. While none lives, the gate of the first stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ikevd.frozen import frozen
from ikevd.host.policies import Direction
from ikevd.negotiation.in_kernel import InKernel
from ikevd.peer.child_state import ChildState
from ikevd.peer.state import PeerState
from ikevd.policy.connection import Connection


class Standing(Protocol):
    """The session of a connection that has one peer."""

    @property
    def state(self) -> PeerState:
        """Of the peer."""

    def bring_again(self, child: str) -> None:
        """Bring the kernel to what the child desires now."""


@frozen
class Place:
    """A child of a connection."""

    connection: str
    child: str


@dataclass(slots=True)
class _Couple:
    first: Place
    backup: Place
    reqids: Mapping[Place, int]
    gives_back: bool
    """Does the first carry as soon as it lives again?"""
    holder: Place

    def other(self, place: Place) -> Place:
        return self.backup if place == self.first else self.first

    def best(self, lives: Callable[[Place], bool]) -> Place:
        first, backup = lives(self.first), lives(self.backup)
        if backup and (not first or (self.holder == self.backup and not self.gives_back)):
            return self.backup
        return self.first


class Standby:
    """Shared by all sessions of a daemon."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._couples: dict[Place, _Couple] = {}
        self._sessions: dict[str, Standing] = {}
        self._settled = True

    def know(self, connections: Sequence[Connection]) -> list[Place]:
        """The file has these. Gives the children whose couple is not what it was."""
        before = self._couples
        self._couples = {place: couple for couple in _couples(connections) for place in (couple.first, couple.backup)}
        for place, couple in self._couples.items():
            if place in before and before[place].holder in (couple.first, couple.backup):
                couple.holder = before[place].holder
        places = {**before, **self._couples}
        return [place for place in places if before.get(place) != self._couples.get(place)]

    def enter(self, connection: str, session: Standing) -> None:
        """The session of a connection."""
        self._sessions[connection] = session

    def leave(self, connection: str) -> None:
        """It has none any more."""
        self._sessions.pop(connection, None)

    def yields(self, connection: str, child: str) -> bool:
        """Are the policies of that child the other one's?"""
        return self.holder(connection, child) is not None

    def holder(self, connection: str, child: str) -> Place | None:
        """Who carries what that child is for, where it is another one."""
        couple = self._couples.get(Place(connection, child)) if self._couples else None
        return couple.holder if couple is not None and couple.holder != Place(connection, child) else None

    def former(self, connection: str, child: str) -> int | None:
        """The reqid under which the policies of that child may stand, since the other one had them."""
        couple = self._couples.get(place := Place(connection, child)) if self._couples else None
        return couple.reqids[couple.other(place)] if couple is not None else None

    def learnt(self, connection: str, state: PeerState) -> None:
        """The state of a session is another one: the better one that lives carries from here on."""
        if self._couples and self._settled:
            for child in state.children:
                if couple := self._couples.get(Place(connection, child)):
                    self._judge(couple)

    def put(self, connection: str, child: str) -> None:
        """Its policies were put. Where another one holds them meanwhile, that puts its own again."""
        if (holder := self.holder(connection, child)) and (session := self._sessions.get(holder.connection)):
            session.bring_again(holder.child)

    def found(self, in_kernel: InKernel) -> None:
        """An earlier process left this: who held goes on to hold, until `settle`."""
        self._settled = False
        for couple in self._couples.values():
            reqid = couple.reqids[couple.backup]
            if any(found.id.direction is Direction.OUT for found in in_kernel.policies.get(reqid, ())):
                couple.holder = couple.backup

    def settle(self) -> None:
        """All sessions are what they were in the earlier process."""
        self._settled = True
        for couple in self._couples.values():
            self._judge(couple)

    def _judge(self, couple: _Couple) -> None:
        best = couple.best(self._lives)
        if best == couple.holder:
            return
        former, couple.holder = couple.holder, best
        why = "lives" if best == couple.first else f"stands in for {former.connection}, whose tunnel is down"
        if best == couple.backup or self._lives(best):
            self._tell(f"{best.connection}: carries what is for {best.child} from here on: it {why}")
        for place in (best, former):  # the one that holds turns the policies before the other forgets them
            if session := self._sessions.get(place.connection):
                session.bring_again(place.child)

    def _lives(self, place: Place) -> bool:
        session = self._sessions.get(place.connection)
        return session is not None and session.state.children.get(place.child, ChildState()).carries


def _couples(connections: Iterable[Connection]) -> Iterator[_Couple]:
    """The children of a backup that have the selectors of one of the first's."""
    known = {connection.name: connection for connection in connections}
    for backup in known.values():
        first = known.get(backup.backup_of or "")
        if first is None:
            continue
        own = {(child.local, child.remote, child.marks): child for child in first.children if not child.routed}
        for child in [each for each in backup.children if not each.routed]:  # of others routing tells who carries
            if (theirs := own.get((child.local, child.remote, child.marks))) is not None:
                places = Place(first.name, theirs.name), Place(backup.name, child.name)
                reqids = {places[0]: theirs.reqid, places[1]: child.reqid}
                yield _Couple(*places, reqids, backup.give_back, places[0])
