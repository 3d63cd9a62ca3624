"""The kernel is a view of a peer's state: this brings it from what it is believed to hold to what is desired.

Install, rollback, removal and take-over are that one difference. It is carried out in one order, so that no packet of
a child leaves in the clear in between: blocks, SAs, the policies that need them, then what is no longer desired.
"""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Iterable, Mapping, Set
from dataclasses import dataclass, field

from ikevd.errors import IkeError, KernelRefused, KeysWithheld, NotMoved
from ikevd.exchanges.link import ReserveSpi
from ikevd.frozen import frozen, replace
from ikevd.host.interface import Kernel
from ikevd.host.policies import Action, Direction, KernelPolicy, PolicyId
from ikevd.host.sas import KernelSa, SaId, UdpPorts
from ikevd.negotiation.reports import surely_done
from ikevd.peer.desired import NOTHING, View
from ikevd.peer.exchange_state import Attempt
from ikevd.sa.model import EspKeys, Spi

UNKNOWN_OUTCOME = (errno.ETIMEDOUT, errno.ENOBUFS, errno.ECANCELED)
"""The answer was lost: what was asked for may stand."""
ORDER = {Direction.IN: 0, Direction.FWD: 1, Direction.OUT: 2}
TUNNEL = Action.TUNNEL


@dataclass(slots=True)
class _Held:
    """Of one child."""

    sas: dict[SaId, UdpPorts | None] = field(default_factory=dict)
    """Oldest first, each with its ports where it is one of ESP in UDP."""
    policies: dict[PolicyId, KernelPolicy] = field(default_factory=dict)
    former: int | None = None
    """A reqid under which its policies may stand, too: that of a child with the same selectors."""
    doubtful: set[PolicyId] = field(default_factory=set)
    """Of these the kernel's answer was lost, or somebody has changed them."""


@frozen
class Brought:
    """What the kernel did not do."""

    refusal: IkeError | None
    """Why something does not stand that is desired."""
    left: tuple[IkeError, ...]
    """Why something stands that is not: the next difference tries again."""


@frozen
class LetGo:
    """What stands of a child that ends."""

    sas: tuple[SaId, ...] = ()
    policies: tuple[KernelPolicy, ...] = ()


class Believed:
    """What the kernel holds of one peer, as far as is known."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._held: dict[str, _Held] = {}
        self._reserved: dict[Attempt, tuple[SaId, ...]] = {}
        """Inbound SPIs that the kernel gave out to a Quick Mode under way, that of IPComp among them."""
        self._at_work: str | None = None
        """The child whose difference is being carried out."""
        self._moved: set[str] = set()
        """Children that a dump taken since `about_to_look` may show half-way."""

    async def reserve_spi(self, attempt: Attempt, call: ReserveSpi) -> Spi:
        """An inbound SPI, which the kernel forgets after 30 s. Raises `KernelRefused`."""
        spi = await self._kernel.reserve_spi(call.remote, call.local, call.reqid, call.protocol)
        self.was_reserved(attempt, SaId(call.local, spi))
        return spi

    def unused(self, attempts: Iterable[Attempt]) -> list[SaId]:
        """Of the SPIs of Quick Modes that have ended: those that no SA has come of, and which `free` gives back."""
        names = [name for attempt in attempts for name in self._reserved.pop(attempt, ())]
        if not self._reserved:
            self._reserved.clear()  # a dict that was emptied is three times as large as an empty one
        return [name for name in names if not any(name in held.sas for held in self._held.values())]

    async def free(self, name: SaId) -> list[IkeError]:
        """Give an SPI back. What the kernel refused."""
        refusals: list[IkeError] = []
        await tried(self._kernel.delete_sa(name), refusals)
        return refusals

    async def bring(
        self, child: str, desired: View, keys: Mapping[SaId, EspKeys], former: int | None = None
    ) -> Brought:
        """The difference of one child. `keys`: of the SAs that are new; without its keys none can be installed.
        `former`: a reqid under which its policies may stand, too."""
        self._at_work = child
        self._moved.add(child)
        try:
            return await self._bring(child, desired, keys, former)
        finally:  # after a bug, too: what a dump shows then is believed
            self._at_work = None

    async def _bring(self, child: str, desired: View, keys: Mapping[SaId, EspKeys], former: int | None) -> Brought:
        held, left = self._held_of(child), list[IkeError]()
        held.former = former
        if desired.others:  # which are another child's to turn or to remove
            held.policies.clear()
            held.doubtful.clear()
        refusal: IkeError | None = None
        gone = _gone_elsewhere(held, desired, keys)  # where something is refused before they move, `_remove` ends them
        try:
            await self._install(held, desired, keys, gone)
        except KernelRefused as error:
            refusal = error if gone.keys() <= held.sas.keys() else NotMoved(str(error), error.errno)
        except IkeError as error:
            refusal = error
        await self._remove(held, desired, left)
        if not held.sas and not held.policies:
            del self._held[child]
        return Brought(refusal, tuple(left))

    def doubt(self, child: str) -> None:
        """Another child with the same selectors may have changed its policies."""
        if held := self._held.get(child):
            held.doubtful.update(held.policies)

    def about_to_look(self) -> None:
        """A dump begins."""
        self._moved = set() if self._at_work is None else {self._at_work}

    def moved(self, child: str) -> bool:
        """Was it changed since the dump began? Then that says nothing of it."""
        return child in self._moved

    def concerned(self, names: Set[PolicyId]) -> bool:
        """Is one of these policies held?"""
        return any(not names.isdisjoint(held.policies) for held in self._held.values())

    def has_policies(self, child: str, policies: Iterable[KernelPolicy]) -> bool:
        """Are these all that is held, and none is doubtful?"""
        held = self._held.get(child) or _Held()
        return held.policies == {policy.id: policy for policy in policies} and not held.doubtful

    def ajar(self, child: str, desired: View) -> bool:
        """May traffic of it leave in the clear, since a policy is missing that shall lead or block it?"""
        held = self._held.get(child) or _Held()
        out = {name for name in desired.policies if name.direction is Direction.OUT}
        return not out <= held.policies.keys() - held.doubtful

    def held(self, child: str) -> tuple[Set[SaId], Set[PolicyId]]:
        """What is believed to stand of a child."""
        held = self._held.get(child) or _Held()
        return held.sas.keys(), held.policies.keys()

    def inherit(self, child: str, policies: Iterable[KernelPolicy]) -> None:
        """These stand where policies of the child shall, under reqids that ikevd has no use for any more."""
        held = self._held_of(child)
        held.policies.update((policy.id, policy) for policy in policies)

    def found(self, child: str, sas: Mapping[SaId, UdpPorts | None], policies: Iterable[KernelPolicy]) -> None:
        """The kernel holds these, says a dump."""
        held = self._held_of(child)
        held.sas = dict(sas)
        held.policies = {policy.id: policy for policy in policies}
        held.doubtful.clear()

    def let_go(self, child: str) -> LetGo:
        """What stands of a child, which is somebody else's to remove from here on."""
        self._moved.add(child)
        held = self._held.pop(child, None) or _Held()
        return LetGo(tuple(held.sas), tuple(held.policies.values()))

    def was_reserved(self, attempt: Attempt, name: SaId) -> None:
        """An SPI is there for a Quick Mode that goes on: an earlier process may have got it."""
        self._reserved[attempt] = (*self._reserved.get(attempt, ()), name)

    def gone(self, child: str, sa: SaId) -> None:
        """The kernel has ended or lost an SA."""
        if held := self._held.get(child):
            held.sas.pop(sa, None)

    async def clear(self) -> None:
        """Remove all that still stands, as after a bug. What the kernel refuses is for the next start, and so is what
        another bug leaves."""
        for child in tuple(self._held):
            await surely_done(self.bring(child, NOTHING, {}))

    def differs(self, child: str, desired: View) -> bool:
        """Is there anything to do?"""
        held = self._held.get(child)
        if held is None:
            return bool(desired.sas or desired.policies)
        if held.sas.keys() != desired.sas.keys() or held.policies != desired.policies or held.doubtful:
            return True
        return any(held.sas[name] != sa.encap for name, sa in desired.sas.items())

    def elsewhere(self, child: str, desired: View) -> list[SaId]:
        """The SAs that are not where they shall be."""
        held = self._held.get(child) or _Held()
        return [name for name, sa in desired.sas.items() if name not in held.sas or held.sas[name] != sa.encap]

    def _held_of(self, child: str) -> _Held:
        held = self._held.get(child)
        if held is None:
            held = self._held[child] = _Held()
        return held

    async def _install(
        self, held: _Held, desired: View, keys: Mapping[SaId, EspKeys], gone: Mapping[SaId, SaId]
    ) -> None:
        policies, doubtful = desired.policies.items(), held.doubtful
        wanting = [policy for name, policy in policies if held.policies.get(name) != policy or name in doubtful]
        for policy in wanting:
            if policy.action is not TUNNEL:
                await self._put(held, policy)
        if gone:
            await self._move(held, desired, gone)
        for name, sa in desired.sas.items():
            if name not in held.sas and name in keys:
                await self._add(held, name, sa, keys[name])
            elif sa.encap is not None and held.sas.get(name, sa.encap) != sa.encap:
                await self._change_ports(held, name, sa.encap)
        for policy in wanting:
            if policy.action is TUNNEL:
                await self._put(held, policy)

    async def _move(self, held: _Held, desired: View, gone: Mapping[SaId, SaId]) -> None:
        """Outbound SAs, and with them the inbound ones, to the peer's other address. Nothing leaves meanwhile. Raises
        `NotMoved`."""
        for policy in closed(desired).policies.values():
            if policy.id.direction is Direction.OUT:
                await self._put(held, policy)
        ends = {desired.sas[name].destination for name in gone}
        for name, sa in desired.sas.items():
            if name in gone or sa.source in ends:
                await self._move_one(held, gone.get(name, name), sa)

    async def _move_one(self, held: _Held, former: SaId, sa: KernelSa) -> None:
        try:
            await self._kernel.move_sa(former, sa)
        except KernelRefused as refusal:
            for name in (former, sa.id) if may_stand(refusal) else (former,):
                if await tried(self._kernel.delete_sa(name), []):
                    held.sas.pop(name, None)
                else:
                    held.sas[name] = None  # not where it shall be: the pair is given up, then it goes
            raise NotMoved(str(refusal), refusal.errno) from refusal
        held.sas.pop(former, None)
        held.sas[sa.id] = sa.encap

    async def _change_ports(self, held: _Held, name: SaId, ports: UdpPorts) -> None:
        try:
            await self._kernel.change_ports(name, ports)
        except KeysWithheld as refusal:
            raise NotMoved(str(refusal), refusal.errno) from refusal
        held.sas[name] = ports

    async def _add(self, held: _Held, name: SaId, sa: KernelSa, keys: EspKeys) -> None:
        try:
            await self._kernel.add_sa(sa, keys, reserved=any(name in names for names in self._reserved.values()))
        except IkeError as error:
            if may_stand(error):
                held.sas[name] = sa.encap
            raise
        held.sas[name] = sa.encap

    async def _put(self, held: _Held, policy: KernelPolicy) -> None:
        standing = held.policies.get(policy.id)
        former = standing.reqid if standing is not None and standing.reqid != policy.reqid else held.former
        try:
            await self._kernel.put_policy(policy, former=former)
        except IkeError as error:
            if may_stand(error):
                held.policies[policy.id] = policy
                held.doubtful.add(policy.id)
            raise
        held.policies[policy.id] = policy
        held.doubtful.discard(policy.id)

    async def _remove(self, held: _Held, desired: View, refusals: list[IkeError]) -> None:
        """Policies first, then outbound SAs and inbound ones: the reverse of their coming."""
        if held.policies.keys() <= desired.policies.keys() and held.sas.keys() <= desired.sas.keys():
            return
        surplus = [policy for name, policy in held.policies.items() if name not in desired.policies]
        for policy in sorted(surplus, key=lambda policy: -ORDER[policy.id.direction]):
            if await tried(self._kernel.delete_policy(policy.id, policy.reqid), refusals):
                held.policies.pop(policy.id, None)
                held.doubtful.discard(policy.id)
        for name in [name for name in reversed(held.sas) if name not in desired.sas]:
            if await tried(self._kernel.delete_sa(name), refusals):
                held.sas.pop(name, None)  # which may have expired meanwhile


def _gone_elsewhere(held: _Held, desired: View, keys: Mapping[SaId, EspKeys]) -> dict[SaId, SaId]:
    """The outbound SAs whose peer has another address, and where they are now."""
    surplus = {name.spi: name for name in held.sas if name not in desired.sas}
    if not surplus:
        return {}
    missing = (name for name in desired.sas if name not in held.sas and name not in keys)
    return {name: surplus[name.spi] for name in missing if name.spi in surplus}


def closed(desired: View) -> View:
    """The same with every way out blocked."""
    return replace(desired, policies=shut(desired.policies))


def shut(policies: Mapping[PolicyId, KernelPolicy]) -> Mapping[PolicyId, KernelPolicy]:
    """The same, of which those that lead out block."""
    return {name: _shut(policy) for name, policy in policies.items()}


def _shut(policy: KernelPolicy) -> KernelPolicy:
    leads_out = policy.id.direction is Direction.OUT and policy.action is Action.TUNNEL
    return replace(policy, action=Action.BLOCK) if leads_out else policy


def may_stand(error: IkeError) -> bool:
    """Was the answer lost, so that what was asked for stands, perhaps?"""
    return isinstance(error, KernelRefused) and error.errno in UNKNOWN_OUTCOME


async def tried(step: Awaitable[None], refusals: list[IkeError]) -> bool:
    """Has the kernel done it? Else `refusals` tells why not."""
    try:
        await step
    except IkeError as refusal:
        refusals.append(refusal)
        return False
    return True
