"""All exchanges under one ISAKMP SA: each has its own message ID, IV chain, deadline and fate. Datagrams are handed to
them here, and new ones begin; `steps` has what comes of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from ikevd.addresses import Path
from ikevd.conversation import replay
from ikevd.conversation.effects import AskHost, Returned
from ikevd.conversation.timing import Timing
from ikevd.exchanges import phase2
from ikevd.exchanges.link import ReserveSpi
from ikevd.facts import Note
from ikevd.findings import Undelivered, Unreachable
from ikevd.frozen import replace
from ikevd.negotiation import dpd
from ikevd.negotiation.asleep import UNTOLD, has_ended
from ikevd.negotiation.beginnings import INFORMATIONAL, QUICK_MODE
from ikevd.negotiation.hints import hear_hints
from ikevd.negotiation.ledger import Kept, Ledger
from ikevd.negotiation.refused import count_rejected, unfit
from ikevd.negotiation.running import Outcome
from ikevd.negotiation.steps import Steps
from ikevd.negotiation.work import Happening, Work
from ikevd.peer import exchange_facts, message_facts
from ikevd.peer.exchange_state import Attempt
from ikevd.peer.isakmp_state import LastFlight
from ikevd.policy.child import Child
from ikevd.store.interface import ExchangeState
from ikevd.wire.message import Header
from ikevd.wire.payloads import Payload

MAX_AT_ONCE = 200
"""Exchanges under one ISAKMP SA that the peer began and that are under way."""
MAX_AWAY = 30.0
"""Seconds after which an exchange that an earlier process left is not gone on with: the peer may have given it up."""


class Exchanges(Steps):
    """Hands each datagram to its exchange and begins new ones."""

    __slots__ = ()

    @property
    def blocks(self) -> tuple[bytes, ...]:
        """The last blocks of phase 1 that the peer may hold, the likeliest first."""
        return self._ends.sa.last_blocks

    @property
    def worn(self) -> bool:
        """Are the message IDs used up?"""
        return self._used.full

    def reload(self, children: Sequence[Child], timing: Timing) -> None:
        """The connection has these children from here on."""
        self._beginnings.reload(children, timing)

    # -- receiving -----------------------------------------------------------------------------------------------------

    def heard(
        self, header: Header, octets: bytes, path: Path, home: Path, *, leaving: bool, stays: bool
    ) -> list[Happening]:
        """A datagram that names our cookie. `home`: the path of the ISAKMP SA; `leaving`: only farewells begin.
        `stays`: the peer has yet to show that it hears us at home, so no copy of its messages is answered elsewhere.
        """
        if header.message_id == 0 or not header.encrypted:
            self._phase1_heard(header, octets, path)
        elif work := self._works.get(header.message_id) or self._woken(header.message_id, home):
            if stays and path.remote != home.remote:
                self._ports.counters.count("drop: from elsewhere than the phase 1 of a member of a group")
                return []
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
        if self._theirs >= MAX_AT_ONCE or self._used.full:
            return "too many exchanges under one ISAKMP SA"
        return unfit(header, leaving=leaving)

    def _phase1_heard(self, header: Header, octets: bytes, path: Path) -> None:
        under_way = [work.running for work in self._works.values() if not work.running.conversation.ended]
        if self._phase1 is not None and not under_way:
            under_way.append(self._phase1)
        if header.exchange == INFORMATIONAL and under_way:
            hear_hints(under_way, header, octets)
        elif self._phase1 is None and self.last_flight and self.last_flight.heard == LastFlight.digest(octets):
            for answer in self.last_flight.said:
                self._ports.transmit(answer, path)
        elif self._phase1 is None or not self._silent:
            self._ports.counters.count("drop: nothing waits for a message of phase 1 any more")
        else:
            self._phase1.heard(octets, path)
            self._learn_ends(self._phase1.conversation.other_ends)

    def _learn_ends(self, others: Iterable[tuple[bytes, ...]]) -> None:
        """What we began and the peer has not answered is said from each of the new ones, too."""
        for block in self._ends.learn(others):
            for message_id, work in self._works.items():
                if work.running.conversation.initiator:
                    work.running.fork(phase2.chain(self.sa, block, message_id))

    def _begun_by_peer(self, header: Header, octets: bytes, path: Path, home: Path) -> list[Happening]:
        """A first message from the peer: no state of it stays unless its HASH(1) holds."""
        begun, now = self._beginnings.by_peer(header.exchange, header.message_id, home), self._ports.now()
        effects = [*begun.core.start(now), *begun.core.heard(octets, path, now)]
        if not begun.core.has_spoken:
            begun.core.close()
            count_rejected(self._ports, self.record, self._ends.sa, header, octets, effects)
            return []
        if said := dpd.said_alone(effects):
            lacks = self._authentic(begun.core)
            begun.core.close()
            return [message_facts.HeardDpd(self.sa.cookies, said, begun.core.path, self._ends.sa.last_blocks, lacks)]
        attempt = next(self._numbers) if begun.kind == QUICK_MODE else None
        work = self._enter(begun, home, attempt)
        happenings = self.goes_on(work, work.running.apply(effects))
        return happenings if attempt is None else [exchange_facts.QuickModeBegan(attempt, self.sa.cookies), *happenings]

    # -- sending -------------------------------------------------------------------------------------------------------

    def quick_mode(self, child: Child, attempt: Attempt, home: Path) -> list[Happening]:
        """Begin a Quick Mode for `child`."""
        begun = self._beginnings.quick_mode(self._used.fresh(self._ports.entropy), home, child, silent=self._silent)
        work = self._enter(begun, home, attempt)
        return self.goes_on(work, work.running.start())

    def tell(self, payloads: Sequence[Payload], home: Path) -> None:
        """An Informational message, sent a few times since nothing answers it."""
        message_id = self._used.fresh(self._ports.entropy)
        work = self._enter(self._beginnings.telling(message_id, home, payloads, silent=self._silent), home)
        if self._ledger is not None:
            self._ledger.used(self.sa.cookies, message_id)
        self.goes_on(work, work.running.start())

    def tell_once(self, payloads: Sequence[Payload], home: Path) -> None:
        """Likewise, sent once. Many such are said in the life of an ISAKMP SA: nothing of it is kept."""
        begun = self._beginnings.telling(
            self._used.fresh(self._ports.entropy), home, payloads, silent=self._silent, once=True
        )
        if reason := dpd.send(begun.core, self._ports):
            self.record.add(Note(Undelivered(reason)))

    def follow(self, path: Path) -> None:
        """The peer is there from now on: what is sent again goes there."""
        for work in self._works.values():
            work.running.conversation.follow(path)

    # -- after a restart -----------------------------------------------------------------------------------------------

    def restore(self, home: Path, stored: Mapping[int, ExchangeState], known: Collection[Attempt]) -> list[Happening]:
        """Go on with the exchanges of an earlier process, by message ID. What cannot be told again is forgotten, and
        its message ID stays used. `known`: the Quick Modes that had not ended, as far as the session had learnt."""
        happenings, ledger = list[Happening](), self._ledger
        assert ledger is not None, "what is told again was stored"
        for message_id, state in stored.items():
            try:
                happenings += self._revive(ledger, home, state, known)
            except replay.Irreproducible:
                self._ports.counters.count(UNTOLD)
                self._used.add(message_id)
                ledger.forget_exchange(self.sa.cookies, message_id)
        self._asleep.forget_over()
        return happenings

    def _revive(self, ledger: Ledger, home: Path, state: ExchangeState, known: Collection[Attempt]) -> list[Happening]:
        """A Quick Mode of the peer's that the process before could only just store begins here. Raises
        `Irreproducible`."""
        now = self._ports.now()
        if has_ended(state, known):
            self._asleep.add(ledger, state)
            return []
        begun, revived = self._beginnings.again(state, now)
        begun.core.follow(home)
        if not begun.core.initiator and not begun.core.has_spoken:  # its first message, repeated, begins it anew
            ledger.forget_exchange(self.sa.cookies, begun.core.message_id)
            return []
        if state.inputs.given[-1].at + MAX_AWAY < now:
            raise replay.Irreproducible("its peer has given it up meanwhile")
        work = self._enter(replace(begun, kept=Kept.read(ledger, state)), home, state.attempt)
        outcomes: list[Outcome] = []
        begins: list[Happening] = []
        if isinstance(revived.asks, ReserveSpi) and state.attempt is not None and state.attempt not in known:
            begins.append(exchange_facts.QuickModeBegan(state.attempt, self.sa.cookies))
        if revived.asks is not None:
            outcomes.append(AskHost(revived.asks))
        if revived.returned is not None:
            outcomes.append(Returned(revived.returned[0]))
        return [*begins, *self.goes_on(work, outcomes)]

    def _woken(self, message_id: int, home: Path) -> Work | None:
        """It ended before the restart, and somebody repeats a message of it: from here on it answers repetitions."""
        if (woken := self._asleep.wake(message_id, self._beginnings)) is None:
            return None
        begun, until = woken
        work = self._enter(begun, home)
        work.forget_at = until
        self._agenda.set(work, work.due)
        return work

    def use_up(self, message_ids: Iterable[int]) -> None:
        """These were used in an earlier process."""
        self._used.add_all(message_ids)
