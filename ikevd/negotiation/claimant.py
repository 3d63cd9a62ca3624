"""One peer among those that may ask for the same: does it live, may it have what it asks for, does it make way?"""

from __future__ import annotations

from typing import Protocol

from ikevd.errors import IkeError
from ikevd.frozen import replace
from ikevd.negotiation import former
from ikevd.negotiation.arrivals import Arrivals
from ikevd.negotiation.former import Former
from ikevd.negotiation.held import HeldSelectors
from ikevd.negotiation.ports import Ports
from ikevd.peer import clients, contact, exchange_facts, facts, kernel_facts, liveness
from ikevd.peer.child_state import ChildState
from ikevd.peer.state import PeerState
from ikevd.peer.timing import LIVING
from ikevd.policy.marks import NO_MARKS, Marks


class Owner(former.Owner, Protocol):
    """The session of the peer."""

    def post(self, *happenings: facts.Fact) -> None:
        """Learn these."""

    async def settled(self) -> None:
        """Wait until all that was posted is learnt."""


class Claimant:
    """Stands for its session in `HeldSelectors`."""

    __slots__ = ("_arrivals", "_former", "_held", "_now", "_owner")

    def __init__(self, owner: Owner, arrivals: Arrivals, held: HeldSelectors, ports: Ports) -> None:
        self._owner = owner
        self._arrivals = arrivals
        self._held = held
        self._former = Former(owner, arrivals, held.to_answer, ports)
        self._now = ports.now

    @property
    def state(self) -> PeerState:
        """Of the peer."""
        return self._owner.state

    def marks(self, child: str) -> Marks:
        """Of the policies of a child."""
        return next((each.marks for each in self._owner.connection.children if each.name == child), NO_MARKS)

    async def is_living(self, child: str) -> bool:
        """Was the peer heard of lately, by IKE or ESP?"""
        pairs = self.state.children.get(child, ChildState()).standing
        return clients.spoke(self.state, self._now()) or await self._arrivals.within(LIVING, self.state, pairs)

    def doubt(self, why: str) -> bool:
        """Another peer may be what this one has become: does it still live? False: it cannot be asked."""
        self._owner.post(facts.Doubted(why))
        return liveness.can_ask(self.state, self._now())

    async def give_up(self, child: str, by: str) -> None:
        """Another peer gets its selectors."""
        self._owner.post(facts.Displaced(child, by))
        await self._owner.settled()

    async def claim(self, opening: exchange_facts.Opening) -> exchange_facts.Opening | kernel_facts.KernelRefused:
        """The same fact, or why the pair may not be: its selectors are another peer's, or its own from elsewhere."""
        try:
            await self._former.check(opening)
            await self._held.claim(opening.sa, self, opening.attempt)
        except IkeError as refusal:
            return kernel_facts.KernelRefused(opening.attempt, refusal, opening.sa.child)
        return opening

    async def with_former(self, bearing: contact.Bearing) -> contact.Bearing:
        """The peer begins anew: the same fact, and whether its former self lives; it does for all that is known where
        the kernel does not tell."""
        try:
            lives = await self._former.lives(bearing)
        except IkeError:
            lives = True
        return replace(bearing, former_lives=lives)
