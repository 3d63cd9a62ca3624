"""The kernel as one session sees it: what its children desire, and what of that does not stand yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from types import MappingProxyType

from ikevd.errors import IkeError
from ikevd.host.interface import Direction, SaId
from ikevd.negotiation.agenda import Agenda
from ikevd.negotiation.apply import Believed
from ikevd.negotiation.ports import Ports
from ikevd.negotiation.restart import InKernel
from ikevd.observe.words import say_error
from ikevd.peer import facts
from ikevd.peer.desired import View, desired_child
from ikevd.peer.state import Attempt, ChildState, Half, PairState, PeerState
from ikevd.policy.model import Connection
from ikevd.sa.model import EspKeys

NO_KEYS: Mapping[SaId, EspKeys] = MappingProxyType({})
FIRST_PAUSE, LAST_PAUSE = 1.0, 60.0
"""Seconds until the kernel is asked again for what it refused; each pause is twice the one before."""


FEW_POLICIES = 8
"""Of one child, whose last packets are asked for: selectors that are ranges make many."""


@dataclass(frozen=True, slots=True)
class Again:
    """The kernel does not hold what a child desires: the difference is tried once more."""

    child: str
    pause: float = FIRST_PAUSE


class KernelSide:
    """Brings the kernel to what the state of a session desires."""

    def __init__(self, connection: Connection, ports: Ports, agenda: Agenda[object]) -> None:
        """`agenda` tells the session when a difference is to be tried again, with an `Again`."""
        self._connection = connection
        self._children = {child.name: child for child in connection.children}
        self._ports = ports
        self._agenda = agenda
        self.believed = Believed(ports.kernel)

    def desired(self, state: PeerState, child: str) -> View:
        """By one child."""
        return desired_child(self._connection, self._children[child], state.children.get(child, ChildState()))

    def differences(self, before: PeerState, state: PeerState) -> dict[str, View]:
        """What the children that have changed desire, where the kernel is believed to hold something else."""
        if before.children is state.children:
            return {}
        views = {}
        for name, child in state.children.items():
            if before.children.get(name) is not child and name in self._children:
                desired = self.desired(state, name)
                if self.believed.differs(name, desired):
                    views[name] = desired
        return views

    async def bring(self, views: Mapping[str, View], keys: Mapping[SaId, EspKeys]) -> IkeError | None:
        """The kernel to these; why one of them cannot stand."""
        refusal = None
        for name, desired in views.items():
            refusal = await self._bring(name, desired, keys, FIRST_PAUSE) or refusal
        return refusal

    async def bring_again(self, state: PeerState, again: Again) -> None:
        """The kernel to what a child desires now."""
        desired = self.desired(state, again.child)
        if self.believed.differs(again.child, desired):
            refusal = await self._bring(again.child, desired, NO_KEYS, again.pause)
            self.report([refusal] if refusal else [])

    async def _bring(self, name: str, desired: View, keys: Mapping[SaId, EspKeys], pause: float) -> IkeError | None:
        brought = await self.believed.bring(name, desired, keys)
        self.report(brought.left)
        if self.believed.differs(name, desired):
            self._agenda.set(Again(name, min(2 * pause, LAST_PAUSE)), self._ports.now() + pause)
        return brought.refusal

    async def carried_within(self, seconds: float, state: PeerState, child: str) -> bool:
        """Did a packet of the peer come for the child? Raises `KernelRefused`."""
        policies = self.desired(state, child).policies
        arriving = [policy for policy in policies if policy.direction is not Direction.OUT]
        idle = [await self._ports.kernel.idle_seconds(policy) for policy in arriving[:FEW_POLICIES]]
        return any(since is not None and since < seconds for since in idle)

    def report(self, refusals: Iterable[IkeError]) -> None:
        """Of what no exchange can tell."""
        for refusal in refusals:
            self._ports.counters.count(f"kernel: {type(refusal).__name__}")
            self._ports.trouble(f"{self._connection.name}: {say_error(refusal)}")

    def take_over(self, state: PeerState, found: InKernel, opening: Set[Attempt]) -> list[facts.Fact]:
        """After a restart. Gives the pairs that are not whole any more: what the kernel has lost is never installed
        again under its keys. `opening`: Quick Modes that ask for their inbound SA, which has carried nothing yet."""
        lost: list[facts.Fact] = []
        for attempt, mode in state.quick_modes.items():
            if mode.spi is not None and (isakmp := state.isakmp.get(mode.under)):
                self.believed.was_reserved(attempt, SaId(isakmp.path.local.address, mode.spi))
        for name, child in self._children.items():
            present = [sa.id for sa in found.sas.get(child.reqid, ()) if not sa.larval]
            standing = [one.policy for one in found.policies.get(child.reqid, ()) if one.policy is not None]
            self.believed.found(name, present, standing)
            pairs = [pair for pair in state.children.get(name, ChildState()).pairs if pair.attempt not in opening]
            lost += [facts.Vanished(name, pair.sa.inbound) for pair in pairs if not _is_whole(pair, present)]
        return lost

    async def hand_over(self, state: PeerState) -> None:
        """Let no SA outlive its time unattended: each gets what is left of its life as the kernel's own limit."""
        now = self._ports.now()
        for child in state.children.values():
            for pair in child.standing:
                left = max(1, round(pair.expires - now))
                for name in (SaId(pair.sa.local, pair.sa.inbound), SaId(pair.sa.remote, pair.sa.outbound)):
                    try:
                        await self._ports.kernel.limit_sa(name, left)
                    except IkeError as refusal:
                        self.report([refusal])


def _is_whole(pair: PairState, present: Iterable[SaId]) -> bool:
    wanted = {SaId(pair.sa.local, pair.sa.inbound)}
    if pair.half is Half.BOTH:
        wanted.add(SaId(pair.sa.remote, pair.sa.outbound))
    return wanted.issubset(present)
