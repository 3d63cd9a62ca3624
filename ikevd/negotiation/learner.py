"""How the session of one peer learns: its facts are handled one at a time.

`decide` gives the new state and the effects, the kernel is brought to what the state desires, then the effects are
carried out. What an exchange asks of this machine waits its turn in the same inbox.
"""

from __future__ import annotations

from collections.abc import Coroutine, Iterable, Mapping, Sequence
from typing import Any

from ikevd.addresses import Address, Path
from ikevd.errors import IkeError, PolicyTaken
from ikevd.exchanges.link import OpenInbound, OpenOutbound, ReserveSpi
from ikevd.findings import Unreachable
from ikevd.host.sas import SaId
from ikevd.negotiation import beforehand, bugs
from ikevd.negotiation.agenda import Agenda
from ikevd.negotiation.arrivals import Arrivals
from ikevd.negotiation.asleep import Asleep
from ikevd.negotiation.at_work import AtWork
from ikevd.negotiation.claimant import Claimant
from ikevd.negotiation.contacts import Contacts
from ikevd.negotiation.held import HeldSelectors
from ikevd.negotiation.inbox import Inbox, KernelWork
from ikevd.negotiation.kernel_side import NO_KEYS, Again, KernelSide
from ikevd.negotiation.ledger import NOTHING_USED, Ledger
from ikevd.negotiation.link_side import LinksAgain, LinkSide
from ikevd.negotiation.nat_keepalive import arm_keepalive, keep_alive
from ikevd.negotiation.ports import Ports
from ikevd.negotiation.questions import Questions
from ikevd.negotiation.router import Router
from ikevd.negotiation.running import Running
from ikevd.negotiation.times import Subject, arm
from ikevd.negotiation.waiters import Waiters
from ikevd.negotiation.work import Ask, Happening, Retry, Work
from ikevd.peer import effects, exchange_facts, facts, kernel_facts, lost, message_facts
from ikevd.peer.child_state import ChildState, Half
from ikevd.peer.decide import decide
from ikevd.peer.desired import View
from ikevd.peer.effects import AskBalance, AskPackets, AskTraffic, AskUse, Effect
from ikevd.peer.facts import Fact
from ikevd.peer.state import PeerKey, PeerState
from ikevd.policy.connection import Connection, Unique
from ikevd.sa.model import NO_KEY, EspKeys, IsakmpSa, Spi
from ikevd.wire.message import Header
from ikevd.wire.registry import Protocol


class Learner(Inbox[Happening | Retry]):
    """Carries out what `ikevd.peer` decides."""

    _rests_until = 0.0
    """Until then nothing is done that is due: a Quick Mode of ours that an earlier process began goes first."""
    _leads = False
    """Do routes or the MSS follow its state?"""

    def __init__(
        self,
        key: PeerKey,
        connection: Connection,
        router: Router,
        ports: Ports,
        held: HeldSelectors,
        contacts: Contacts,
        configured: Connection | None = None,
    ) -> None:
        """`configured`: the connection as the file has it, where `connection` has reqids of its own."""
        super().__init__(connection.name)
        self.connection = connection
        self.state = PeerState(key, children={child.name: ChildState() for child in connection.children})
        self._ports = ports
        self._contacts = contacts
        self._agenda: Agenda[object] = Agenda(self._due, ports.due)
        self._ledger = Ledger(ports.store, key, configured or connection, ports.trouble)
        self._at_work = AtWork(connection, router, ports, self._agenda, self, self._ledger, contacts)
        self._standby = held.standby
        self._kernel = KernelSide(connection, ports, self._agenda, held.standby)
        self._links = LinkSide.of(connection, ports, self._agenda)
        arrivals = Arrivals(self._kernel, ports)
        self.claimant = Claimant(self, arrivals, held, ports)
        self._questions = Questions(self._kernel, ports, arrivals)
        self._waiters = Waiters()

    # -- what the network says -------------------------------------------------------------------------------------

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
        self.post(self._at_work.adopt(sa, running, None))

    # -- the inbox -------------------------------------------------------------------------------------------------

    def handle(self, happening: Happening | Retry) -> KernelWork | None:
        """What the kernel must do for it, if anything."""
        if type(happening) is Ask:  # not by a `match`: "What costs" in docs/performance.md
            return self._serve(happening)
        if type(happening) is Again:
            return self._bring_again(happening)
        if type(happening) is LinksAgain:
            return self._bring_links(happening)
        if isinstance(happening, (AskTraffic, AskPackets, AskUse, AskBalance)):
            return self.learn_after(self._questions.answer(self.state, happening))
        if question := beforehand.question(self, self._questions, happening, self._ports.now):
            return self.learn_after(question)
        return self._learn(happening)

    def instead(self, happening: Happening | Retry, bug: Exception) -> list[Happening | Retry]:
        """A bug let nothing be learnt of it."""
        before, now, error = self.state, self._ports.now(), lost.error_of(bug)
        self._ports.counters.count("bug: a fact was not learnt")
        self.state = lost.without(before, happening, now)
        self._ledger.learnt(self.state, NOTHING_USED)
        self._waiters.fail(happening, error)
        self._arm(before)
        if isinstance(happening, facts.Due):  # all that it was for is off the agenda
            self._arm(PeerState(before.key), now + bugs.LATER)
        elif isinstance(happening, (Again, LinksAgain)):
            self._agenda.set(happening, now + bugs.LATER)
        return [*self._at_work.lost(self.state, happening, error), *bugs.instead(before, self.state, happening, error)]

    def _serve(self, ask: Ask) -> KernelWork | None:
        """Carry out what an exchange asks, in its turn, unless it has ended meanwhile."""
        work, attempt = ask.work, ask.work.attempt
        if work.running.conversation.ended or attempt is None or self._at_work.turns.keeps(self.state, ask):
            return None
        match ask.call:
            case ReserveSpi() as call:
                child = next(child.name for child in self.connection.children if child.reqid == call.reqid)
                work.running.record.child = child
                return self.learn_after(self._kernel.reserve_spi(attempt, child, call))
            case OpenInbound(sa, keys):
                opening = exchange_facts.Opening(attempt, sa, Half.INBOUND)
                named = _named(sa.local, sa.inbound_spis, keys)
                alone = not self.connection.anybody and self.connection.unique is not Unique.KEEP and sa.asked is None
                return self._learn(opening, named) if alone else self.learn_after(self.claimant.claim(opening), named)
            case OpenOutbound(sa, keys):
                named = _named(sa.remote, sa.outbound_spis, keys)
                return self._learn(exchange_facts.Opening(attempt, sa, Half.BOTH), named)

    def _learn(self, fact: Fact, keys: Mapping[SaId, EspKeys] = NO_KEYS) -> KernelWork | None:
        before = self.state
        self._waiters.admit(fact)
        self.state, todo = decide(self.connection, before, fact, self._ports.now(), self._ports.salt)
        used = {fact.under: (fact.message_id,)} if type(fact) is message_facts.Informed else NOTHING_USED
        self._ledger.learnt(self.state, used)
        if asks := self._at_work.learnt(fact):
            self.post(*asks)
        self._arm(before)
        if before.children is not self.state.children:
            self._standby.learnt(self.connection.name, self.state)
            self._lead_routes()
        if self._links is not None and self._links.wants_anew(self.state):
            self.post(LinksAgain())
        views, unused = self._kernel.differences(before, self.state), self._kernel.unused(before, self.state)
        if not views and not unused:
            self._go_on(fact, todo, None)
            return None
        return self._apply(fact, todo, views, unused, keys)

    def _go_on(self, fact: Fact, todo: Sequence[Effect], refusal: IkeError | None) -> None:
        """The kernel is as the state desires, or has refused: then no exchange goes on as though a half stood."""
        for effect in todo:
            if refusal and type(fact) is exchange_facts.Opening and type(effect) is effects.Resume:
                self.put_first((kernel_facts.KernelRefused(effect.attempt, refusal),))
                continue
            try:
                self._carry_out(effect)
            except Exception as bug:  # the others are carried out
                self.post(*bugs.not_done(self.connection.name, effect, bug))

    async def learn(self, fact: Fact, keys: Mapping[SaId, EspKeys] = NO_KEYS) -> None:
        """Now, before what waits."""
        if kernel_work := self._learn(fact, keys):
            await kernel_work

    async def learn_after(self, question: Coroutine[Any, Any, Fact], keys: Mapping[SaId, EspKeys] = NO_KEYS) -> None:
        """What the kernel or other peers have to say comes first."""
        await self.learn(await question, keys)

    # -- the kernel ------------------------------------------------------------------------------------------------

    async def _apply(
        self,
        fact: Fact,
        todo: Sequence[Effect],
        views: Mapping[str, View],
        unused: Iterable[SaId],
        keys: Mapping[SaId, EspKeys],
    ) -> None:
        refusals = await self._kernel.bring(views, keys)
        found = self._kernel.placed(self.state, views, refusals)
        refusal = next(iter(refusals.values()), None)
        for name in unused:
            self._kernel.report(await self._kernel.believed.free(name))
        if not isinstance(fact, exchange_facts.Opening):
            self._kernel.report(error for error in refusals.values() if not isinstance(error, PolicyTaken))
        self.put_first(found)
        self._go_on(fact, todo, refusal)

    async def _bring_again(self, again: Again) -> None:
        self._lead_routes()
        self.put_first(await self._kernel.bring_again(self.state, again))

    def _lead_routes(self) -> None:
        """To what its policy-based children protect, as the state has it now; and what goes through its tunnels by TCP
        is kept short enough."""
        led, self._leads = self._leads, self.connection.leads_routes or self.connection.mss is not None
        if led or self._leads:
            self._ports.routing.follow(self, self.connection, self.state, self._standby.yields)
            self._ports.clamping.follow(self, self.connection, self.state)

    async def _bring_links(self, again: LinksAgain) -> None:
        if self._links is not None:
            self.put_first(reversed(await self._links.bring(self.state, again)))

    def _carry_out(self, effect: Effect) -> None:
        if type(effect) is effects.Answer:
            self._waiters.answer(effect.child, effect.error)
        elif type(effect) is effects.TellOthers:
            self._contacts.tell_others(self, self.state.isakmp[effect.under])
        elif type(effect) is effects.RunHook:
            self._ports.hooks.run(self, effect)
        elif happenings := self._at_work.carry_out(self.state, effect):
            self.post(*happenings)

    # -- time ------------------------------------------------------------------------------------------------------

    def _arm(self, before: PeerState, earliest: float = 0.0) -> None:
        """What changed is due at another time."""
        arm(self._agenda, before, self.state, max(earliest, self._rests_until))
        arm_keepalive(self._agenda, self._ports, self.connection.nat_keepalive, before, self.state)

    def _due(self, keys: list[object]) -> None:
        decisions, children = False, list[str]()
        for key in keys:
            match key:
                case Work() | Asleep():
                    self.post(*self._at_work.tick(key))
                case Again() | LinksAgain():
                    self.post(key)
                case Subject.KEEPALIVE:
                    keep_alive(self._agenda, self._ports, self.connection.nat_keepalive, self.state)
                case str():
                    children.append(key)
                case _:
                    decisions = True
        if decisions or children:
            self.post(facts.Due(tuple(children)))


def _named(destination: Address, spis: Iterable[Spi], keys: EspKeys) -> dict[SaId, EspKeys]:
    """Of the SAs of one direction. IPComp has no key."""
    return {SaId(destination, spi): NO_KEY if spi.protocol == Protocol.IPCOMP else keys for spi in spis}
