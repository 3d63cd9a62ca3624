"""What comes of each step of the exchanges under one ISAKMP SA, and how long each exchange is kept. Knows nothing of
children's lives: what comes of a step is returned, for the session."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ikevd.addresses import Path
from ikevd.conversation.core import Conversation
from ikevd.conversation.effects import AskHost, CameTwice, Heeded, Raised, Returned
from ikevd.conversation.timing import Timing
from ikevd.errors import Abandoned, IkeError
from ikevd.exchanges.ipsec import stands
from ikevd.exchanges.link import OpenInbound, OpenOutbound, ReserveSpi
from ikevd.facts import Heard
from ikevd.negotiation.agenda import Agenda
from ikevd.negotiation.asleep import Asleep
from ikevd.negotiation.beginnings import Beginnings, Begun
from ikevd.negotiation.ends import Ends
from ikevd.negotiation.ledger import Ledger
from ikevd.negotiation.message_ids import MessageIds
from ikevd.negotiation.ports import Ports
from ikevd.negotiation.running import Outcome, Running
from ikevd.negotiation.work import Ask, Happening, Work
from ikevd.observe import history
from ikevd.peer import exchange_facts, message_facts, path_facts
from ikevd.peer.exchange_state import Attempt
from ikevd.peer.isakmp_state import LastFlight
from ikevd.policy.child import Child
from ikevd.sa.model import IpsecSa, IsakmpSa

MAX_KEPT = 1000
"""Exchanges of one ISAKMP SA that may still be asked for an answer; beyond it the oldest that ended is forgotten."""


class Steps:
    """Carries exchanges from step to step, and forgets them."""

    __slots__ = (
        "_agenda",
        "_asleep",
        "_beginnings",
        "_begun",
        "_ends",
        "_ledger",
        "_numbers",
        "_phase1",
        "_ports",
        "_silent",
        "_theirs",
        "_used",
        "_works",
        "last_flight",
        "record",
        "sa",
    )

    def __init__(
        self,
        sa: IsakmpSa,
        phase1: Running | None,
        record: history.Record,
        children: Sequence[Child],
        timing: Timing,
        ports: Ports,
        agenda: Agenda[object],
        numbers: Iterator[Attempt],
        begun: dict[Attempt, Work],
        ledger: Ledger | None = None,
    ) -> None:
        """`phase1` is None where an earlier process ended it; `record`: its evidence. `agenda` tells the owner when to
        call `tick`, with the `Work`. `numbers` are for the peer's Quick Modes, `begun` gets all Quick Modes, which are
        stored in `ledger`."""
        self.sa = sa
        self.record = record
        self._phase1 = phase1
        self.last_flight: LastFlight | None = None
        """Of a phase 1 that an earlier process ended: what its repetitions are answered with."""
        self._ports = ports
        self._agenda = agenda
        self._numbers = numbers
        self._begun = begun
        self._ledger = ledger
        self._ends = Ends(sa)
        self._beginnings = Beginnings(sa, self._ends, children, timing, ports, ledger)
        self._silent = True
        """Has the peer said nothing under this SA?"""
        self._used = MessageIds(ledger.message_ids if ledger else None)
        self._works: dict[int, Work] = {}
        self._asleep = Asleep(ports, agenda)
        self._theirs = 0
        """Exchanges that the peer began and that are under way."""

    # -- going on ------------------------------------------------------------------------------------------------------

    def tick(self, work: Work) -> list[Happening]:
        """Its time has come: to send again, to give up, or to be forgotten."""
        if work.forget_at is not None and self._ports.now() >= work.forget_at:
            self._forget(work)
            work.running.forget()
            return []
        return self.goes_on(work, work.running.tick())

    def goes_on(self, work: Work, outcomes: Sequence[Outcome]) -> list[Happening]:
        """What the outcomes of one step mean for the session."""
        happenings: list[Happening] = []
        for outcome in outcomes:  # not by a `match`: "What costs" in docs/performance.md
            if type(outcome) is Heard:
                lacks = self._authentic(work.running.conversation)
                path = work.running.conversation.path
                happenings.append(message_facts.Heard(self.sa.cookies, path, self._ends.sa.last_blocks, lacks))
            elif type(outcome) is AskHost:
                if isinstance(outcome.call, (OpenInbound, OpenOutbound, ReserveSpi)):
                    happenings.append(Ask(work, outcome.call))
            elif type(outcome) is Returned:
                happenings += self._returned(work, outcome.result)
                self._ended(work)
            elif type(outcome) is Raised:
                happenings += self._raised(work, outcome.error)
                work.running.unkeep()
                self._ended(work)
            elif type(outcome) is CameTwice:
                happenings.append(path_facts.CameTwice(self.sa.cookies))
            elif type(outcome) is Heeded:
                happenings.append(message_facts.Contacted(self.sa.cookies))
        self._agenda.set(work, work.due)
        return happenings

    def let_phase1_go(self) -> None:
        """It ended long ago: its messages are not repeated any more."""
        self._phase1 = None

    def release(self) -> None:
        """The ISAKMP SA is stored: the last message of its phase 1 may leave."""
        if self._phase1 is not None:
            self._phase1.release()

    def close(self) -> None:
        """Leave everything, without a word."""
        for work in tuple(self._works.values()):
            self._forget(work)
            work.running.leave()
        self._asleep.close()
        self._used.clear()
        if self._phase1 is not None:
            self._phase1.fail(Abandoned("the ISAKMP SA is gone"))
            self._phase1.close()

    # -- from its beginning to its end ---------------------------------------------------------------------------------

    def _enter(self, begun: Begun, home: Path, attempt: Attempt | None = None) -> Work:
        core, kept = begun.core, begun.kept
        self._used.add(core.message_id)
        self._theirs += not core.initiator and not core.ended
        record = self._ports.history.open(
            begun.kind,
            self.sa.cookies,
            core.message_id,
            home.remote,
            initiator=core.initiator,
            connection=self.sa.connection,
            child=begun.child,
        )
        if kept is not None and attempt is not None:
            kept.numbered(attempt)
        work = self._works[core.message_id] = Work(Running(core, record, self._ports, kept), self, attempt)
        if attempt is not None:
            self._begun[attempt] = work
        if len(self._works) > MAX_KEPT:
            self._forget_oldest()
        return work

    def _forget_oldest(self) -> None:
        ended = next((work for work in self._works.values() if work.running.conversation.ended), None)
        if ended is not None:
            self._forget(ended)
            ended.running.forget()

    def _authentic(self, conversation: Conversation) -> bool:
        """The peer has shown that it holds the SA. True: but not yet that it has our last message of phase 1."""
        if self._ends.prove(conversation.origin):
            return True
        self.last_flight = None
        if self._silent:
            self._silent = False
            if self._phase1 is not None:  # nor does the peer repeat its messages any more
                self._phase1.confirm()
                self._phase1.conversation.let_go()
        return False

    def _returned(self, work: Work, result: object) -> list[Happening]:
        if isinstance(result, IpsecSa) and work.attempt is not None:
            record = work.running.record
            record.child, record.spis = result.child, (result.inbound, result.outbound)
            work.running.established(stands(result))
            return [exchange_facts.QuickModeUp(work.attempt, result)]
        if isinstance(result, tuple):  # what an Informational message said
            return [message_facts.Informed(self.sa.cookies, result, work.running.conversation.message_id)]
        return []

    def _raised(self, work: Work, error: IkeError) -> list[Happening]:
        """An Informational exchange that failed has nobody waiting for it; its record holds the cause."""
        if work.attempt is None:
            return []
        conversation = work.running.conversation
        return [exchange_facts.QuickModeFailed(work.attempt, error, conversation.has_spoken, conversation.has_sent)]

    def _ended(self, work: Work) -> None:
        """It may have to be repeated for a while; else its message ID is enough."""
        conversation = work.running.conversation
        self._theirs -= not conversation.initiator
        if conversation.wanted_for:
            work.forget_at = self._ports.now() + conversation.wanted_for
        else:
            self._forget(work)
            work.running.forget()

    def _forget(self, work: Work) -> None:
        work.forget_at = None
        work.running.close()
        self._agenda.set(work, None)
        self._works.pop(work.running.conversation.message_id, None)
        if not self._works:  # a dict that was emptied is three times as large as an empty one
            self._works.clear()
