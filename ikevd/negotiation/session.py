"""One authenticated peer of one connection: its ISAKMP SAs and its children. Sessions share nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

from ikevd.errors import Abandoned, IkeError, KernelRefused, NoAnswer, PeerDeleted, PeerRefused
from ikevd.facts import Established, Note
from ikevd.findings import IpsecSaStands, IsakmpDeleted, Mentioned, Traffic
from ikevd.negotiation.initiator import Initiator
from ikevd.negotiation.isakmp import LiveIsakmpSa, QuickModeEnd, QuickModeFlight
from ikevd.negotiation.ports import Ports
from ikevd.negotiation.router import Router
from ikevd.negotiation.runner import Runner
from ikevd.negotiation.standing import Standing
from ikevd.observe.words import say_error
from ikevd.peer import notices
from ikevd.peer.children import (
    Abort,
    ChildState,
    Declined,
    Due,
    Event,
    Gone,
    Negotiate,
    NotUp,
    Remove,
    Unwanted,
    Up,
    Wanted,
    decide,
)
from ikevd.peer.timing import PACE, SAID_AFTER, TRUSTED_FOR
from ikevd.policy.choose import describe
from ikevd.policy.model import Connection, Start
from ikevd.sa.model import IpsecSa, IsakmpSa, Spi
from ikevd.wire.payloads import NotifyPayload, Payload
from ikevd.wire.registry import Protocol

MAX_HELD = 32


class Session:
    """Applies the decisions of `ikevd.peer.children` to the kernel and to the exchanges."""

    def __init__(self, connection: Connection, router: Router, ports: Ports) -> None:
        self.connection = connection
        self.states = {child.name: ChildState(persistent=child.start is Start.AUTO) for child in connection.children}
        self.initiator = Initiator(connection, router, ports, self._phase1_ended)
        self._children = {child.name: child for child in connection.children}
        self._standing = Standing(
            connection,
            router,
            ports,
            on_quick_mode=self._quick_mode_ended,
            on_informational=self._informed,
            has_children=lambda: any(state.pairs for state in self.states.values()),
        )
        self._ports = ports
        self._flights: dict[str, QuickModeFlight] = {}
        self._waiting: dict[str, None] = {}
        """Children that wait for an ISAKMP SA or for their turn, in the order in which they were wanted."""
        self._pumping: asyncio.TimerHandle | None = None
        self._moved: dict[str, None] = {}
        """Children whose Quick Mode went down with its ISAKMP SA, and that have not come up since."""
        self._waiters: dict[str, list[asyncio.Future[None]]] = {}
        self._retries: dict[str, asyncio.TimerHandle] = {}
        self._unsaid: list[Spi] = []
        """SPIs whose Delete waits for an ISAKMP SA."""
        self._tasks: dict[asyncio.Task[None], None] = {}

    @property
    def live(self) -> list[LiveIsakmpSa]:
        """The ISAKMP SAs, oldest first."""
        return self._standing.live

    # -- what the operator and the kernel say -------------------------------------------------------------------

    def want(self, child: str) -> asyncio.Future[None]:
        """Bring a child up; the future holds the outcome of the present attempt."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(child, []).append(future)
        self._post(child, Wanted())
        if self.states[child].pairs:
            self._answer(child, None)
        return future

    def unwant(self, child: str) -> None:
        """Take a child down and tell the peer."""
        self._post(child, Unwanted())
        self._answer(child, Abandoned(f"{child} was taken down"))

    def expired(self, child: str, spi: Spi) -> None:
        """The kernel ended an SA whose lifetime is over."""
        self._post(child, Gone(spi, by_peer=False))

    def end(self, *, announce: bool = True) -> None:
        """Take everything down: children, phase 1 under way, ISAKMP SAs. `announce`: what no ISAKMP SA could protect is
        said under one made for it."""
        self.initiator.abort(Abandoned("the connection was taken down"))
        for child in self._children:
            self.unwant(child)
        for live in tuple(self.live):
            self._standing.retire(live, tell=True, cause=Abandoned("the connection was taken down"))
        if announce:
            self._begin_phase1()

    @property
    def idle(self) -> bool:
        """Does nothing stand, and is nothing under way?"""
        standing = any(state.pairs or state.negotiating for state in self.states.values())
        return not standing and not self.live and not self.initiator.negotiating

    @property
    def has_peer(self) -> bool:
        """Is there somebody to whom last words can be said?"""
        return bool(self.live) or self.initiator.negotiating

    async def settled(self) -> None:
        """Wait until the kernel has done all that was asked of it."""
        while self._tasks:
            await asyncio.wait(tuple(self._tasks))

    def close(self) -> None:
        """Forget everything without a word: after `end` and its farewells."""
        self.initiator.close()
        for timer in (*self._retries.values(), self._pumping):
            if timer is not None:
                timer.cancel()
        self._standing.close()

    # -- phase 1 ------------------------------------------------------------------------------------------------

    def adopt(self, sa: IsakmpSa, phase1: Runner) -> None:
        """A phase 1 ended well, in either role."""
        live = self._standing.adopt(sa, phase1)
        if self._unsaid:
            live.tell(notices.delete_esp(*self._unsaid))
            self._unsaid.clear()
            if sa.initiator:
                asyncio.get_running_loop().call_later(SAID_AFTER, self._retire_idle, live)
        self._pump()

    def _phase1_ended(self, runner: Runner, outcome: Any) -> None:
        if not isinstance(outcome, IkeError):
            self.adopt(outcome, runner)
            return
        if not isinstance(outcome, Abandoned):
            self._unsaid.clear()
        self._fail_waiting(outcome)

    def _retire_idle(self, live: LiveIsakmpSa) -> None:
        """An ISAKMP SA that we made only to say Delete ends, unless it serves somebody by now."""
        if not live.busy and not any(state.wanted or state.pairs for state in self.states.values()):
            self._standing.retire(live, tell=True, cause=Abandoned("it was only there to say Delete"))

    # -- children -----------------------------------------------------------------------------------------------

    def _post(self, child: str, event: Event) -> None:
        """One event at a time: decide, remember, carry out."""
        state, decisions = decide(self.states[child], event, self._ports.now())
        self.states[child] = state
        self._set_retry(child, state)
        for decision in decisions:
            match decision:
                case Negotiate():
                    self._begin(child)
                case Abort():
                    self._abort(child)
                case Remove(sa, tell, insist):
                    self._remove(sa, tell=tell, insist=insist)

    def _set_retry(self, child: str, state: ChildState) -> None:
        if timer := self._retries.pop(child, None):
            timer.cancel()
        if state.retry_at is not None:
            loop = asyncio.get_running_loop()
            self._retries[child] = loop.call_at(state.retry_at, self._post, child, Due())

    def _begin(self, name: str) -> None:
        self._waiting[name] = None
        self._pump()

    def _pump(self) -> None:
        """Begin what waits, one after the other: strongSwan (5.9.8), as responder, forgets a Quick Mode in progress
        when another one fails. One that stays unanswered delays its siblings by `PACE` and no more."""
        live = self._standing.usable()
        if live is None:
            self._begin_phase1()
            return
        now = self._ports.now()
        while self._waiting and all(now - f.runner.started >= PACE for f in self._flights.values() if f.live is live):
            name = next(iter(self._waiting))
            del self._waiting[name]
            self._flights[name] = live.quick_mode(self._children[name])
        if self._waiting and self._pumping is None:
            self._pumping = asyncio.get_running_loop().call_later(PACE, self._pump_later)

    def _pump_later(self) -> None:
        self._pumping = None
        self._pump()

    def _begin_phase1(self) -> None:
        """For a child that waits, or for a Delete that no ISAKMP SA is there to protect."""
        if not self._waiting and not self._unsaid:
            return
        try:
            self.initiator.start()
        except IkeError as refusal:
            self._unsaid.clear()
            self._fail_waiting(refusal)

    def _fail_waiting(self, error: IkeError) -> None:
        for name in tuple(self._waiting):
            self._waiting.pop(name, None)
            self._failed(name, error)

    def _abort(self, name: str) -> None:
        self._waiting.pop(name, None)
        for live in self.live:
            live.fail_child(name, Abandoned("taken down by command"))
        if flight := self._flights.pop(name, None):
            flight.runner.fail(Abandoned("taken down by command"))

    def _remove(self, sa: IpsecSa, *, tell: bool, insist: bool) -> None:
        self._do(self._ports.installer.close(sa))
        live = self._standing.for_farewells()
        if tell and live is not None:
            live.tell(notices.delete_esp(sa.inbound))
        elif insist:
            self._unsaid = [*self._unsaid, sa.inbound][-MAX_HELD:]
            self._begin_phase1()

    def _quick_mode_ended(self, live: LiveIsakmpSa, end: QuickModeEnd) -> None:
        if end.child is not None:
            self._flights.pop(end.child.name, None)
        if isinstance(end.outcome, IpsecSa):
            self._quick_mode_returned(live, end.outcome, end.runner)
        else:
            self._quick_mode_raised(live, end, end.outcome)
        if not live.busy:
            live.early_deletes.clear()
        self._settle_refusals(live)
        self._pump()

    def _quick_mode_returned(self, live: LiveIsakmpSa, sa: IpsecSa, runner: Runner) -> None:
        runner.record.child = sa.child
        runner.record.spis = (sa.inbound, sa.outbound)
        selectors = Traffic(str(sa.local_selector), str(sa.remote_selector))
        stands = IpsecSaStands(selectors, describe(sa.suite), str(sa.inbound), str(sa.outbound))
        runner.record.add(Established(stands))
        self._moved.pop(sa.child, None)
        self._post(sa.child, Up(sa))
        self._answer(sa.child, None)
        if sa.outbound in live.early_deletes:
            live.early_deletes.remove(sa.outbound)
            self._post(sa.child, Gone(sa.outbound, by_peer=True))

    def _quick_mode_raised(self, live: LiveIsakmpSa, end: QuickModeEnd, error: IkeError) -> None:
        self._do(end.host.undo())
        if isinstance(error, NoAnswer) and live.last_heard + TRUSTED_FOR < end.runner.started:
            live.doubted = True
        self._tell_failure(live, end, error)
        if end.child is None and isinstance(error, KernelRefused):
            self._decline(end, error)
        if end.child is None or not self.states[end.child.name].negotiating:
            return
        if live.retired and isinstance(error, PeerDeleted | Abandoned) and end.child.name not in self._moved:
            self._moved[end.child.name] = None  # no fault of the child: once more, under a new ISAKMP SA
            self._waiting[end.child.name] = None
        else:
            self._failed(end.child.name, error)

    def _tell_failure(self, live: LiveIsakmpSa, end: QuickModeEnd, error: IkeError) -> None:
        """A Notify to a peer that waits for us, a Delete of an SPI that it has got."""
        if isinstance(error, PeerDeleted):
            return
        conversation = end.runner.conversation
        if error.notify is not None and conversation.has_spoken:
            live.tell(NotifyPayload(Protocol.ESP, error.notify, error.spi))
        if end.host.spi is not None and conversation.has_sent and not isinstance(error, PeerRefused):
            live.tell(notices.delete_esp(end.host.spi))

    def _decline(self, end: QuickModeEnd, error: IkeError) -> None:
        """The peer asked, this machine could not: that is no fault of the peer's, and stands in the child's status."""
        for child in self._children.values():
            if child.reqid == end.host.reqid:
                end.runner.record.child = child.name
                self._post(child.name, Declined(error.finding))

    def _failed(self, child: str, error: IkeError) -> None:
        self._post(child, NotUp(error.finding))
        self._answer(child, error)

    def _answer(self, child: str, error: IkeError | None) -> None:
        for future in self._waiters.pop(child, ()):
            if future.done():
                continue
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)

    # -- what the peer says -------------------------------------------------------------------------------------

    def _informed(self, live: LiveIsakmpSa, payloads: tuple[Payload, ...]) -> None:
        said = notices.read(payloads)
        for refusal in said.refusals:
            self._refused(live, refusal)
        if said.others:
            live.phase1.record.add(Note(Mentioned(said.others)))
        self._standing.shorten(live, said.lives)
        self._deleted(live, said.deleted_esp)
        for cookies in said.deleted_isakmp:
            for other in [other for other in self.live if other.sa.cookies == cookies]:
                other.phase1.record.add(Note(IsakmpDeleted()))
                self._standing.retire(other, tell=False, cause=PeerDeleted(IsakmpDeleted()))

    def _refused(self, live: LiveIsakmpSa, refusal: notices.Refusal) -> None:
        """It ends the Quick Mode with that SPI, or else the only one in flight; otherwise it is kept as a hint."""
        live.phase1.record.add(Note(Mentioned((str(refusal.notify),), has_consequence=True)))
        flights = [flight for flight in self._flights.values() if flight.live is live]
        named = [f for f in flights if f.host.spi is not None and f.host.spi.octets == refusal.spi]
        if named or len(flights) == 1:
            (named or flights)[0].refuse(refusal.notify)
        elif flights:
            live.unnamed_refusals = [*live.unnamed_refusals, refusal.notify][-MAX_HELD:]

    def _settle_refusals(self, live: LiveIsakmpSa) -> None:
        """A refusal without SPI (strongSwan's INVALID-ID-INFORMATION has none) belongs to what is left in flight."""
        flights = [flight for flight in self._flights.values() if flight.live is live]
        if not flights:
            live.unnamed_refusals.clear()
        elif len(flights) <= len(live.unnamed_refusals):
            flights[0].refuse(live.unnamed_refusals.pop(0))

    def _deleted(self, live: LiveIsakmpSa, spis: Sequence[Spi]) -> None:
        """A Delete may overtake message 3 of its Quick Mode: held, bounded, until the Quick Modes in flight end."""
        if not spis:
            return
        pairs = ((name, pair.sa) for name, state in self.states.items() for pair in state.pairs)
        children = {spi: name for name, sa in pairs for spi in (sa.inbound, sa.outbound)}
        for spi in spis:
            if spi in children:
                self._post(children[spi], Gone(spi, by_peer=True))
        unknown = [spi for spi in spis if spi not in children]
        if unknown and live.busy:
            live.early_deletes = [*live.early_deletes, *unknown][-MAX_HELD:]

    # -- tasks --------------------------------------------------------------------------------------------------

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(self._reporting(work))
        self._tasks[task] = None
        task.add_done_callback(self._tasks.pop)

    async def _reporting(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except IkeError as refusal:
            self._ports.counters.count(f"kernel: {type(refusal).__name__} while removing")
            self._ports.on_trouble(f"{self.connection.name}: {say_error(refusal)}")
