"""One authenticated peer of one connection. Sessions share nothing.

A session is an inbox of facts, handled one at a time: `decide` gives the new state and the effects, the kernel is
brought to what the state desires, then the effects are carried out. What an exchange asks of this machine waits its
turn in the same inbox.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ikevd.addresses import Path
from ikevd.errors import IkeError
from ikevd.exchanges.link import OpenInbound, OpenOutbound, ReserveSpi
from ikevd.findings import Unreachable
from ikevd.host.interface import SaId
from ikevd.negotiation.agenda import Agenda
from ikevd.negotiation.apply import Believed
from ikevd.negotiation.at_work import AtWork
from ikevd.negotiation.ports import Ports
from ikevd.negotiation.router import Router
from ikevd.negotiation.running import Running
from ikevd.negotiation.work import Ask, Happening, Work
from ikevd.observe.words import say_error
from ikevd.peer import effects, facts
from ikevd.peer.decide import decide
from ikevd.peer.desired import View, desired_child
from ikevd.peer.due import child_due, isakmp_due, turn_due
from ikevd.peer.effects import Effect
from ikevd.peer.facts import Fact
from ikevd.peer.keepalive import path_to_keep
from ikevd.peer.state import Attempt, ChildState, Half, IsakmpState, PeerKey, PeerState
from ikevd.policy.model import Connection
from ikevd.sa.model import EspKeys, IsakmpSa
from ikevd.wire.message import Header

KernelWork = Coroutine[Any, Any, None]
NO_KEYS: Mapping[SaId, EspKeys] = MappingProxyType({})
FIRST_PAUSE, LAST_PAUSE = 1.0, 60.0
"""Seconds until the kernel is asked again for what it refused to remove."""


@dataclass(frozen=True, slots=True)
class _Again:
    """The kernel does not hold what a child desires: the difference is tried once more."""

    child: str
    pause: float


ENDS = (facts.QuickModeUp, facts.QuickModeFailed, facts.PhaseOneUp, facts.PhaseOneFailed)
KEEPALIVE, WAITING = object(), object()
"""On the agenda, beside exchanges, ISAKMP SAs and children."""


class Session:
    """Carries out what `ikevd.peer` decides."""

    def __init__(self, key: PeerKey, connection: Connection, router: Router, ports: Ports) -> None:
        self.connection = connection
        self.state = PeerState(key, children={child.name: ChildState() for child in connection.children})
        self._children = {child.name: child for child in connection.children}
        self._ports = ports
        self._agenda: Agenda[object] = Agenda(self._due)
        self._at_work = AtWork(connection, router, ports, self._agenda, self)
        self._believed = Believed(ports.kernel)
        self._inbox: deque[Happening | _Again] = deque()
        self._busy = False
        self._at_kernel: asyncio.Task[None] | None = None
        self._waiters: dict[str, list[asyncio.Future[None]]] = {}

    # -- what the operator and the kernel say -------------------------------------------------------------------

    def start(self) -> None:
        """No traffic of its children leaves in the clear from here on."""
        self.post(*(_Again(child, FIRST_PAUSE) for child in self._children))

    def want(self, child: str) -> asyncio.Future[None]:
        """Bring a child up; the future holds the outcome of the present attempt."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(child, []).append(future)
        self.post(facts.Wanted(child))
        return future

    def unwant(self, child: str, *, in_clear: bool = False) -> None:
        """Take a child down and tell the peer. `in_clear`: its traffic passes in the clear from then on."""
        self.post(facts.Unwanted(child, in_clear))

    def end(self, *, announce: bool = True) -> None:
        """Take everything down. `announce`: what no ISAKMP SA could protect is said under one made for it."""
        self.post(facts.Ended(announce))

    def expired(self, child: str, sa: SaId) -> None:
        """The kernel ended an SA whose lifetime is over."""
        self._believed.gone(child, sa)
        self.post(facts.Expired(child, sa.spi))

    def post(self, *happenings: Happening | _Again) -> None:
        """Handle these, after what waits already."""
        self._inbox.extend(happenings)
        if not self._busy:
            self._pump()

    # -- what the network says ----------------------------------------------------------------------------------

    def heard(self, header: Header, octets: bytes, path: Path) -> None:
        """A datagram that names a cookie of ours."""
        self.post(*self._at_work.heard(self.state, header, octets, path), *self._at_work.worn())

    def unreachable(self, message_id: int, path: Path, found: Unreachable) -> None:
        """A message of ours did not arrive."""
        self._at_work.unreachable(self.state, message_id, path, found)

    def note_unreachable(self, path: Path, found: Unreachable) -> None:
        """An ICMP error for a datagram that took that path."""
        self._at_work.note_unreachable(self.state, path, found)

    def adopt(self, sa: IsakmpSa, running: Running) -> None:
        """A phase 1 that the peer began has ended well."""
        self._at_work.adopt(sa, running)
        self.post(facts.PhaseOneUp(None, sa))

    # -- how it stands ------------------------------------------------------------------------------------------

    @property
    def live(self) -> list[IsakmpState]:
        """The ISAKMP SAs, oldest first."""
        return list(self.state.isakmp.values())

    @property
    def states(self) -> Mapping[str, ChildState]:
        """The children, by name."""
        return self.state.children

    @property
    def idle(self) -> bool:
        """Does nothing stand, and is nothing under way?"""
        state = self.state
        busy = any(child.pairs or child.attempt for child in state.children.values())
        return not (busy or state.waiting or state.isakmp or state.phase1 is not None or self._inbox)

    @property
    def has_peer(self) -> bool:
        """Is there somebody to whom last words can be said?"""
        return bool(self.state.isakmp) or self.state.phase1 is not None

    async def settled(self) -> None:
        """Wait until all that is in the inbox is done."""
        while self._at_kernel is not None:
            await asyncio.wait((self._at_kernel,))

    async def clear(self) -> None:
        """Remove all that stands in the kernel, blocks included."""
        await self._believed.clear()

    def close(self) -> None:
        """Forget everything without a word: after `end` and its farewells."""
        self._agenda.close()
        self._at_work.close()

    # -- the inbox ----------------------------------------------------------------------------------------------

    def _pump(self) -> None:
        """Handle what waits, one after the other; while the kernel is at work, all else waits for it."""
        self._busy = True
        while self._inbox:
            try:
                kernel_work = self._handle(self._inbox.popleft())
            except Exception as bug:  # one fact is lost, and no other
                self._report_bug(bug)
                continue
            if kernel_work is not None:
                self._at_kernel = asyncio.get_running_loop().create_task(self._await_kernel(kernel_work))
                return
        self._busy = False

    async def _await_kernel(self, kernel_work: KernelWork) -> None:
        try:
            await kernel_work
        except Exception as bug:
            self._report_bug(bug)
        self._at_kernel = None
        self._pump()

    def _report_bug(self, bug: Exception) -> None:
        message = f"internal error in the session of {self.connection.name}"
        asyncio.get_running_loop().call_exception_handler({"message": message, "exception": bug})

    def _handle(self, happening: Happening | _Again) -> KernelWork | None:
        """What the kernel must do for it, if anything."""
        match happening:
            case Ask():
                return self._serve(happening)
            case _Again(child, pause):
                return self._bring_again(child, pause)
            case _:
                return self._learn(happening)

    def _serve(self, ask: Ask) -> KernelWork | None:
        """Carry out what an exchange asks, unless it has ended meanwhile."""
        work, attempt = ask.work, ask.work.attempt
        if work.running.conversation.ended or attempt is None:
            return None
        self._at_work.waits(work)
        match ask.call:
            case ReserveSpi() as call:
                child = next(child.name for child in self.connection.children if child.reqid == call.reqid)
                work.running.record.child = child
                return self._reserve_spi(attempt, child, call)
            case OpenInbound(sa, keys):
                return self._learn(facts.Opening(attempt, sa, Half.INBOUND), {SaId(sa.local, sa.inbound): keys})
            case OpenOutbound(sa, keys):
                return self._learn(facts.Opening(attempt, sa, Half.BOTH), {SaId(sa.remote, sa.outbound): keys})

    def _learn(self, fact: Fact, keys: Mapping[SaId, EspKeys] = NO_KEYS) -> KernelWork | None:
        before = self.state
        self.state, todo = decide(self.connection, before, fact, self._ports.now())
        if isinstance(fact, ENDS):
            self._at_work.ended(fact.attempt)
        self._arm(before)
        views = self._differences(before)
        freed = before.quick_modes.keys() - self.state.quick_modes.keys()
        if not views and not self._believed.reserved(freed):
            self._go_on(fact, todo, None)
            return None
        return self._apply(fact, todo, views, freed, keys)

    def _go_on(self, fact: Fact, todo: Sequence[Effect], refusal: IkeError | None) -> None:
        """The kernel is as the state desires, or has refused."""
        for effect in todo:
            self._carry_out(effect)
        if isinstance(fact, facts.Opening):
            attempt = fact.attempt
            self._inbox.appendleft(facts.KernelRefused(attempt, refusal) if refusal else facts.KernelDid(attempt))

    # -- the kernel ---------------------------------------------------------------------------------------------

    def _differences(self, before: PeerState) -> dict[str, View]:
        """What the children that have changed desire, where the kernel is believed to hold something else."""
        views = {}
        for name, child in self.state.children.items():
            if before.children.get(name) is not child:
                desired = self._desired(name)
                if self._believed.differs(name, desired):
                    views[name] = desired
        return views

    def _desired(self, name: str) -> View:
        return desired_child(self.connection, self._children[name], self.state.children[name])

    async def _apply(
        self,
        fact: Fact,
        todo: Sequence[Effect],
        views: Mapping[str, View],
        freed: Iterable[Attempt],
        keys: Mapping[SaId, EspKeys],
    ) -> None:
        refusal = None
        for name, desired in views.items():
            refusal = await self._bring(name, desired, keys, FIRST_PAUSE) or refusal
        for attempt in freed:
            self._report(await self._believed.free_spi(attempt))
        if refusal and not isinstance(fact, facts.Opening):
            self._report((refusal,))
        self._go_on(fact, todo, refusal)

    async def _bring(self, name: str, desired: View, keys: Mapping[SaId, EspKeys], pause: float) -> IkeError | None:
        """Why the child cannot have what it desires. What stands that it does not desire is tried once more later."""
        brought = await self._believed.bring(name, desired, keys)
        self._report(brought.left)
        if self._believed.differs(name, desired):
            self._agenda.set(_Again(name, min(2 * pause, LAST_PAUSE)), self._ports.now() + pause)
        return brought.refusal

    async def _bring_again(self, name: str, pause: float) -> None:
        refusal = await self._bring(name, self._desired(name), NO_KEYS, pause)
        self._report((refusal,) if refusal else ())

    async def _reserve_spi(self, attempt: Attempt, child: str, call: ReserveSpi) -> None:
        fact: Fact
        try:
            fact = facts.Reserved(attempt, child, await self._believed.reserve_spi(attempt, call))
        except IkeError as refusal:
            fact = facts.KernelRefused(attempt, refusal, child)
        self._inbox.appendleft(fact)

    def _report(self, refusals: Iterable[IkeError]) -> None:
        for refusal in refusals:
            self._ports.counters.count(f"kernel: {type(refusal).__name__}")
            self._ports.trouble(f"{self.connection.name}: {say_error(refusal)}")

    # -- effects ------------------------------------------------------------------------------------------------

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case effects.BeginPhaseOne(attempt):
                self.post(*self._at_work.begin_phase1(attempt))
            case effects.BeginQuickMode():
                self.post(*self._at_work.begin_quick_mode(self.state, effect), *self._at_work.worn())
            case effects.Abort(attempt, error):
                self.post(*self._at_work.abort(attempt, error))
            case effects.Resume(attempt, None):
                self.post(*self._at_work.resume(attempt, self.state.quick_modes[attempt].spi))
            case effects.Resume(attempt, IkeError() as error):
                self.post(*self._at_work.refuse(attempt, error))
            case effects.Say(under, payloads):
                self._at_work.say(self.state, under, payloads)
            case effects.Record(under, fact):
                self._at_work.record(under, fact)
            case effects.Forget(under):
                self._at_work.forget(under)
            case effects.Answer(child, error):
                self._answer(child, error)

    def _answer(self, child: str, error: IkeError | None) -> None:
        for future in self._waiters.pop(child, ()):
            if future.done():
                continue
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)

    # -- time ---------------------------------------------------------------------------------------------------

    def _arm(self, before: PeerState) -> None:
        """What changed is due at another time."""
        state = self.state
        for cookies in before.isakmp.keys() | state.isakmp.keys():
            now = state.isakmp.get(cookies)
            if now is not before.isakmp.get(cookies):
                self._agenda.set(cookies, isakmp_due(now) if now else None)
        for name, child in state.children.items():
            if before.children.get(name) is not child:
                self._agenda.set(name, child_due(child))
        self._agenda.set(WAITING, turn_due(state))
        if self.connection.nat_keepalive and KEEPALIVE not in self._agenda and path_to_keep(state) is not None:
            self._agenda.set(KEEPALIVE, self._ports.now() + self.connection.nat_keepalive)

    def _due(self, keys: list[object]) -> None:
        decisions = False
        for key in keys:
            match key:
                case Work():
                    self.post(*self._at_work.tick(key))
                case _Again():
                    self.post(key)
                case _ if key is KEEPALIVE:
                    self._keep_alive()
                case _:
                    decisions = True
        if decisions:
            self.post(facts.Due())

    def _keep_alive(self) -> None:
        """One octet now and then, so that the NAT in front of us keeps its mapping (RFC 3948 section 4)."""
        if path := path_to_keep(self.state):
            self._ports.keepalive(path)
            self._agenda.set(KEEPALIVE, self._ports.now() + self.connection.nat_keepalive)
