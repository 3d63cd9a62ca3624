"""The kernel as one session sees it: what its children desire, and what of that does not stand yet."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import field
from types import MappingProxyType
from typing import final

from ikevd.errors import IkeError, KeysWithheld, NotMoved, PolicyTaken, Said
from ikevd.exchanges.link import ReserveSpi
from ikevd.frozen import frozen
from ikevd.host.policies import Direction, KernelPolicy, PolicyId
from ikevd.host.sas import SaId, UdpPorts
from ikevd.negotiation import backstop
from ikevd.negotiation.agenda import Agenda
from ikevd.negotiation.apply import Believed, LetGo, closed, shut
from ikevd.negotiation.backstop import AGAIN, is_limited, sas_of
from ikevd.negotiation.contest import PUT_BACK, WITHIN, Contest
from ikevd.negotiation.in_kernel import InKernel
from ikevd.negotiation.ports import Ports
from ikevd.negotiation.standby import Standby
from ikevd.observe.words import say_error
from ikevd.peer import exchange_facts, facts, kernel_facts, rekey
from ikevd.peer.child_state import ChildState, PairState
from ikevd.peer.desired import ChildView, View, is_desired_alike
from ikevd.peer.exchange_state import Attempt
from ikevd.peer.path_facts import Unmovable
from ikevd.peer.state import PeerState
from ikevd.peer.volume_facts import SoftExpired
from ikevd.policy.connection import Connection
from ikevd.sa.model import EspKeys
from ikevd.wire.registry import Protocol

NO_KEYS: Mapping[SaId, EspKeys] = MappingProxyType({})
FIRST_PAUSE, LAST_PAUSE = 1.0, 60.0
"""Seconds until the kernel is asked again for what it refused; each pause is twice the one before."""
FEW_POLICIES = 8
"""Of one child, whose last packets are asked for: selectors that are ranges make many."""


@final
@frozen
class Again:
    """The kernel does not hold what a child desires: the difference is tried once more."""

    child: str
    pause: float = field(default=FIRST_PAUSE, compare=False)
    lifts: bool = False
    """Its SAs get the far backstop back besides."""


@frozen
class _Own:
    """Of all that was found under the reqid of a child what its record names, or what was believed to stand: another
    ikevd may have a child of the same name, and so of the same reqid."""

    sas: Mapping[SaId, UdpPorts | None]
    policies: Sequence[KernelPolicy]
    pairs: Sequence[PairState]
    """Of the record."""


class KernelSide:
    """Brings the kernel to what the state of a session desires."""

    def __init__(self, connection: Connection, ports: Ports, agenda: Agenda[object], standby: Standby) -> None:
        """`agenda` tells the session when a difference is to be tried again, with an `Again`."""
        self._name = connection.name
        self._ends = (connection.local, connection.remote)
        self._children = {child.name: child for child in connection.children}
        self._views = {child.name: ChildView(connection, child) for child in connection.children}
        self._ports = ports
        self._agenda = agenda
        self._standby = standby
        self._contest = Contest(ports.now)
        self.believed = Believed(ports.kernel)

    def reload(
        self,
        connection: Connection,
        ended: Collection[str] = (),
        turned: Mapping[PolicyId, KernelPolicy] = MappingProxyType({}),
    ) -> tuple[list[str], list[LetGo]]:
        """The connection has other children, perhaps. Gives those that are not what they were, and what stands of those
        that are gone or `ended`, which is removed elsewhere; of the policies that are `turned` those with our selectors
        are ours."""
        former, views, ends = self._children, self._views, self._ends
        self._ends = (connection.local, connection.remote)
        self._children = {child.name: child for child in connection.children}
        going = [name for name in former if name not in self._children or name in ended]
        let_go = [self.believed.let_go(name) for name in going]
        moved = ends != self._ends
        changed = [name for name, child in self._children.items() if moved or former.get(name) != child]
        fresh = {name: ChildView(connection, self._children[name]) for name in changed}
        self._views = {name: fresh.get(name) or views[name] for name in self._children}
        for name in self._children:
            mine = self._views[name].policies(ChildState()) if turned else {}
            if policies := [turned[policy] for policy in mine if policy in turned]:
                self.believed.inherit(name, policies)
        return changed, let_go

    def desired(self, state: PeerState, child: str) -> View:
        """By one child."""
        sas = self._views[child].sas(state.children.get(child, ChildState()))
        return View(sas, self.policies(state, child), others=self._standby.yields(self._name, child))

    def policies(self, state: PeerState, child: str) -> Mapping[PolicyId, KernelPolicy]:
        """Of that, the policies: all closed while somebody fights them, none while another child has them."""
        if self._standby.yields(self._name, child):
            return {}
        policies = self._views[child].policies(state.children.get(child, ChildState()))
        return policies if self._contest.blocked_until(child) is None else shut(policies)

    def is_wanting(self, state: PeerState, child: str) -> bool:
        """Does something that the child desires not stand, or stand that it does not desire?"""
        unplaced = child in state.children and state.children[child].unplaced
        return bool(unplaced) or self.believed.differs(child, self.desired(state, child))

    def differences(self, before: PeerState, state: PeerState) -> dict[str, View]:
        """What the children that have changed desire, where the kernel is believed to hold something else."""
        if before.children is state.children:
            return {}
        views = {}
        for name, child in _in_order(before, state):
            if name in self._views and not is_desired_alike(before.children.get(name), child):
                desired = self.desired(state, name)
                if self.believed.differs(name, desired):
                    views[name] = desired
        return views

    def unused(self, before: PeerState, state: PeerState) -> list[SaId]:
        """The SPIs of Quick Modes that have ended and that no SA has come of."""
        if before.quick_modes is state.quick_modes:
            return []
        ended = before.quick_modes.keys() - state.quick_modes.keys()
        return self.believed.unused(ended) if ended else []

    async def reserve_spi(self, attempt: Attempt, child: str, call: ReserveSpi) -> facts.Fact:
        """An inbound SPI for a Quick Mode."""
        try:
            return exchange_facts.Reserved(attempt, child, await self.believed.reserve_spi(attempt, call))
        except IkeError as refusal:
            return kernel_facts.KernelRefused(attempt, refusal, child)

    async def bring(self, views: Mapping[str, View], keys: Mapping[SaId, EspKeys]) -> dict[str, IkeError]:
        """The kernel to these; why one of them cannot stand, by child."""
        refusals = {}
        for name, desired in views.items():
            if refusal := await self._bring(name, desired, keys, FIRST_PAUSE):
                refusals[name] = refusal
        return refusals

    async def bring_again(self, state: PeerState, again: Again) -> list[facts.Fact]:
        """The kernel to what a child desires now."""
        if again.child not in self._views:  # it is gone from the configuration
            return []
        if again.lifts:
            await self._lift(state, again)
        name, desired, refusal = again.child, self.desired(state, again.child), None
        if self.believed.differs(name, desired):
            refusal = await self._bring(name, desired, NO_KEYS, again.pause)
        found = self.placed(state, {name: desired}, {name: refusal} if refusal else {})
        if refusal is not None and not isinstance(refusal, PolicyTaken):
            self.report([refusal])
        return found

    async def _bring(self, name: str, desired: View, keys: Mapping[SaId, EspKeys], pause: float) -> IkeError | None:
        former = self._standby.former(self._name, name)
        brought = await self.believed.bring(name, desired, keys, former)
        self.report(brought.left)
        if not desired.others:
            self._standby.put(self._name, name)
        if brought.refusal and self.believed.ajar(name, desired) and (none_out := closed(desired)) != desired:
            await self.believed.bring(name, none_out, NO_KEYS, former)
        if self.believed.differs(name, desired):
            self._agenda.set(Again(name, min(2 * pause, LAST_PAUSE)), self._ports.now() + pause)
        else:
            self._agenda.set(Again(name), self._contest.blocked_until(name))
        return brought.refusal

    async def idle(self, state: PeerState, child: str) -> float | None:
        """Seconds since a packet met an inbound policy of the child; None where none did since they were installed.
        Raises `KernelRefused`."""
        policies = self.policies(state, child)
        arriving = [policy for policy in policies if policy.direction is not Direction.OUT]
        idle = [await self._ports.kernel.idle_seconds(policy) for policy in arriving[:FEW_POLICIES]]
        return min((since for since in idle if since is not None), default=None)

    def placed(self, state: PeerState, views: Iterable[str], refusals: Mapping[str, IkeError]) -> list[facts.Fact]:
        """What the state does not know yet of children that were brought to what they desire: whose policies stand,
        and whose do not since another owner's are there. The latter is said once."""
        found: list[facts.Fact] = []
        for name in views:
            before, refusal = state.children.get(name, ChildState()).unplaced, refusals.get(name)
            if isinstance(refusal, PolicyTaken):
                if refusal.finding != before:
                    self.report([refusal])
                    found.append(kernel_facts.Unplaced(name, refusal.finding))
            elif isinstance(refusal, NotMoved):
                stuck = self.believed.elsewhere(name, self.desired(state, name))
                found += [Unmovable(name, sa.spi, refusal.finding) for sa in stuck]
            elif before and not refusal and self._contest.blocked_until(name) is None:
                found.append(kernel_facts.Placed(name))
        return found

    def report(self, refusals: Iterable[IkeError]) -> None:
        """Of what no exchange can tell."""
        for refusal in refusals:
            self._ports.counters.count(f"kernel: {type(refusal).__name__}")
            self._ports.trouble(f"{self._name}: {say_error(refusal)}")

    def inherit(self, state: PeerState, turned: Mapping[PolicyId, KernelPolicy]) -> None:
        """These stand since an earlier process where one of ours shall, perhaps one of these children's."""
        for name in self._children:
            if policies := [turned[policy] for policy in self.policies(state, name) if policy in turned]:
                self.believed.inherit(name, policies)

    def take_over(
        self, state: PeerState, found: InKernel, opening: Set[Attempt | None], later: float = 0.0
    ) -> list[facts.Fact]:
        """After a restart. Gives the pairs that are not whole any more: what the kernel has lost is never installed
        again under its keys. `opening`: Quick Modes that ask for their inbound SA. Only as long as its SPI is reserved
        it never stood: else it may have been removed since. `later`: seconds until the limits of a hand-over go."""
        lost: list[facts.Fact] = []
        for attempt, mode in state.quick_modes.items():
            isakmp = state.isakmp.get(mode.under)
            for spi in (mode.spi, mode.cpi):
                if spi is not None and isakmp is not None:
                    self.believed.was_reserved(attempt, SaId(isakmp.path.local.address, spi))
        for name, child in self._children.items():
            own = self._own(state, name, found)
            larval = {sa.id for sa in found.sas.get(child.reqid, ()) if sa.larval} if opening else ()
            reserved = {pair.attempt for pair in own.pairs if SaId(pair.sa.local, pair.sa.inbound) in larval}
            lost += [*self._learn(name, own, opening & reserved), *self._nearly_used_up(name, own, found)]
            if is_limited(own.pairs, found.sas.get(child.reqid, ())):
                self._agenda.set(Again(name, lifts=True), self._ports.now() + later)
        return lost

    def _own(self, state: PeerState, name: str, found: InKernel) -> _Own:
        """What was found of a child. A policy that is as it shall be is the desired one itself: none is kept twice."""
        sas, policies = found.of(self._children[name].reqid)
        held_sas, held_policies = self.believed.held(name)
        known = state.children.get(name, ChildState())
        pairs, lenders = known.pairs, {pair.sa.reqid for pair in known.borrowed}
        policies += [policy for lender in lenders for policy in found.of(lender)[1]]
        named = held_sas | {sa for pair in pairs for sa in sas_of(pair)}
        shall = self.policies(state, name)
        own = {sa: ports for sa, ports in sas.items() if sa in named}
        alike = ((policy, shall.get(policy.id)) for policy in policies)
        kept = [one if one == policy else policy for policy, one in alike if one or policy.id in held_policies]
        return _Own(own, kept, pairs)

    def _learn(self, name: str, own: _Own, coming: Set[Attempt | None] = frozenset()) -> list[facts.Fact]:
        """From here on this is what is believed; the pairs that are not whole."""
        self.believed.found(name, own.sas, own.policies)
        lost = (pair for pair in own.pairs if pair.attempt not in coming and not _is_whole(pair, own.sas))
        return [kernel_facts.Vanished(name, pair.sa.inbound) for pair in lost]

    def _nearly_used_up(self, name: str, own: _Own, found: InKernel) -> Iterator[facts.Fact]:
        """The SAs whose soft limit of volume was reached: the kernel tells it once, and nobody may have listened."""
        softs = ((pair, rekey.soft_kilobytes(pair.sa)) for pair in own.pairs)
        limits = {sa: soft * 1024 for pair, soft in softs if soft is not None for sa in sas_of(pair)}
        for sa in found.sas.get(self._children[name].reqid, ()) if limits else ():
            if sa.id in limits and sa.id.spi.protocol != Protocol.IPCOMP and sa.counters.octets >= limits[sa.id]:
                yield SoftExpired(name, sa.id.spi)

    def look(self, state: PeerState, name: str, found: InKernel) -> list[facts.Fact | Again] | None:
        """What somebody else has changed of a child. None: we change it ourselves just now, so that these dumps, which
        were begun after `believed.about_to_look`, say nothing of it."""
        if self.believed.moved(name):
            return None
        own = self._own(state, name, found)
        untouched = self.believed.has_policies(name, own.policies)
        news: list[facts.Fact | Again] = [*self._learn(name, own), *self._nearly_used_up(name, own, found)]
        if not untouched and self._contest.changed(name):
            news.append(self._fought(name))
        return [*news, Again(name)] if self.is_wanting(state, name) or not untouched else news

    def _fought(self, name: str) -> facts.Fact:
        child = self._children[name]
        text = (
            f"{name}: somebody removed or changed its policies (reqid {child.reqid:#x}) more than {PUT_BACK} times in "
            f"{WITHIN:g} s: it is blocked until they are over (`ip xfrm monitor policy` shows who may be doing it)"
        )
        self._ports.trouble(f"{self._name}: {text}")
        return kernel_facts.Unplaced(name, Said(text))

    def concerned(self, state: PeerState, names: Set[PolicyId]) -> bool:
        """May a change of one of these policies be of any matter to a child?"""
        return self.believed.concerned(names) or any(child.unplaced for child in state.children.values())

    async def _lift(self, state: PeerState, its: Again) -> None:
        refusals = await backstop.lift(self._ports.kernel, state.children.get(its.child, ChildState()).standing)
        self.report(refusals)
        if any(not isinstance(refusal, KeysWithheld) for refusal in refusals):
            self._agenda.set(its, self._ports.now() + AGAIN)

    async def hand_over(self, state: PeerState) -> None:
        """Let no SA outlive its time unattended: each gets what is left of its life as the kernel's own limit."""
        self.report(await backstop.hand_over(self._ports.kernel, state, self._ports.now()))


def _in_order(before: PeerState, state: PeerState) -> Iterable[tuple[str, ChildState]]:
    """The children as they are; those that borrow another pair from here on come last, since its SAs stand first, and
    those that no longer do come first."""
    if not (before.lenders or state.lenders):
        return state.children.items()
    former = {name: len(child.borrowed) for name, child in before.children.items()}
    return sorted(state.children.items(), key=lambda item: len(item[1].borrowed) - former.get(item[0], 0))


def _is_whole(pair: PairState, present: Collection[SaId]) -> bool:
    return all(sa in present for sa in sas_of(pair))
