"""All exchanges under one ISAKMP SA: each has its own message ID, IV chain, deadline and fate. Knows nothing of
children's lives: what comes of a step is returned, for the session."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ikevd.addresses import Path
from ikevd.conversation.core import Conversation
from ikevd.conversation.effects import AskHost, Effect, Raised, Record, Returned
from ikevd.conversation.timing import Timing
from ikevd.errors import Abandoned, IkeError, Malformed, UnexpectedMessage
from ikevd.exchanges import informational, phase2, quick_mode
from ikevd.exchanges.link import Exchange, Host, Link, Situation
from ikevd.facts import Dropped
from ikevd.findings import IpsecSaStands, Traffic, Unreachable
from ikevd.negotiation.agenda import Agenda
from ikevd.negotiation.ends import Ends
from ikevd.negotiation.hints import hear_hints
from ikevd.negotiation.message_ids import MessageIds
from ikevd.negotiation.ports import Ports
from ikevd.negotiation.running import Accepted, Outcome, Running
from ikevd.negotiation.work import Ask, Happening, Work
from ikevd.peer import facts
from ikevd.peer.state import Attempt
from ikevd.policy.choose import describe
from ikevd.policy.model import Child
from ikevd.sa.model import IpsecSa, IsakmpSa
from ikevd.wire.message import Header
from ikevd.wire.payloads import Payload
from ikevd.wire.registry import ExchangeType

MAX_AT_ONCE = 200
"""Exchanges under one ISAKMP SA that the peer began and that are under way."""
MAX_KEPT = 1000
"""Exchanges of one ISAKMP SA that may still be asked for an answer; beyond it the oldest that ended is forgotten."""
QUICK_MODE, INFORMATIONAL = ExchangeType.QUICK_MODE, ExchangeType.INFORMATIONAL


class Exchanges:
    """Hands each datagram to its exchange and begins new ones."""

    def __init__(
        self,
        sa: IsakmpSa,
        phase1: Running,
        children: Sequence[Child],
        timing: Timing,
        ports: Ports,
        agenda: Agenda[object],
        numbers: Iterator[Attempt],
    ) -> None:
        """`agenda`: tells its owner when to call `tick`, with the `Work`; `numbers`: for the peer's Quick Modes."""
        self.sa = sa
        self.phase1 = phase1
        self._children = children
        self._timing = timing
        self._ports = ports
        self._agenda = agenda
        self._numbers = numbers
        self._ends = Ends(sa)
        self._silent = True
        """Has the peer said nothing under this SA?"""
        self._used = MessageIds()
        self._works: dict[int, Work] = {}
        self._theirs = 0
        """Exchanges that the peer began and that are under way."""

    @property
    def blocks(self) -> tuple[bytes, ...]:
        """The last blocks of phase 1 that the peer may hold, the likeliest first."""
        return self._ends.sa.last_blocks

    # -- receiving --------------------------------------------------------------------------------------------------

    def heard(self, header: Header, octets: bytes, path: Path, home: Path, *, leaving: bool) -> list[Happening]:
        """A datagram that names our cookie. `home`: the path of the ISAKMP SA; `leaving`: only farewells begin."""
        if header.message_id == 0 or not header.encrypted:
            self._phase1_heard(header, octets, path)
        elif work := self._works.get(header.message_id):
            return self.goes_on(work, work.running.heard(octets, path))
        elif refusal := self._refusal(header, leaving=leaving):
            self._ports.counters.count(f"drop: {refusal}")
        else:
            return self._begun_by_peer(header, octets, path, home)
        return []

    def unreachable(self, message_id: int, path: Path, found: Unreachable) -> None:
        """A message of ours did not arrive."""
        if work := self._works.get(message_id):
            work.running.unreachable(path, found)

    def _refusal(self, header: Header, *, leaving: bool) -> str | None:
        """Why no exchange begins with this message."""
        if header.message_id in self._used:
            return "message ID already used"
        if leaving and header.exchange != INFORMATIONAL:
            return "the ISAKMP SA has been deleted"
        if self._theirs >= MAX_AT_ONCE or self._used.full:
            return "too many exchanges under one ISAKMP SA"
        if header.exchange not in (QUICK_MODE, INFORMATIONAL):
            return f"{header.exchange if header.exchange.known else 'unknown exchange type'} is not supported"
        return None

    def _phase1_heard(self, header: Header, octets: bytes, path: Path) -> None:
        if header.exchange == INFORMATIONAL:
            under_way = [work.running for work in self._works.values() if not work.running.conversation.ended]
            hear_hints(under_way or [self.phase1], header, octets)
        else:
            self.phase1.heard(octets, path)
            self._learn_ends()

    def _learn_ends(self) -> None:
        """What we began and the peer has not answered is said from each of the new ones, too."""
        for block in self._ends.learn(self.phase1.conversation.other_ends):
            for message_id, work in self._works.items():
                if work.running.conversation.initiator:
                    work.running.conversation.fork(phase2.chain(self.sa, block, message_id))

    def _begun_by_peer(self, header: Header, octets: bytes, path: Path, home: Path) -> list[Happening]:
        """A first message from the peer: no state of it stays unless its HASH(1) holds."""
        situation, link = self._situation(header.message_id, home)
        if header.exchange == QUICK_MODE:
            exchange: Exchange[object] = quick_mode.respond(link, Host(), self.sa, self._children, self._ports.entropy)
        else:
            exchange = informational.hear(link, self.sa)
        core = Conversation(exchange, header.exchange, situation, self._timing, initiator=False)
        effects = [*core.start(self._ports.now()), *core.heard(octets, path, self._ports.now())]
        if not core.has_spoken:
            self._reject(core, header, octets, effects)
            return []
        work = self._enter(core, header.exchange, home)
        outcomes = work.running.apply(effects)
        if header.exchange != QUICK_MODE:
            return self.goes_on(work, outcomes)
        work.attempt = next(self._numbers)
        return [facts.QuickModeBegan(work.attempt, self.sa.cookies), *self.goes_on(work, outcomes)]

    def _reject(self, core: Conversation, header: Header, octets: bytes, effects: Sequence[Effect]) -> None:
        core.close()
        for effect in effects:
            if isinstance(effect, Record) and isinstance(effect.fact, Dropped):
                self._ports.counters.count(f"drop: {header.exchange} that {self._fault(effect.fact, header, octets)}")
                self.phase1.record.add(effect.fact)

    def _fault(self, dropped: Dropped, header: Header, octets: bytes) -> str:
        if dropped.error == UnexpectedMessage.__name__:
            return "does not belong here"
        if dropped.error == Malformed.__name__ and phase2.proves_itself(self._ends.sa, header, octets):
            return "is authentic, but malformed"
        return "is not authentic"

    # -- sending ----------------------------------------------------------------------------------------------------

    def quick_mode(self, child: Child, attempt: Attempt, home: Path) -> tuple[Work, list[Happening]]:
        """Begin a Quick Mode for `child`."""
        situation, link = self._situation(self._fresh_id(), home)
        exchange = quick_mode.initiate(link, Host(), self.sa, child, self._ports.entropy)
        core = Conversation(exchange, QUICK_MODE, situation, self._timing, initiator=True)
        work = self._enter(core, QUICK_MODE, home, child.name)
        work.attempt = attempt
        return work, self.goes_on(work, work.running.start())

    def tell(self, payloads: Sequence[Payload], home: Path) -> None:
        """An Informational message, sent a few times since nothing answers it."""
        situation, link = self._situation(self._fresh_id(), home)
        exchange = informational.tell(link, self.sa, *payloads)
        core = Conversation(exchange, INFORMATIONAL, situation, self._timing, initiator=True)
        work = self._enter(core, INFORMATIONAL, home)
        self.goes_on(work, work.running.start())

    # -- going on ---------------------------------------------------------------------------------------------------

    def tick(self, work: Work) -> list[Happening]:
        """Its time has come: to send again, to give up, or to be forgotten."""
        if work.forget_at is not None and self._ports.now() >= work.forget_at:
            self._forget(work)
            return []
        return self.goes_on(work, work.running.tick())

    def goes_on(self, work: Work, outcomes: Sequence[Outcome]) -> list[Happening]:
        """What the outcomes of one step mean for the session."""
        happenings: list[Happening] = []
        for outcome in outcomes:
            match outcome:
                case Accepted(path):
                    self._authentic(work)
                    happenings.append(facts.Heard(self.sa.cookies, path, self._ends.sa.last_blocks))
                case AskHost(call):
                    happenings.append(Ask(work, call))
                case Returned(result):
                    happenings += self._returned(work, result)
                    self._ended(work)
                case Raised(error):
                    happenings += self._raised(work, error)
                    self._ended(work)
        self._agenda.set(work, work.due)
        return happenings

    def close(self) -> None:
        """Forget everything: exchanges and phase 1."""
        for work in tuple(self._works.values()):
            self._forget(work)
        self.phase1.fail(Abandoned("the ISAKMP SA is gone"))
        self.phase1.close()

    # -- within -----------------------------------------------------------------------------------------------------

    def _situation(self, message_id: int, home: Path) -> tuple[Situation, Link]:
        (chains, forks), nat_port = self._ends.chains(message_id), self._ports.nat_port
        situation = Situation(self.sa.cookies, message_id, home, chains, forks, nat_port=nat_port, nat=self.sa.nat)
        if self.sa.exchange == ExchangeType.AGGRESSIVE and self.sa.initiator and self._silent:
            situation.answered_at = self._ports.port  # our message 3, which nothing answers, may be the first elsewhere
        return situation, Link(situation)

    def _fresh_id(self) -> int:
        while True:
            message_id = int.from_bytes(self._ports.entropy.octets(4), "big")
            if message_id and message_id not in self._used:
                return message_id

    def _enter(self, core: Conversation, kind: ExchangeType, home: Path, child: str | None = None) -> Work:
        self._used.add(core.message_id)
        self._theirs += not core.initiator
        record = self._ports.history.open(
            kind,
            self.sa.cookies,
            core.message_id,
            home.remote,
            initiator=core.initiator,
            connection=self.sa.connection,
            child=child,
        )
        work = self._works[core.message_id] = Work(Running(core, record, self._ports), self)
        if len(self._works) > MAX_KEPT:
            self._forget_oldest()
        return work

    def _forget_oldest(self) -> None:
        ended = next((work for work in self._works.values() if work.running.conversation.ended), None)
        if ended is not None:
            self._forget(ended)

    def _authentic(self, work: Work) -> None:
        """The peer has shown that it holds the SA."""
        self._ends.prove(work.running.conversation.origin)
        if self._silent:
            self._silent = False
            self.phase1.confirm()

    def _returned(self, work: Work, result: object) -> list[Happening]:
        if isinstance(result, IpsecSa) and work.attempt is not None:
            record = work.running.record
            record.child, record.spis = result.child, (result.inbound, result.outbound)
            selectors = Traffic(str(result.local_selector), str(result.remote_selector))
            suite, spis = describe(result.suite), (str(result.inbound), str(result.outbound))
            work.running.established(IpsecSaStands(selectors, suite, *spis))
            return [facts.QuickModeUp(work.attempt, result)]
        if isinstance(result, tuple):  # what an Informational message said
            return [facts.Informed(self.sa.cookies, result)]
        return []

    def _raised(self, work: Work, error: IkeError) -> list[Happening]:
        """An Informational exchange that failed has nobody waiting for it; its record holds the cause."""
        if work.attempt is None:
            return []
        conversation = work.running.conversation
        return [facts.QuickModeFailed(work.attempt, error, conversation.has_spoken, conversation.has_sent)]

    def _ended(self, work: Work) -> None:
        """It may have to be repeated for a while; else its message ID is enough."""
        conversation = work.running.conversation
        self._theirs -= not conversation.initiator
        if conversation.wanted_for:
            work.forget_at = self._ports.now() + conversation.wanted_for
        else:
            self._forget(work)

    def _forget(self, work: Work) -> None:
        work.forget_at = None
        work.running.close()
        self._agenda.set(work, None)
        self._works.pop(work.running.conversation.message_id, None)
        if not self._works:  # a dict that was emptied is three times as large as an empty one
            self._works.clear()

    @property
    def worn(self) -> bool:
        """Are the message IDs used up?"""
        return self._used.full
