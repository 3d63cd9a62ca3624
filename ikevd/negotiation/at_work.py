"""The one place where a peer's exchanges begin, go on and end: phase 1 that we initiate, and all under its ISAKMP SAs.

What comes of a step is returned, for the session.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from ikevd.addresses import Path
from ikevd.errors import Finding, IkeError, Said
from ikevd.facts import Note
from ikevd.findings import Unreachable
from ikevd.frozen import replace
from ikevd.negotiation import dpd, phase1
from ikevd.negotiation.asleep import Asleep
from ikevd.negotiation.exchanges import Exchanges
from ikevd.negotiation.phase_ones import PhaseOnes
from ikevd.negotiation.reports import report
from ikevd.negotiation.running import Outcome
from ikevd.negotiation.work import Ask, Happening, Work
from ikevd.peer import effects, exchange_facts, facts, kernel_facts, lost, message_facts
from ikevd.peer.exchange_state import Attempt
from ikevd.peer.isakmp_state import Stage
from ikevd.peer.notices import delete_isakmp
from ikevd.peer.state import PeerState
from ikevd.policy.connection import Connection
from ikevd.sa.model import Cookies
from ikevd.store.interface import StoredPeer
from ikevd.wire.message import Header

ENDS = (
    exchange_facts.PhaseOneUp,
    exchange_facts.PhaseOneFailed,
    exchange_facts.QuickModeUp,
    exchange_facts.QuickModeFailed,
)
"""An exchange is not under way any more."""


class AtWork(PhaseOnes):
    """The exchanges of one session."""

    def reload(self, connection: Connection) -> None:
        """What begins from here on is for this connection; what is under way goes on as it began."""
        self._connection = connection
        self.callee.reload(connection)
        self._children = {child.name: child for child in connection.children}
        self._timing = replace(self._timing, resend=connection.resend)
        for exchanges in self._under.values():
            exchanges.reload(connection.children, self._timing)

    # -- what comes in -------------------------------------------------------------------------------------------------

    def heard(self, state: PeerState, header: Header, octets: bytes, path: Path) -> list[Happening]:
        """A datagram that names one of our cookies."""
        if exchanges := self._of_cookie(header.responder, header.initiator):
            isakmp = state.isakmp.get(exchanges.sa.cookies)
            leaving = isakmp is not None and isakmp.stage is Stage.LEAVING
            stays = isakmp is not None and isakmp.unproven
            home = self._home(state, exchanges)
            happenings = exchanges.heard(header, octets, path, home, leaving=leaving, stays=stays)
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

    def learnt(self, fact: facts.Fact) -> Sequence[Ask]:
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
            under = [(key.message_id, one) for key, one in stored.exchanges.items() if key.cookies == cookies]
            its = {message_id: one for message_id, one in under if message_id}
            exchanges = self._enter(sa, None, record)
            exchanges.last_flight = isakmp.last_flight
            exchanges.use_up(stored.used.get(cookies, ()))
            happenings += exchanges.restore(isakmp.path, its, state.quick_modes)
        for key, one in stored.exchanges.items():
            if not key.message_id and one.inputs.beginning.initiator:
                happenings += self._phase1_again(state, one)
        return happenings

    @property
    def under_way(self) -> frozenset[Attempt]:
        """The exchanges that go on."""
        return frozenset(self._begun)

    # -- what is to be done --------------------------------------------------------------------------------------------

    def carry_out(self, state: PeerState, effect: effects.Effect) -> list[Happening]:
        """What a fact has led to, if it is of exchanges; what only the kernel can answer is for later."""
        if type(effect) is effects.Record:  # the most frequent ones first: "What costs" in docs/performance.md
            if exchanges := self._under.get(effect.under):
                exchanges.record.add(effect.fact)
            return []
        if type(effect) is effects.Resume:
            if (work := self._begun.get(effect.attempt)) is None:
                return []
            if effect.error is None:
                return self._goes_on(work, work.running.resume(effect.spi))
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

    # -- within --------------------------------------------------------------------------------------------------------

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
            work = self._begun.pop(attempt, None)
            if work is not None and work.under is None:
                work.running.unkeep()
            if not self._begun:  # a dict that was emptied is three times as large as an empty one
                self._begun.clear()

    def _of_cookie(self, *cookies: bytes) -> Exchanges | None:
        for found in reversed(self._under.values()):
            if found.sa.our_cookie in cookies:
                return found
        return None

    def _home(self, state: PeerState, exchanges: Exchanges) -> Path:
        """The path of its ISAKMP SA; the session may not have learnt of that yet."""
        isakmp = state.isakmp.get(exchanges.sa.cookies)
        return isakmp.path if isakmp else exchanges.sa.path

    def _goes_on(self, work: Work, outcomes: Sequence[Outcome]) -> list[Happening]:
        return work.under.goes_on(work, outcomes) if work.under else self._phase1_goes_on(work, outcomes)
