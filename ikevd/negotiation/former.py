"""Does the former self of a peer that comes anew still live? Asked where `unique: keep` wants to know.

What is silent for long does not. Who was heard of lately is asked, where it can be, while all else of the session
waits: it may have gone since.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Protocol

from ikevd.frozen import frozen, replace
from ikevd.negotiation.arrivals import Arrivals
from ikevd.negotiation.ports import Ports
from ikevd.negotiation.time_to_answer import TimeToAnswer
from ikevd.peer import clients, contact, liveness, rivals
from ikevd.peer.child_state import PairState
from ikevd.peer.decide import decide
from ikevd.peer.exchange_facts import Opening
from ikevd.peer.facts import Doubted, Fact
from ikevd.peer.message_facts import Heard, HeardDpd
from ikevd.peer.moves import place
from ikevd.peer.state import PeerState
from ikevd.peer.timing import LIVING, REMEMBERED, TO_ANSWER
from ikevd.peer.volume_facts import Carried
from ikevd.policy.connection import Connection, Unique
from ikevd.sa.model import Cookies

QUESTIONS = 4
"""Within `TO_ANSWER` seconds: messages may be lost."""


class Owner(Protocol):
    """The session of the peer, which handles what it asks about."""

    connection: Connection
    state: PeerState

    @property
    def waiting(self) -> Iterable[object]:
        """What has come since, oldest first."""

    async def learn(self, fact: Fact) -> None:
        """Now, before what waits."""


@frozen
class _Asked:
    """The last question, and whether it was answered."""

    at: float
    formers: frozenset[Cookies]
    answered: bool


class Former:
    """Of one peer."""

    __slots__ = ("_arrivals", "_asked", "_now", "_owner", "_salt", "_to_answer")

    def __init__(self, owner: Owner, arrivals: Arrivals, to_answer: TimeToAnswer, ports: Ports) -> None:
        self._owner = owner
        self._arrivals = arrivals
        self._to_answer = to_answer
        self._now = ports.now
        self._salt = ports.salt
        self._asked: _Asked | None = None

    async def lives(self, bearing: contact.Bearing) -> bool:
        """Was it heard of within `LIVING` seconds, by IKE or ESP, besides what bears INITIAL-CONTACT, and does it
        answer now?"""
        bearer, state = contact.bearer_of(bearing), self._owner.state
        older = (*contact.older(state, bearing),)
        if not contact.spoke(state, bearing, self._now()) and not await self._arrivals.within(LIVING, state, older):
            return False
        return await self._answers([under for under in state.isakmp if under != bearer], older)

    async def check(self, opening: Opening) -> None:
        """What the peer holds from elsewhere stays its own while that lives; raises `InvalidId`."""
        state, sa = self._owner.state, opening.sa
        elsewhere = clients.elsewhere(state, opening.attempt, sa)
        if self._owner.connection.unique is not Unique.KEEP or not elsewhere:
            return
        if not clients.spoke_elsewhere(state, sa, self._now()) and not await self._arrivals.within(
            LIVING, state, elsewhere
        ):
            return
        known = state.isakmp.items()
        formers = [under for under, one in known if not rivals.same(one.path.remote, place(sa))]
        if await self._answers(formers, elsewhere):
            raise clients.kept(self._owner.state, sa)

    async def _answers(self, formers: Collection[Cookies], pairs: Collection[PairState]) -> bool:
        """Under its ISAKMP SAs or by a packet through its pairs, now or a moment ago: however many come anew, it is
        asked once within `REMEMBERED` seconds. Who cannot be asked counts as living."""
        own = {under: self._owner.state.isakmp[under] for under in formers}
        if not liveness.can_ask(replace(self._owner.state, isakmp=own), self._now()):
            return True
        known, now = self._asked, self._now()
        if known is None or now >= known.at + REMEMBERED or not (known.answered or known.formers.issuperset(formers)):
            self._asked = _Asked(now, frozenset(formers), await self._ask(formers, pairs))
            return self._asked.answered
        heard = any(found.heard > known.at for found in own.values())
        return known.answered or heard or await self._arrivals.within(now - known.at, self._owner.state, pairs)

    async def _ask(self, formers: Collection[Cookies], pairs: Collection[PairState]) -> bool:
        await self._owner.learn(Doubted("it comes anew from another place, or another peer shows its identity"))
        for _ in range(QUESTIONS):
            if not await self._to_answer.wait(TO_ANSWER / QUESTIONS) or self._has_answered(formers):
                return True
            for under in formers:
                await self._owner.learn(Carried(under, None))  # it is asked again
        return await self._arrivals.within(TO_ANSWER / 2, self._owner.state, pairs)

    def _has_answered(self, formers: Collection[Cookies]) -> bool:
        """Is there a sign of life in what waits? `decide` is pure: what would be learnt is looked at, not kept."""
        connection, state, now = self._owner.connection, self._owner.state, self._now()
        said = [one for one in self._owner.waiting if isinstance(one, Heard | HeardDpd) and one.under in formers]
        learnt = ((one.under, decide(connection, state, one, now, self._salt)[0].isakmp) for one in said)
        return any(under in after and after[under].heard > state.isakmp[under].heard for under, after in learnt)
