"""Two conversations that talk to each other in virtual time, over a network that may be bad, by seed.

The network is the only thing made up here: both sides run the program's own core and exchanges.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

from ikevd.addresses import Path
from ikevd.conversation.core import Conversation
from ikevd.conversation.effects import AskHost, Effect, Heeded, Raised, Returned, Transmit
from ikevd.conversation.timing import RoundTrip, Timing
from ikevd.errors import IkeError
from ikevd.exchanges.link import (
    Exchange,
    Host,
    HostAnswer,
    HostCall,
    KernelCall,
    Link,
    OpenInbound,
    OpenOutbound,
    ReserveSpi,
    Situation,
)
from ikevd.facts import Fact
from ikevd.frozen import replace
from ikevd.sa.model import Cookies, EspKeys, Spi
from ikevd.wire.registry import ExchangeType
from tests.builders import ALICE_TO_BOB, BOB_TO_ALICE
from tests.nat import Nat, Nats

MakeExchange = Callable[[Link, Host], Exchange]


@dataclass
class Network:
    """Chances per datagram, and the delay in seconds with its spread."""

    loss: float = 0.0
    duplicate: float = 0.0
    jitter: float = 0.0
    delay: float = 0.01
    seed: int = 0
    tamper: Callable[[str, bytes], list[bytes]] = field(default=lambda _sender, datagram: [datagram])
    """What arrives of a datagram: for tests that lose, forge or alter one message."""
    nat: Nat | Nats | None = None

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def deliveries(self, sender: str, datagram: bytes) -> list[tuple[float, bytes]]:
        found = []
        for octets in self.tamper(sender, datagram):
            copies = 1 + (self._random.random() < self.duplicate)
            for _ in range(copies):
                delay = self.delay + self._random.random() * self.jitter
                if self._random.random() >= self.loss:
                    found.append((delay, octets))
        return found


class HostInMemory:
    """Answers host calls at once; `refuse` names the call that fails."""

    _spis = itertools.count(0x1000)

    def __init__(
        self, refuse: type[HostCall] | None = None, error: IkeError | None = None, first_spi: int | None = None
    ) -> None:
        """`first_spi`: else no two hosts give the same."""
        self.opened: list[KernelCall] = []
        if first_spi is not None:
            self._spis = itertools.count(first_spi)
        self.keys: dict[Spi, EspKeys] = {}
        """Of each SA that was opened."""
        self._refuse = refuse
        self._error = error

    def serve(self, call: HostCall) -> HostAnswer | IkeError:
        if self._error and self._refuse and isinstance(call, self._refuse):
            return self._error
        match call:
            case ReserveSpi():
                return Spi.of(call.protocol, next(self._spis).to_bytes(4, "big"))
            case OpenInbound(sa, keys):
                self.opened.append(call)
                self.keys[sa.inbound] = keys
            case OpenOutbound(sa, keys):
                self.opened.append(call)
                self.keys[sa.outbound] = keys
        return None


@dataclass
class Side:
    name: str
    conversation: Conversation
    host: HostInMemory
    result: Any = None
    error: IkeError | None = None
    facts: list[Fact] = field(default_factory=list)
    ended_at: float | None = None
    sent: list[bytes] = field(default_factory=list)
    armed: float | None = None
    heeded: list[Heeded] = field(default_factory=list)

    def facts_of(self, kind: type[Fact]) -> list[Any]:
        return [fact for fact in self.facts if isinstance(fact, kind)]


class Duet:
    """An initiator and a responder. `run` returns when nothing is under way any more."""

    def __init__(
        self,
        kind: ExchangeType,
        initiate: MakeExchange,
        respond: MakeExchange,
        *,
        network: Network | None = None,
        timing: Timing | None = None,
        cookies: Cookies | None = None,
        message_id: int = 0,
        chains: Callable[[], Any] = tuple,
        hosts: tuple[HostInMemory, HostInMemory] | None = None,
    ) -> None:
        self._network = network or Network()
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self.now = 0.0
        pair = cookies or Cookies(b"initiato")
        minted = b"responde"
        make = (("initiator", initiate, ALICE_TO_BOB, True), ("responder", respond, BOB_TO_ALICE, False))
        self._sides = {}
        self._situations: dict[str, Situation] = {}
        for (name, exchange, path, initiator), host in zip(
            make, hosts or (HostInMemory(), HostInMemory()), strict=True
        ):
            if self._network.nat:
                path = self._network.nat.first_path(path)
            situation = Situation(pair, message_id, path, chains())
            coroutine = exchange(Link(situation), Host())
            own = replace(timing or Timing(), round_trip=RoundTrip())
            core = Conversation(coroutine, kind, situation, own, initiator=initiator, minted=minted)
            self._sides[name] = Side(name, core, host)
            self._situations[name] = situation
        self.initiator, self.responder = self._sides["initiator"], self._sides["responder"]

    def agreed(self) -> bool:
        """Have both sides opened the same pair of SAs, under the same keys?"""
        ours, theirs = self.initiator, self.responder
        spis = ours.result.inbound, ours.result.outbound
        return spis == (theirs.result.outbound, theirs.result.inbound) and ours.host.keys == theirs.host.keys

    def run(self, until: float = 1000.0) -> Self:
        for side in (self.responder, self.initiator):
            self.apply(side, side.conversation.start(self.now))
        return self.go_on(until)

    def go_on(self, until: float = 1000.0) -> Self:
        """From where `run` stopped."""
        while self._events and self._events[0][0] <= until:
            self.now, _, action = heapq.heappop(self._events)
            action()
        return self

    def apply(self, side: Side, effects: list[Effect]) -> None:
        """Carry out the effects of one side."""
        for effect in effects:
            match effect:
                case Transmit(octets, path):
                    side.sent.append(octets)
                    self._deliver(side, octets, path)
                case AskHost(call):
                    self._ask(side, call)
                case Heeded():
                    side.heeded.append(effect)
                case Returned(result):
                    side.result, side.ended_at = result, self.now
                case Raised(error):
                    side.error, side.ended_at = error, self.now
                case _ if isinstance(effect, Fact):
                    side.facts.append(effect)
        self._arm(side)

    def _arm(self, side: Side) -> None:
        deadline = side.conversation.deadline
        if deadline is not None and deadline != side.armed:
            side.armed = deadline
            self._at(deadline, lambda: self._tick(side, deadline))

    def _tick(self, side: Side, deadline: float) -> None:
        if side.conversation.deadline == deadline:
            side.armed = None
            self.apply(side, side.conversation.tick(self.now))

    def _ask(self, side: Side, call: HostCall) -> None:
        outcome = side.host.serve(call)
        if isinstance(outcome, IkeError):
            self.apply(side, side.conversation.refuse(outcome, self.now))
        else:
            self.apply(side, side.conversation.resume(outcome, self.now))

    def _deliver(self, sender: Side, octets: bytes, path: Path) -> None:
        receiver = self.responder if sender is self.initiator else self.initiator
        back = self._network.nat.arriving(path) if self._network.nat else Path(path.remote, path.local)
        if back is None:
            return
        if not receiver.conversation.has_spoken:  # as the lobby begins: where message 1 comes from
            self._situations[receiver.name].path = back
        for delay, arriving in self._network.deliveries(sender.name, octets):
            self._at(
                self.now + delay,
                lambda arriving=arriving: self.apply(  # type: ignore[misc]
                    receiver, receiver.conversation.heard(arriving, back, self.now)
                ),
            )

    def _at(self, when: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._events, (when, next(self._order), action))
