"""Responder's phase 1 until the peer is authenticated: cheap, bounded, and short-lived.

Main Mode stays in the waiting room until our cookie comes back. Aggressive Mode costs a key pair at message 1, so it
begins whole, and not often.
"""

from __future__ import annotations

from collections.abc import Sequence

from ikevd.addresses import Address, Path
from ikevd.conversation import replay
from ikevd.conversation.core import Conversation
from ikevd.conversation.effects import AskHost, Effect, Raised, Returned
from ikevd.conversation.inputs import InputKind, Inputs
from ikevd.conversation.timing import LARVAL, LINGER
from ikevd.crypto import groups
from ikevd.errors import Abandoned, Finding, IkeError, InvalidKey, NoProposalChosen, Said
from ikevd.exchanges.link import FirstContact
from ikevd.exchanges.phase1 import Candidates
from ikevd.facts import Failed, Note, Sent
from ikevd.findings import AggressiveNotAllowed, NoConnection
from ikevd.frozen import replace
from ikevd.negotiation.agenda import Agenda
from ikevd.negotiation.contacts import Contacts
from ikevd.negotiation.farewell import say_farewell
from ikevd.negotiation.first_message import FirstMessage, key_of
from ikevd.negotiation.half_way import HalfWay
from ikevd.negotiation.larval import Place
from ikevd.negotiation.ledger import Kept
from ikevd.negotiation.limits import HalfOpen, RateLimit
from ikevd.negotiation.matching import ByAddress
from ikevd.negotiation.peers_attempt import PeersAttempt
from ikevd.negotiation.ports import Ports
from ikevd.negotiation.reports import report
from ikevd.negotiation.router import Authenticated, Router, clear_notification
from ikevd.negotiation.running import Outcome, Running
from ikevd.negotiation.waiting_room import MADE_WAY, WaitingRoom
from ikevd.negotiation.work import Work
from ikevd.observe.refused import Refused
from ikevd.observe.words import say
from ikevd.policy.connection import Connection
from ikevd.policy.settings import Limits
from ikevd.sa.model import COOKIE_OCTETS, IsakmpSa
from ikevd.store.interface import ExchangeState
from ikevd.wire.message import Header
from ikevd.wire.registry import ExchangeType, NotifyType, PayloadType

NO_PROPOSAL = NotifyType.NO_PROPOSAL_CHOSEN
MAIN, AGGRESSIVE = ExchangeType.MAIN_MODE, ExchangeType.AGGRESSIVE
STATIC = {MAIN: (32, 20), AGGRESSIVE: (64, 100)}
"""Places of each configured address, and how many of them a second make way. One address may be that of several peers
behind a NAT. Message 3 of Main Mode is not forged, message 1 of Aggressive Mode may be: it has room for rate x round
trip."""
KEY_PAIRS = 200
"""Per second, and at once: so many Aggressive Modes begin, of configured addresses and, apart, of all others. That is
for groups of up to 2,048 bits; one of 4,096 bits counts as eight."""

OCTETS_OF_2048_BITS = 256


class Lobby:
    """Half-open negotiations by both endpoints and initiator cookie."""

    def __init__(
        self,
        connections: Sequence[Connection],
        limits: Limits,
        router: Router,
        ports: Ports,
        half_way: HalfWay,
        contacts: Contacts,
    ) -> None:
        self._connections = ByAddress(connections)
        self._max_secrets = limits.secrets
        self._router = router
        self._half_way = half_way
        self._contacts = contacts
        self._ports = ports
        self._agenda: Agenda[object] = Agenda(self._due, now=ports.now)
        self._static = _configured(connections)
        self._waiting = WaitingRoom(limits, self._static, router, ports, self._candidates, self._echoed)
        self._whole: dict[ExchangeType, HalfOpen[PeersAttempt]] = {
            kind: HalfOpen(limits, self._static, ports.now, each_static=each, evictions_static=rate)
            for kind, (each, rate) in STATIC.items()
        }
        self._refusals = RateLimit(rate=10, burst=20, clock=ports.now)
        self._key_pairs = {known: RateLimit(KEY_PAIRS, KEY_PAIRS, ports.now) for known in (True, False)}
        self._present: dict[bytes, PeersAttempt] = {}
        """By the key of the first message; they stay for a while after their end."""

    def reload(self, connections: Sequence[Connection], limits: Limits) -> None:
        """The file was read again. What is under way goes on as it began."""
        self._connections = ByAddress(connections)
        self._max_secrets = limits.secrets
        self._static = _configured(connections)
        self._waiting.reload(limits, self._static)
        for places in self._whole.values():
            places.reload(limits, self._static)

    @property
    def half_open(self) -> int:
        """Negotiations whose peer is not authenticated yet."""
        return len(self._waiting) + sum(map(len, self._whole.values()))

    def first_message(self, header: Header, octets: bytes, path: Path) -> None:
        """A message without responder cookie. A repetition is answered, once for each time that it comes."""
        key, known = key_of(octets, path), path.remote.address in self._static
        if attempt := self._present.get(key):
            attempt.heard(header, octets, path)
        elif not self._waiting.repeated(key, known, octets, path):
            self._new_message(header.exchange, key, known, octets, path)

    def goes_on(self, attempt: PeersAttempt, outcomes: Sequence[Outcome]) -> Authenticated | None:
        """The attempt has taken a step; where its peer is authenticated, it leaves the lobby."""
        found = None
        for outcome in outcomes:
            match outcome:
                case Returned(IsakmpSa() as sa):
                    found = self._established(attempt, sa)
                case AskHost(FirstContact() as question):
                    first = self._contacts.is_first(question, attempt.running.conversation)
                    found = self.goes_on(attempt, attempt.running.resume(first))
                case Raised(error):
                    self._failed(attempt, error)
        self._agenda.set(attempt, attempt.due)
        return found

    def say_farewell(self, running: Running, error: IkeError) -> None:
        """A phase 1 came to nothing although the peer may hold its SA."""
        say_farewell(running, error, self._ports, self._agenda)

    def go_on(self, state: ExchangeState, kept: Kept) -> Authenticated | None:
        """With one that a process before had not completed; where that was all but done, its peer is authenticated. A
        session may have its ISAKMP SA already: then nobody needs it any more."""
        beginning = state.inputs.beginning
        try:
            if self._router.was_ours(beginning.minted):
                raise replay.Irreproducible("its ISAKMP SA stands")
            first = self._first_of(state.inputs)
            revived = replay.revive(state.inputs, first.respond, first.timing, self._ports.now())
        except replay.Irreproducible:
            kept.forget()
            return None
        record = first.open_record(revived.conversation, self._ports)
        record.add(Note(Said("taken over from the process before")))
        last = state.inputs.given[-1].octets
        running = Running(revived.conversation, record, self._ports, kept, holds=True, last=last)
        attempt = self._begin(first, beginning.minted, running)
        return self.goes_on(attempt, [AskHost(revived.asks)] if revived.asks is not None else [])

    def _first_of(self, inputs: Inputs) -> FirstMessage:
        """Raises `Irreproducible` where it is not kept, or where no connection is meant any more."""
        beginning = inputs.beginning
        octets = next((given.octets for given in inputs.given if given.kind is InputKind.HEARD), None)
        candidates = self._candidates(beginning.path)
        if octets is None or not candidates.connections:
            raise replay.Irreproducible("nobody could answer it now")
        path, known = beginning.path, beginning.path.remote.address in self._static
        return FirstMessage(beginning.kind, octets, path, key_of(octets, path), known, candidates)

    def close(self) -> None:
        """Forget everything without a word. What is stored stays so, for the next process."""
        self._agenda.close()
        self._waiting.close()
        for attempt in tuple(self._present.values()):
            self._remove(attempt, Abandoned("ikevd stops"))
            attempt.running.leave()
        self._present.clear()

    def _new_message(self, kind: ExchangeType, key: bytes, known: bool, octets: bytes, path: Path) -> None:
        candidates = self._candidates(path)
        connections = candidates.connections
        if kind == AGGRESSIVE:
            candidates = replace(candidates, connections=tuple(c for c in connections if c.aggressive))
        if not connections:
            self._ports.counters.count("drop: no connection for the address")
            self._turn_away(kind, path, NoConnection())
        elif not candidates.connections:
            self._ports.counters.count("drop: Aggressive Mode is not allowed")
            self._turn_away(kind, path, AggressiveNotAllowed(connections[0].name))
        elif kind == AGGRESSIVE:
            self._answer_aggressive_mode(FirstMessage(kind, octets, path, key, known, candidates))
        else:
            self._answer_main_mode(FirstMessage(kind, octets, path, key, known, candidates))

    def _turn_away(self, kind: ExchangeType, path: Path, why: Finding) -> None:
        """A stranger, of whom nothing else is kept."""
        history = self._ports.history
        history.refused.add(Refused(kind, path.remote, None, None, why, history.now()))
        self._ports.trouble(f"{path.remote} was turned away: {say(why)}")

    def _candidates(self, path: Path) -> Candidates:
        return Candidates(self._connections.find(path), self._max_secrets)

    def _answer_main_mode(self, first: FirstMessage) -> None:
        if self._waiting.answer_alike(first):
            return
        ours = self._router.mint()
        kept = self._half_way.kept(first, ours) if self._waiting.has_few(first) else None
        core, effects = first.play(ours, self._ports.now(), self._ports, kept.beginning if kept else None)
        if core.has_spoken and not core.ended:
            self._waiting.enter(first, ours, core, effects, kept)
        else:
            self._begin_or_drop(first, ours, core, effects)

    def _answer_aggressive_mode(self, first: FirstMessage) -> None:
        address, cost = first.path.remote.address, _cost_of_a_key_pair(first)
        if not self._has_room(AGGRESSIVE, address, cost):
            return
        ours = self._router.mint()
        core, effects = first.play(ours, self._ports.now(), self._ports)
        if not _made_a_key_pair(core, effects):
            self._key_pairs[first.known].give_back(cost)
        self._begin_or_drop(first, ours, core, effects)

    def _begin_or_drop(self, first: FirstMessage, ours: bytes, core: Conversation, effects: Sequence[Effect]) -> None:
        if core.has_spoken:
            running = Running(core, first.open_record(core, self._ports), self._ports, holds=True)
            attempt = self._begin(first, ours, running)
            self.goes_on(attempt, running.apply(effects))
        else:
            core.close()
            self._ports.counters.count("drop: first message is malformed")

    def _echoed(self, place: Place, header: Header, octets: bytes, path: Path) -> Authenticated | None:
        """A datagram bears the cookie of a place in the waiting room: its sender has read our answer."""
        if not self._has_room(MAIN, place.path.remote.address):
            return None
        attempt = self._begin(*self._waiting.take(place))
        self._agenda.set(attempt, attempt.due)
        return attempt.heard(header, octets, path)

    def _has_room(self, kind: ExchangeType, address: Address, cost: float = 0) -> bool:
        if refusal := self._refusal(kind, address, cost):
            self._ports.counters.count(f"drop: {refusal}")
        return not refusal

    def _refusal(self, kind: ExchangeType, address: Address, cost: float) -> str | None:
        """Why nothing that costs so much may begin now. Where places are wanting, an older attempt makes way."""
        places, older = self._whole[kind], None
        if refusal := places.refusal(address):
            older = places.to_make_way(address)
            if older is None:
                return refusal
        if cost and not self._key_pairs[address in self._static].allows(cost):
            return "too many Aggressive Modes begin"
        if older is None:
            return None
        self._forget(older, MADE_WAY)
        self._ports.counters.count("half-open negotiation made way for a newer one")
        return places.refusal(address)

    def _begin(self, first: FirstMessage, ours: bytes, running: Running) -> PeersAttempt:
        attempt = PeersAttempt(first, ours, running, self)
        self._present[attempt.key] = attempt
        self._whole[first.kind].enter(attempt, first.path.remote.address)
        self._router.register(ours, attempt)
        return attempt

    def _due(self, keys: Sequence[object]) -> None:
        """An attempt waits for a message of the peer, so that time alone authenticates nobody."""
        for key in keys:
            try:
                self._tick(key)
            except Exception as bug:  # what else is due has its turn
                report("at the time of a phase 1 of a peer", bug)
                if isinstance(key, PeersAttempt) and self._present.get(key.key) is key:
                    self._forget(key, Abandoned("a fault of ikevd itself ended this negotiation"))

    def _tick(self, key: object) -> None:
        match key:
            case Work(under=exchanges) if exchanges is not None:
                exchanges.tick(key)
            case PeersAttempt(forget_at=when) if when is not None and when <= self._ports.now():
                self._let_go(key)
            case PeersAttempt():
                self.goes_on(key, key.running.tick())

    def _forget(self, attempt: PeersAttempt, cause: Abandoned) -> None:
        """Without a word to the peer, who may be anybody."""
        self._remove(attempt, cause)
        attempt.running.forget()

    def _remove(self, attempt: PeersAttempt, cause: Abandoned) -> None:
        running = attempt.running
        self._whole[attempt.kind].leave(attempt)
        self._agenda.set(attempt, None)
        if not running.conversation.ended:
            del self._present[attempt.key]
            running.record.add(Failed(cause.finding, type(cause).__name__))
            self._router.forget(attempt.cookie)

    def _let_go(self, attempt: PeersAttempt) -> None:
        """Nobody repeats its messages any more. A bad public value has kept its place until now."""
        self._whole[attempt.kind].leave(attempt)
        self._present.pop(attempt.key, None)
        attempt.running.let_go()
        attempt.running.unkeep()

    def _established(self, attempt: PeersAttempt, sa: IsakmpSa) -> Authenticated:
        self._whole[attempt.kind].leave(attempt)
        attempt.forget_at = self._ports.now() + LINGER
        attempt.running.record.belongs_to(sa.connection)
        (connection,) = [one for one in attempt.connections if one.name == sa.connection]
        return Authenticated(sa, attempt.running, connection)

    def _failed(self, attempt: PeersAttempt, error: IkeError) -> None:
        running = attempt.running
        if isinstance(error, InvalidKey):  # message 1 of Aggressive Mode cost a key pair: its place stays taken
            attempt.forget_at = self._ports.now() + LARVAL
        else:
            self._whole[attempt.kind].leave(attempt)
        del self._present[attempt.key]
        self._router.forget(attempt.cookie)
        self.say_farewell(running, error)
        if isinstance(error, NoProposalChosen) and self._refusals.allows():
            refusal, path = clear_notification(attempt.key[-COOKIE_OCTETS:], NO_PROPOSAL), running.conversation.path
            self._ports.transmit(refusal, path)
            running.record.add(Sent("INFO", (str(PayloadType.N),), refusal, path))
        running.forget()


def _configured(connections: Sequence[Connection]) -> frozenset[Address]:
    places = (place for one in connections for place in (one.remote, *one.places))
    return frozenset(place for place in places if place is not None and not isinstance(place, str))


def _cost_of_a_key_pair(first: FirstMessage) -> float:
    """At most: in the largest group that may be chosen. The cost grows with the third power of the length."""
    suites = [suite for connection in first.candidates.connections for suite in connection.suites]
    largest = max(groups.public_size(suite.group) for suite in suites)
    return max(1.0, (largest / OCTETS_OF_2048_BITS) ** 3)


def _made_a_key_pair(core: Conversation, effects: Sequence[Effect]) -> bool:
    """Of an Aggressive Mode that has heard message 1: either it waits for message 3, or the public value was bad."""
    if core.ended:
        return any(isinstance(effect, Raised) and isinstance(effect.error, InvalidKey) for effect in effects)
    return core.has_spoken
