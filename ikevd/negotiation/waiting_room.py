"""Main Mode at the responder until our cookie comes back.

Of a few the exchange is kept. Of the others message 1 is answered and the exchange forgotten: when message 3 comes, it
begins anew with the same message 1 and the same cookie, hence with the same answer, and goes on (see `lobby`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from itertools import takewhile

from ikevd.addresses import Address, Path
from ikevd.conversation.core import Conversation
from ikevd.conversation.duplicates import MAX_ANSWERS
from ikevd.conversation.effects import Effect, Transmit
from ikevd.conversation.timing import LARVAL
from ikevd.errors import Abandoned, IkeError, NoAnswer
from ikevd.exchanges.phase1 import Candidates
from ikevd.facts import Failed, Note
from ikevd.findings import RecordedLate, Silence
from ikevd.negotiation.clock import call_at
from ikevd.negotiation.first_message import FirstMessage
from ikevd.negotiation.larval import Answer, Kept, OnEcho, Place, Places
from ikevd.negotiation.ledger import Kept as Stored
from ikevd.negotiation.ports import Ports
from ikevd.negotiation.router import Router
from ikevd.negotiation.running import Running
from ikevd.policy.settings import Limits
from ikevd.sa.model import COOKIE_OCTETS
from ikevd.wire.registry import ExchangeType

MADE_WAY = Abandoned("it made way for a newer negotiation")
WHOLE_OF_ONE, WHOLE = 4, 100
"""Exchanges that are kept, and have a record at once: of one configured address, and of all these or of all strangers.
"""
SWEEP = 0.1
"""Seconds at least between two looks for places that are too old."""


class WaitingRoom:
    """Each configured address has a queue of its own; all others share one, and nothing else with them."""

    def __init__(
        self,
        limits: Limits,
        static: Collection[Address],
        router: Router,
        ports: Ports,
        candidates: Callable[[Path], Candidates],
        on_echo: OnEcho,
    ) -> None:
        """`static`: the addresses configured as `remote`; `candidates`: the connections of a path; `on_echo`: gets
        whatever bears the cookie of a place, which stays until `take`."""
        each, total = limits.first_messages_per_address, limits.first_messages
        self._static = frozenset(static)
        self._known = Places(each, total, owner=lambda address: address.packed)
        self._strangers = Places(total, total, owner=lambda address: b"")
        self._router = router
        self._ports = ports
        self._candidates = candidates
        self._on_echo = on_echo
        self._sweep: asyncio.TimerHandle | None = None

    def reload(self, limits: Limits, static: Collection[Address]) -> None:
        """Other bounds from here on, and other addresses that have a queue of their own. Who waits stays in his."""
        self._static = frozenset(static)
        self._known.bound(limits.first_messages_per_address, limits.first_messages)
        self._strangers.bound(limits.first_messages, limits.first_messages)

    def __len__(self) -> int:
        return len(self._known) + len(self._strangers)

    def answer_alike(self, first: FirstMessage) -> bool:
        """In a flood: was an equal message answered before? Then this one is answered alike, for a fraction of the
        cost, and has no record."""
        places = self._places(first.known)
        kept = places.equal(first.octets)
        answer = kept.answer if kept else None
        if answer is None or self._are_few(places, first) or answer.connections != first.candidates.connections:
            return False
        ours = self._router.mint()
        self._ports.transmit(first.cookie + ours + answer.octets, first.path)
        self._keep(places, first, ours)
        return True

    def has_few(self, first: FirstMessage) -> bool:
        """Will its exchange be kept?"""
        return self._are_few(self._places(first.known), first)

    def enter(
        self,
        first: FirstMessage,
        ours: bytes,
        core: Conversation,
        effects: Sequence[Effect],
        stored: Stored | None = None,
    ) -> None:
        """`core` has heard `first` and waits for message 3: send what it answers, and keep a place. `stored`: where the
        exchange is stored, if it is kept."""
        places = self._places(first.known)
        if self._are_few(places, first):
            running = Running(core, first.open_record(core, self._ports), self._ports, stored, holds=True)
            places.begun[ours] = running
            running.apply(effects)
        else:
            core.close()
            self._send(effects)
        kept = self._keep(places, first, ours)
        if kept.places > 1:
            (answer,) = [effect.octets[2 * COOKIE_OCTETS :] for effect in effects if isinstance(effect, Transmit)]
            kept.answer = Answer(first.candidates.connections, answer)

    def _are_few(self, places: Places, first: FirstMessage) -> bool:
        few_of_one = places is self._strangers or places.queued(first.path) < WHOLE_OF_ONE
        return few_of_one and len(places.begun) < WHOLE

    def _keep(self, places: Places, first: FirstMessage, ours: bytes) -> Kept:
        place = Place(ours, first, self._ports.now(), self._on_echo)
        places.enter(place)
        self._router.register(ours, place)
        while older := places.to_make_way(place):
            self._forget(older, MADE_WAY)
            self._ports.counters.count("first message made way for a newer one")
        self._sweep = self._sweep or call_at(place.since + LARVAL, self._ports.now, self._forget_old)
        return place.message

    def repeated(self, key: bytes, known: bool, octets: bytes, path: Path) -> bool:
        """Was it a repetition? Then it is answered once more, with the same message 2."""
        places = self._places(known)
        place = places.find(key, path)
        if place is None:
            return False
        if octets != place.octets or place.answers > MAX_ANSWERS:
            self._ports.counters.count("drop: first message under a cookie that is taken")
            return True
        place.answers += 1
        if running := places.begun.get(place.cookie):
            running.heard(octets, path)
        else:
            core, effects = self._first(place).play(place.cookie, place.since, self._ports)
            core.close()
            self._send(effects)
        return True

    def take(self, place: Place) -> tuple[FirstMessage, bytes, Running]:
        """Our cookie has come back: message 1, that cookie, and the exchange as though it had been kept all the
        while."""
        first, running = self._first(place), self._of(place).leave(place)
        if running is None:
            core, effects = first.play(place.cookie, place.since, self._ports)
            running = Running(core, first.open_record(core, self._ports), self._ports, holds=True)
            running.record.add(Note(RecordedLate(round(self._ports.now() - place.since, 3))))
            running.apply([effect for effect in effects if not isinstance(effect, Transmit)])
        return first, place.cookie, running

    def close(self) -> None:
        """Forget everything without a word. What is stored stays so, for the next process."""
        if self._sweep:
            self._sweep.cancel()
        for place in [*self._known, *self._strangers]:
            if running := self._remove(place, Abandoned("ikevd stops")):
                running.leave()

    def _places(self, known: bool) -> Places:
        return self._known if known else self._strangers

    def _of(self, place: Place) -> Places:
        """Its address may have been configured, or no more, since it came."""
        return self._known if place in self._known else self._strangers

    def _first(self, place: Place) -> FirstMessage:
        candidates = self._candidates(place.path)
        known = place.path.remote.address in self._static
        return FirstMessage(ExchangeType.MAIN_MODE, place.octets, place.path, place.key, known, candidates)

    def _send(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Transmit):
                self._ports.transmit(effect.octets, effect.path)

    def _forget(self, place: Place, cause: IkeError) -> None:
        if running := self._remove(place, cause):
            running.forget()

    def _remove(self, place: Place, cause: IkeError) -> Running | None:
        running = self._of(place).leave(place)
        self._router.forget(place.cookie)
        if running is not None:
            running.record.add(Failed(cause.finding, type(cause).__name__))
        return running

    def _forget_old(self) -> None:
        """Who has not echoed our cookie in all that time is not there."""
        self._sweep, now = None, self._ports.now()
        for places in (self._known, self._strangers):
            for place in _before(places, now - LARVAL):
                port = place.path.remote.port
                self._forget(place, NoAnswer(Silence("MM3", None, 0, round(LARVAL), port, port, None, (), ())))
        if oldest := [next(iter(places)).since for places in (self._known, self._strangers) if places]:
            self._sweep = call_at(max(min(oldest) + LARVAL, now + SWEEP), self._ports.now, self._forget_old)


def _before(places: Places, moment: float) -> list[Place]:
    return list(takewhile(lambda place: place.since <= moment, places))
