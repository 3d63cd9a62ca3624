"""The one place where a peer's exchanges begin, go on and end: phase 1 that we initiate, and all under its ISAKMP SAs.

What comes of a step is returned, for the session.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from types import MappingProxyType

from ikevd.addresses import Address, Path
from ikevd.conversation.effects import AskHost, Raised, Returned
from ikevd.conversation.timing import LINGER, Timing
from ikevd.errors import Abandoned, Finding, IkeError, Said
from ikevd.exchanges.link import FirstContact
from ikevd.facts import Note
from ikevd.findings import Unreachable
from ikevd.frozen import replace
from ikevd.negotiation import dpd, phase1
from ikevd.negotiation.agenda import Agenda
from ikevd.negotiation.asleep import Asleep
from ikevd.negotiation.callees import Callee
from ikevd.negotiation.contacts import Contacts
from ikevd.negotiation.exchanges import Exchanges
from ikevd.negotiation.farewell import say_farewell
from ikevd.negotiation.ledger import Ledger
from ikevd.negotiation.ports import Ports
from ikevd.negotiation.reports import report
from ikevd.negotiation.router import Handler, Router
from ikevd.negotiation.running import Outcome, Running
from ikevd.negotiation.turns import Turns
from ikevd.negotiation.volume import Volume
from ikevd.negotiation.work import Ask, Happening, Work
from ikevd.observe.history import Record
from ikevd.peer import effects, exchange_facts, facts, kernel_facts, lost, message_facts
from ikevd.peer.blocked import forges
from ikevd.peer.exchange_state import Attempt
from ikevd.peer.isakmp_state import Stage
from ikevd.peer.notices import delete_isakmp
from ikevd.peer.state import PeerState
from ikevd.policy.connection import Connection
from ikevd.sa.model import Cookies, IsakmpSa
from ikevd.store.interface import StoredPeer
from ikevd.wire.message import Header

NO_VOLUMES: Mapping[Cookies, Volume] = MappingProxyType({})
ENDS = (
    exchange_facts.PhaseOneUp,
    exchange_facts.PhaseOneFailed,
    exchange_facts.QuickModeUp,
    exchange_facts.QuickModeFailed,
)
"""An exchange is not under way any more."""


class AtWork:
    """The exchanges of one session."""

    def __init__(
        self,
        connection: Connection,
        router: Router,
        ports: Ports,
        agenda: Agenda[object],
        owner: Handler,
        ledger: Ledger,
        contacts: Contacts,
    ) -> None:
        """`agenda` tells the session when to call `tick`, with the `Work`; `owner` gets what bears our cookies; Quick
        Modes are stored in `ledger`."""
        self._connection = connection
        self.callee = Callee(connection, ports)
        self._asking: Attempt | None = None
        """Our phase 1 that waits for the address of a name."""
        self._forged: Attempt | None = None
        """Our newest phase 1, if it makes both sides believe in a NAT."""
        self._children = {child.name: child for child in connection.children}
        self._timing = Timing(connection.resend)
        self._router = router
        self._ports = ports
        self._agenda = agenda
        self._owner = owner
        self._ledger = ledger
        self._contacts = contacts
        self._under: dict[Cookies, Exchanges] = {}
        """By ISAKMP SA, oldest first."""
        self._volumes: Mapping[Cookies, Volume] = NO_VOLUMES
        """Of those ISAKMP SAs whose lifetime has one."""
        self._begun: dict[Attempt, Work] = {}
        """Our phase 1, and the Quick Modes of both sides, while they are under way."""
        self.turns = Turns()
        self._numbers = map(Attempt, count(-1, -1))
        """Of the peer's Quick Modes; ours are numbered by the state."""

    def reload(self, connection: Connection) -> None:
        """What begins from here on is for this connection; what is under way goes on as it began."""
        self._connection = connection
        self.callee.reload(connection)
        self._children = {child.name: child for child in connection.children}
        self._timing = replace(self._timing, resend=connection.resend)
        for exchanges in self._under.values():
            exchanges.reload(connection.children, self._timing)

    # -- what comes in ----------------------------------------------------------------------------------------------

    def heard(self, state: PeerState, header: Header, octets: bytes, path: Path) -> list[Happening]:
        """A datagram that names one of our cookies."""
        if exchanges := self._of_cookie(header.responder, header.initiator):
            isakmp = state.isakmp.get(exchanges.sa.cookies)
            leaving = isakmp is not None and isakmp.stage is Stage.LEAVING
            happenings = exchanges.heard(header, octets, path, self._home(state, exchanges), leaving=leaving)
            if volume := self._volumes.get(exchanges.sa.cookies):
                volume.heard(octets, happenings)
            if isakmp is not None and (seconds := dpd.round_trip(isakmp.liveness, happenings, self._ports.now())):
                self._timing.round_trip.measured(seconds, 1)
            return happenings
        if work := self._phase1(state):
            return self._phase1_goes_on(work, phase1.hear(work.running, header, octets, path))
        return []

    def unreachable(self, state: PeerState, message_id: int, path: Path, found: Unreachable) -> None:
        """A message of ours did not arrive, says an ICMP error: forgeable, so it is evidence only."""
        for exchanges in self._under.values():
            exchanges.unreachable(message_id, path, found)
        if not message_id:
            self.note_unreachable(state, path, found)

    def note_unreachable(self, state: PeerState, path: Path, found: Unreachable) -> None:
        """Likewise, where the error does not tell which message: it may be our phase 1."""
        if work := self._phase1(state):
            work.running.unreachable(path, found)

    def tick(self, work: Work | Asleep) -> list[Happening]:
        """The time of an exchange has come. A bug ends the exchange alone."""
        try:
            return self._tick(work)
        except Exception as bug:
            report("at the time of an exchange", bug)
            attempt, error = None if isinstance(work, Asleep) else work.attempt, lost.error_of(bug)
            return [] if attempt is None else [*lost.not_done(effects.Abort(attempt, error), error)]

    def _tick(self, work: Work | Asleep) -> list[Happening]:
        if isinstance(work, Asleep):
            work.forget_over()
            return []
        if work.under is not None:
            return work.under.tick(work)
        if work.forget_at is not None and self._ports.now() >= work.forget_at:
            work.running.let_go()
            if exchanges := self._under.get(work.running.conversation.cookies):
                exchanges.let_phase1_go()
            return []
        return self._phase1_goes_on(work, work.running.tick())

    def adopt(self, sa: IsakmpSa, running: Running, attempt: Attempt | None) -> exchange_facts.PhaseOneUp:
        """An ISAKMP SA stands, whoever began its phase 1. Its last message is held until `learnt`."""
        greets = self._contacts.greets_apart(self._connection, sa, running.conversation)
        self._enter(sa, running, running.record)
        if attempt is None and running.conversation.round_trip is not None:
            self._timing.round_trip.at_most(running.conversation.round_trip)
        lingering = Work(running, forget_at=self._ports.now() + LINGER)
        self._agenda.set(lingering, lingering.due)
        self._ports.export_key(sa)
        return exchange_facts.PhaseOneUp(attempt, sa, running.last_flight, running.began, greets)

    def learnt(self, fact: facts.Fact) -> Iterable[Ask]:
        """What the session has learnt is stored: the last message of a phase 1 that ended well may leave, and what has
        ended is not under way any more. What may have its turn now is asked again."""
        if isinstance(fact, ENDS):
            if isinstance(fact, exchange_facts.PhaseOneUp) and (exchanges := self._under.get(fact.sa.cookies)):
                exchanges.release()
            self._place_judged(fact)
            self._ended(fact.attempt)
        return self.turns.again()

    def lost(self, state: PeerState, fact: object, error: IkeError) -> list[Happening]:
        """A bug let nothing be learnt of the fact, nor of what `peer.lost` has in its place: what it is of ends."""
        match fact:
            case exchange_facts.PhaseOneUp(_, sa) if sa.cookies not in state.isakmp and sa.cookies in self._under:
                if sa.initiator:  # else the peer has not got its last message
                    self._under[sa.cookies].tell_once((delete_isakmp(sa.cookies),), sa.path)
                self._forget(sa.cookies)
            case exchange_facts.QuickModeBegan(attempt):
                return self.carry_out(state, effects.Abort(attempt, error))
            case kernel_facts.KernelRefused(attempt, refusal):
                return self.carry_out(state, effects.Resume(attempt, refusal))
            case exchange_facts.PhaseOneFailed(attempt) | exchange_facts.QuickModeFailed(attempt):
                self._ended(attempt)
        return []

    def restore(self, stored: StoredPeer) -> list[Happening]:
        """Go on where an earlier process was."""
        state = stored.state
        kept = (one.attempt for one in stored.exchanges.values() if one.attempt is not None)
        first = min((*state.quick_modes, *kept), default=0)
        self._numbers = map(Attempt, count(min(first, 0) - 1, -1))
        happenings: list[Happening] = []
        for cookies, isakmp in state.isakmp.items():
            sa, remote = isakmp.sa, isakmp.path.remote
            record = self._ports.history.open(
                sa.exchange, cookies, 0, remote, initiator=sa.initiator, connection=sa.connection
            )
            record.add(Note(Said("taken over from the process before")))
            record.pack()
            its = {key.message_id: one for key, one in stored.exchanges.items() if key.cookies == cookies}
            exchanges = self._enter(sa, None, record)
            exchanges.last_flight = isakmp.last_flight
            exchanges.use_up(stored.used.get(cookies, ()))
            happenings += exchanges.restore(isakmp.path, its, state.quick_modes)
        return happenings

    @property
    def under_way(self) -> frozenset[Attempt]:
        """The Quick Modes that go on."""
        return frozenset(self._begun)

    def phase1_source(self, state: PeerState) -> Address | None:
        """From which address our phase 1 is under way."""
        work = self._phase1(state)
        return work.running.conversation.path.local.address if work else None

    # -- what is to be done -----------------------------------------------------------------------------------------

    def carry_out(self, state: PeerState, effect: effects.Effect) -> list[Happening]:
        """What a fact has led to, if it is of exchanges; what only the kernel can answer is for later."""
        if type(effect) is effects.Resume:  # the most frequent one: "What costs" in docs/performance.md
            if (work := self._begun.get(effect.attempt)) is None:
                return []
            if effect.error is None:
                return self._goes_on(work, work.running.resume(state.quick_modes[effect.attempt].spi))
            return self._goes_on(work, work.running.refuse(effect.error))
        match effect:
            case effects.AskTraffic() | effects.AskPackets() | effects.AskUse() | effects.AskBalance():
                return [effect]
            case effects.BeginPhaseOne(attempt, why):
                return self._told(attempt, why, self._begin_phase1(state, attempt))
            case effects.BeginQuickMode(attempt, _, _, why):
                return [*self._told(attempt, why, self._begin_quick_mode(state, effect)), *self.worn()]
            case effects.Abort(attempt, error) if attempt == self._asking:
                self._asking = None
                return [exchange_facts.PhaseOneFailed(attempt, error)]
            case effects.Abort(attempt, error) if work := self._begun.get(attempt):
                return self._goes_on(work, work.running.fail(error))
            case effects.Say(under, payloads, once, to) if exchanges := self._under.get(under):
                tell = exchanges.tell_once if once else exchanges.tell
                tell(payloads, to or self._home(state, exchanges))
            case effects.Record(under, fact) if exchanges := self._under.get(under):
                exchanges.record.add(fact)
            case effects.Follow(under, path) if exchanges := self._under.get(under):
                exchanges.follow(path)
            case effects.Forget(under):
                self._forget(under)
        return []

    def worn(self) -> list[Happening]:
        """The ISAKMP SAs whose message IDs or whose volume are used up, or will soon be."""
        found: list[Happening] = [message_facts.Worn(cookies) for cookies, known in self._under.items() if known.worn]
        for cookies, volume in self._volumes.items():
            found += volume.news(cookies)
        return found

    def close(self) -> None:
        """Forget everything without a word."""
        for cookies in tuple(self._under):
            self._forget(cookies)
        for work in self._begun.values():
            self._router.forget(work.running.conversation.cookies.initiator)
            work.running.close()
        self._begun.clear()

    # -- within -----------------------------------------------------------------------------------------------------

    def _place_judged(self, fact: facts.Fact) -> None:
        """Did our phase 1 end well where it was begun?"""
        match fact:
            case exchange_facts.PhaseOneUp(attempt) if attempt is not None:
                self.callee.up()
            case exchange_facts.PhaseOneFailed(attempt, error) if (
                not isinstance(error, Abandoned) and attempt != self._forged
            ):
                self.callee.failed()

    def names_answered(self, state: PeerState) -> list[Happening]:
        """A phase 1 that waits for the address of a name may go on."""
        asking, self._asking = self._asking, None
        return [] if asking is None else self._begin_phase1(state, asking)

    def _begin_phase1(self, state: PeerState, attempt: Attempt) -> list[Happening]:
        cookie = self._router.mint()
        try:
            path = self.callee.path(state)
        except IkeError as refusal:
            phase1.refused(self._connection, cookie, self._ports, refusal)
            return [exchange_facts.PhaseOneFailed(attempt, refusal)]
        if path is None:
            self._asking = attempt
            return []
        self._forged = attempt if forges(state) else None
        forged = self._forged is not None
        running = phase1.initiate(self._connection, cookie, self._ports, path, self._timing, forged=forged)
        work = self._begun[attempt] = Work(running, attempt=attempt)
        self._router.register(cookie, self._owner)
        return self._phase1_goes_on(work, running.start())

    def _told(self, attempt: Attempt, why: Finding | None, begun: list[Happening]) -> list[Happening]:
        """The record says why it was begun."""
        if why is not None and (work := self._begun.get(attempt)):
            work.running.record.add(Note(why))
        return begun

    def _begin_quick_mode(self, state: PeerState, begin: effects.BeginQuickMode) -> list[Happening]:
        exchanges, child = self._under[begin.under], self._children[begin.child]
        return exchanges.quick_mode(child, begin.attempt, self._home(state, exchanges))

    def _forget(self, under: Cookies) -> None:
        """The ISAKMP SA is gone."""
        if exchanges := self._under.pop(under, None):
            self._router.retire(exchanges.sa.our_cookie)
            exchanges.close()
            if under in self._volumes:
                self._volumes = {cookies: volume for cookies, volume in self._volumes.items() if cookies != under}

    def _ended(self, attempt: Attempt | None) -> None:
        if attempt is not None:
            self._begun.pop(attempt, None)
            if not self._begun:  # a dict that was emptied is three times as large as an empty one
                self._begun.clear()

    def _enter(self, sa: IsakmpSa, running: Running | None, record: Record) -> Exchanges:
        ports = self._ports
        if sa.lifetime.kilobytes is not None:
            volume = Volume(sa.lifetime.kilobytes)
            ports, self._volumes = volume.metered(ports), {**self._volumes, sa.cookies: volume}
        exchanges = Exchanges(
            sa,
            running,
            record,
            self._connection.children,
            self._timing,
            ports,
            self._agenda,
            self._numbers,
            self._begun,
            self._ledger,
        )
        self._under[sa.cookies] = exchanges
        self._router.register(sa.our_cookie, self._owner)
        return exchanges

    def _of_cookie(self, *cookies: bytes) -> Exchanges | None:
        for found in reversed(self._under.values()):
            if found.sa.our_cookie in cookies:
                return found
        return None

    def _home(self, state: PeerState, exchanges: Exchanges) -> Path:
        """The path of its ISAKMP SA; the session may not have learnt of that yet."""
        isakmp = state.isakmp.get(exchanges.sa.cookies)
        return isakmp.path if isakmp else exchanges.sa.path

    def _phase1(self, state: PeerState) -> Work | None:
        return self._begun.get(state.phase1) if state.phase1 is not None else None

    def _goes_on(self, work: Work, outcomes: Sequence[Outcome]) -> list[Happening]:
        return work.under.goes_on(work, outcomes) if work.under else self._phase1_goes_on(work, outcomes)

    def _phase1_goes_on(self, work: Work, outcomes: Sequence[Outcome]) -> list[Happening]:
        happenings: list[Happening] = []
        for outcome in outcomes:
            match outcome:
                case Returned(IsakmpSa() as sa):
                    happenings.append(self.adopt(sa, work.running, work.attempt))
                case AskHost(FirstContact() as question):
                    first = self._contacts.is_first(question, work.running.conversation)
                    happenings += self._phase1_goes_on(work, work.running.resume(first))
                case Raised(error):
                    self._router.forget(work.running.conversation.cookies.initiator)
                    say_farewell(work.running, error, self._ports, self._agenda)
                    if work.attempt is not None:
                        happenings.append(exchange_facts.PhaseOneFailed(work.attempt, error))
        self._agenda.set(work, work.due)
        return happenings
