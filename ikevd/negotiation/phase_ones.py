"""The phase 1s of one session: how ours begin and go on, and the ISAKMP SAs that come of them and of the peer's.

What comes of a step is returned, for the session.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from types import MappingProxyType

from ikevd.addresses import Address
from ikevd.conversation import replay
from ikevd.conversation.core import Conversation
from ikevd.conversation.effects import AskHost, Raised, Returned
from ikevd.conversation.timing import LINGER, Timing
from ikevd.errors import Abandoned, IkeError, Said
from ikevd.exchanges.link import FirstContact
from ikevd.facts import Note
from ikevd.negotiation import phase1
from ikevd.negotiation.agenda import Agenda
from ikevd.negotiation.callees import Callee
from ikevd.negotiation.contacts import Contacts
from ikevd.negotiation.exchanges import Exchanges
from ikevd.negotiation.farewell import say_farewell
from ikevd.negotiation.ledger import Kept, Ledger
from ikevd.negotiation.ports import Ports
from ikevd.negotiation.router import Handler, Router
from ikevd.negotiation.running import Outcome, Running
from ikevd.negotiation.turns import Turns
from ikevd.negotiation.volume import Volume
from ikevd.negotiation.work import Happening, Work
from ikevd.observe.history import Record
from ikevd.peer import exchange_facts, facts
from ikevd.peer.blocked import forges
from ikevd.peer.exchange_state import Attempt
from ikevd.peer.isakmp_state import Stage
from ikevd.peer.state import PeerState
from ikevd.policy.connection import Connection
from ikevd.sa.model import Cookies, IsakmpSa
from ikevd.store.interface import ExchangeState

NO_VOLUMES: Mapping[Cookies, Volume] = MappingProxyType({})


class PhaseOnes:
    """Begins ours, and takes in every ISAKMP SA."""

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

    def names_answered(self, state: PeerState) -> list[Happening]:
        """A phase 1 that waits for the address of a name may go on."""
        asking, self._asking = self._asking, None
        return [] if asking is None else self._begin_phase1(state, asking)

    def phase1_source(self, state: PeerState) -> Address | None:
        """From which address our phase 1 is under way."""
        work = self._phase1(state)
        return work.running.conversation.path.local.address if work else None

    def _phase1(self, state: PeerState) -> Work | None:
        return self._begun.get(state.phase1) if state.phase1 is not None else None

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
        beginning, kept = phase1.beginning(self._connection, cookie, self._ports, path), None
        if self._ledger.open and any(one.stage is Stage.READY for one in state.isakmp.values()):
            kept = Kept(self._ledger, beginning)  # the peer may complete it, and use what it made at once
            kept.numbered(attempt)
        core = replay.begin(beginning, self._maker(state, attempt), self._timing, remembers=kept is not None)
        work = self._enter_phase1(attempt, core, kept)
        return self._phase1_goes_on(work, work.running.start())

    def _maker(self, state: PeerState, attempt: Attempt) -> replay.Make[IsakmpSa]:
        self._forged = attempt if forges(state) else None
        return phase1.maker(self._connection, forged=self._forged is not None)

    def _enter_phase1(self, attempt: Attempt, core: Conversation[IsakmpSa], kept: Kept | None) -> Work:
        running = phase1.initiate(core, self._connection, self._ports, kept)
        work = self._begun[attempt] = Work(running, attempt=attempt)
        self._router.register(core.cookies.initiator, self._owner)
        return work

    def _phase1_again(self, state: PeerState, stored: ExchangeState) -> list[Happening]:
        """Ours, which an earlier process had begun. What is not under way any more, or cannot be told again, is
        forgotten."""
        kept = Kept.read(self._ledger, stored)
        if stored.attempt is None or stored.attempt != state.phase1:
            kept.forget()
            return []
        try:
            make = self._maker(state, stored.attempt)
            revived = replay.revive(stored.inputs, make, self._timing, self._ports.now())
        except replay.Irreproducible:
            kept.forget()
            return []
        work = self._enter_phase1(stored.attempt, revived.conversation, kept)
        work.running.record.add(Note(Said("taken over from the process before")))
        return self._phase1_goes_on(work, [AskHost(revived.asks)] if revived.asks is not None else [])

    def _place_judged(self, fact: facts.Fact) -> None:
        """Did our phase 1 end well where it was begun?"""
        match fact:
            case exchange_facts.PhaseOneUp(attempt) if attempt is not None:
                self.callee.up()
            case exchange_facts.PhaseOneFailed(attempt, error) if (
                not isinstance(error, Abandoned) and attempt != self._forged
            ):
                self.callee.failed()

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
