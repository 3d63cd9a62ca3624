"""Which peer has which selectors: of several that come from anywhere and ask for the same, a living one keeps them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from ikevd.addresses import Address
from ikevd.errors import InvalidId
from ikevd.findings import Traffic
from ikevd.frozen import frozen
from ikevd.negotiation.standby import Standby
from ikevd.negotiation.time_to_answer import TimeToAnswer
from ikevd.peer import clients
from ikevd.peer.exchange_state import Attempt
from ikevd.peer.state import PeerState
from ikevd.peer.timing import LIVING, TO_ANSWER
from ikevd.policy.marks import Marks
from ikevd.policy.selectors import Selectors
from ikevd.sa.model import IpsecSa
from ikevd.selector_findings import Held, OnePart

NEVER = Attempt(0)
"""No Quick Mode has this number."""
FEW = 1024
"""So many entries are kept without a look at which are out of date."""

_Key = tuple[Selectors, Marks]
"""With other marks the kernel holds the same selectors twice."""


class Holder(Protocol):
    """A peer that may hold selectors."""

    @property
    def state(self) -> PeerState:
        """As its session has it."""

    def marks(self, child: str) -> Marks:
        """Of the policies of a child."""

    async def is_living(self, child: str) -> bool:
        """Was it heard of within `LIVING` seconds?"""

    def doubt(self, why: str) -> bool:
        """Ask it at once whether it lives. False: it cannot be asked."""

    async def give_up(self, child: str, by: str) -> None:
        """Another peer gets them."""


@frozen
class _Claim:
    by: Holder
    child: str
    attempt: Attempt

    def stands(self, selectors: Selectors) -> bool:
        return clients.holds(self.by.state, self.child, selectors, self.attempt)


class HeldSelectors:
    """Shared by all peers of a daemon."""

    def __init__(self, standby: Standby) -> None:
        self.standby = standby
        """Which of two connections carries selectors that both are configured for."""
        self._claims: dict[_Key, _Claim] = {}
        """Some may be out of date: what holds is asked of the holder."""
        self._of_host: dict[Address, dict[_Key, None]] = {}
        """Of those whose remote selector is one host."""
        self._sweep_at = FEW
        self._asking: set[Holder] = set()
        """Peers that wait for another one's answer."""
        self.to_answer = TimeToAnswer()

    async def claim(self, sa: IpsecSa, by: Holder, attempt: Attempt) -> None:
        """The selectors of a pair that `attempt` makes are that peer's from here on, as long as it holds them. Raises
        `InvalidId`: they are another's, or one part of a template too many."""
        key = sa.selectors, by.marks(sa.child)
        asked = Traffic(*map(str, sa.selectors))
        if has := clients.other_part(by.state, attempt, sa):
            raise InvalidId(OnePart(asked, sa.child, str(has)))
        held = former = self._other(key, by, sa)
        while held is not None and await self._gives_up(held, by):
            former, held = held, self._other(key, by, sa)  # or a third peer was faster
            if held is former:
                break
        if held is not None:
            raise InvalidId(Held(asked, clients.where(held.by.state), int(LIVING), sa.suite.transport))
        self._enter(key, _Claim(by, sa.child, attempt))
        self._sweep()

    def restore(self, by: Holder, state: PeerState) -> None:
        """What a peer holds since an earlier process."""
        for name, child in state.children.items():
            for pair in child.pairs:
                self._enter((pair.sa.selectors, by.marks(name)), _Claim(by, name, NEVER))

    def forget(self, by: Holder) -> None:
        """It holds nothing any more."""
        self._keep({key: claim for key, claim in self._claims.items() if claim.by is not by})

    async def _gives_up(self, held: _Claim, by: Holder) -> bool:
        """Does the holder make way? Not one that asks for something itself: it lives, and two that wait for each other
        would wait for ever."""
        if held.by in self._asking:
            return False
        self._asking.add(by)
        try:
            if await self._is_living(held, by) or held.by in self._asking:
                return False
            await held.by.give_up(held.child, clients.where(by.state))
        finally:
            self._asking.discard(by)
        return True

    async def _is_living(self, held: _Claim, by: Holder) -> bool:
        """Where the holder speaks dead peer detection, it is asked in any case: who was heard of lately may have gone
        since, which then shows for the next one who asks; who was not has some time to answer."""
        lately = await held.by.is_living(held.child)
        asked = held.by.doubt(f"a peer at {clients.where(by.state)} asks for the same networks")
        if lately or not asked:
            return lately
        return not await self.to_answer.wait(TO_ANSWER) or await held.by.is_living(held.child)

    def _other(self, key: _Key, by: Holder, sa: IpsecSa) -> _Claim | None:
        for one in self._meeting(key) if sa.suite.transport else (key,):
            claim = self._claims.get(one)
            if claim is not None and claim.by is not by and claim.stands(one[0]):
                return claim
        return None

    def _meeting(self, key: _Key) -> Iterator[_Key]:
        """Of transport mode: what a packet to or from that host may fit, too, as another port of it."""
        (ours, theirs), marks = key
        for other in tuple(self._of_host.get(theirs.first, ())):
            (local, remote), others = other
            if others == marks and local.meet(ours) is not None and remote.meet(theirs) is not None:
                yield other

    def _enter(self, key: _Key, claim: _Claim) -> None:
        self._claims[key] = claim
        if (host := _host(key)) is not None:
            self._of_host.setdefault(host, {})[key] = None

    def _keep(self, claims: dict[_Key, _Claim]) -> None:
        self._claims, self._of_host = {}, {}
        for key, claim in claims.items():
            self._enter(key, claim)

    def _sweep(self) -> None:
        if len(self._claims) > self._sweep_at:
            self._keep({key: claim for key, claim in self._claims.items() if claim.stands(key[0])})
            self._sweep_at = 2 * len(self._claims) + FEW


def _host(key: _Key) -> Address | None:
    remote = key[0][1]
    return remote.first if remote.first == remote.last else None
