"""The exchanges of one process: what they say and hear. What comes of them is posted, for the process to decide on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ikevd.errors import Abandoned, IkeError, NoAnswer
from ikevd.peer import exchange_facts, facts, message_facts
from ikevd.peer.exchange_state import Attempt
from ikevd.peer.isakmp_state import Stage
from ikevd.peer.notices import delete_isakmp
from ikevd.peer.state import PeerState
from ikevd.policy.connection import Connection
from ikevd.sa.model import Cookies, IpsecSa, IsakmpSa, Spi
from ikevd.wire.payloads import Payload
from tests.peer.records import isakmp_sa
from tests.peer.soak.exchanges import Ask, Exchange, Message, Open, Reserve, Tell, answers, initiate, main_mode, respond
from tests.peer.soak.world import World

PAUSES = (1.0, 1.8, 3.2, 5.8, 10.5)
COPIES = (0.0, 0.5, 1.5, 3.5, 7.5)
"""Seconds after which the copies of an Informational message leave."""


@dataclass(eq=False)
class Running:
    """An exchange under way."""

    attempt: Attempt
    exchange: Exchange
    under: Cookies | None = None
    """None: it is a phase 1."""
    id: int = 0
    waits_for: Message | None = None
    """The answer to this one; None: for this machine."""
    spoken: bool = False
    sent: bool = False
    born: float = 0.0


@dataclass(frozen=True)
class Wish:
    """An exchange waits for this machine."""

    running: Running
    wants: Reserve | Open


Happening = facts.Fact | Wish


@dataclass
class Kept:
    """What outlives the process: stored before it is sent."""

    answers: dict[tuple[Cookies, int], Message] = field(default_factory=dict)
    """Said again when the peer repeats itself."""
    began: dict[Cookies, float] = field(default_factory=dict)
    """When message 1 of a phase 1 of the peer's came."""
    used: set[tuple[Cookies, int]] = field(default_factory=set)
    """Message IDs of the peer."""


class Talk:
    def __init__(
        self,
        world: World,
        connection: Connection,
        kept: Kept,
        post: Callable[[Happening], None],
        transmit: Callable[[Message], None],
        *,
        alice: bool,
    ) -> None:
        self.running: dict[Attempt, Running] = {}
        self.silent = False
        """The process is gone."""
        self._world = world
        self._connection = connection
        self._kept = kept
        self._post = post
        self._transmit = transmit
        self._alice = alice

    # -- effects ------------------------------------------------------------------------------------------------

    def begin_phase1(self, attempt: Attempt) -> None:
        cookie = next(self._world.number).to_bytes(8, "big")
        self._begin(Running(attempt, main_mode(cookie), born=self._world.now))

    def begin_quick_mode(self, attempt: Attempt, child: str, under: Cookies) -> None:
        id = next(self._world.number)
        configured = next(one for one in self._connection.children if one.name == child)
        self._begin(Running(attempt, initiate(under, id, configured, alice=self._alice), under, id))

    def resume(self, attempt: Attempt, spi: Spi | None, error: IkeError | None) -> None:
        running = self.running.get(attempt)
        if running is not None and running.waits_for is None:
            if error is not None:
                self.fail(attempt, error)
            else:
                self._advance(running, spi)

    def fail(self, attempt: Attempt, error: IkeError) -> None:
        running = self.running.pop(attempt, None)
        if running is None:
            return
        running.exchange.close()
        if running.under is not None:
            self._post(exchange_facts.QuickModeFailed(attempt, error, running.spoken, running.sent))
            return
        asked = running.waits_for
        if asked is not None and asked.kind == "MM5":  # the peer may hold the ISAKMP SA
            self.say(asked.under, (delete_isakmp(asked.under),))
        self._post(exchange_facts.PhaseOneFailed(attempt, error))

    def say(self, under: Cookies, payloads: tuple[Payload, ...], *, once: bool = False) -> None:
        message = Message("INFO", under, next(self._world.number), payloads)
        for delay in COPIES[:1] if once else COPIES:
            self._world.after(delay, lambda: self._send(message))

    def say_message_6(self, under: Cookies) -> None:
        self._send(self._kept.answers[under, 0])

    def forget(self, under: Cookies) -> None:
        for running in tuple(self.running.values()):
            if running.under == under:
                self.fail(running.attempt, Abandoned("the ISAKMP SA is gone"))

    def take_over(self, running: Running) -> None:
        """It was under way in the process before this one."""
        self.running[running.attempt] = running
        self._repeat(running, 0)

    # -- datagrams ----------------------------------------------------------------------------------------------

    def hear(self, message: Message, state: PeerState) -> None:
        found = state.isakmp.get(message.under)
        answered = next((it for it in self.running.values() if it.waits_for and answers(it.waits_for, message)), None)
        if answered is not None:
            if answered.under is not None:
                self._heard(message, state)
            self._advance(answered, message)
        elif message.kind == "MM1":
            under = Cookies(message.under.initiator, next(self._world.number).to_bytes(8, "big"))
            self._kept.began[under] = self._world.now
            self._send(Message("MM2", under))
        elif answer := self._kept.answers.get((message.under, message.id)):
            self._send(answer)
        elif message.kind == "MM5":
            sa = self._sa(message.under, initiator=False)
            self._post(exchange_facts.PhaseOneUp(None, sa, began=self._kept.began.get(message.under)))
        elif found is not None and (message.under, message.id) not in self._kept.used:
            self._begun_by_peer(message, state, leaving=found.stage is Stage.LEAVING)

    def _begun_by_peer(self, message: Message, state: PeerState, *, leaving: bool) -> None:
        assert isinstance(message.body, tuple) or message.kind not in ("INFO", "QM1")
        if message.kind == "INFO" and isinstance(message.body, tuple):
            self._kept.used.add((message.under, message.id))
            self._heard(message, state)
            self._post(message_facts.Informed(message.under, message.body))
        elif message.kind == "QM1" and isinstance(message.body, tuple) and not leaving:
            self._kept.used.add((message.under, message.id))
            self._heard(message, state)
            attempt, (name, spi) = Attempt(-next(self._world.number)), message.body
            child = next(one for one in self._connection.children if one.name == name)
            exchange = respond(message.under, message.id, child, spi, alice=self._alice)
            self._post(exchange_facts.QuickModeBegan(attempt, message.under))
            self._begin(Running(attempt, exchange, message.under, message.id, spoken=True))

    def _heard(self, message: Message, state: PeerState) -> None:
        if found := state.isakmp.get(message.under):
            self._post(message_facts.Heard(message.under, found.path))

    # -- exchanges ----------------------------------------------------------------------------------------------

    def _begin(self, running: Running) -> None:
        self.running[running.attempt] = running
        self._advance(running, None)

    def _advance(self, running: Running, value: object) -> None:
        running.waits_for = None
        try:
            wants = running.exchange.send(value)
        except StopIteration as end:
            self._ended(running, end.value)
            return
        match wants:
            case Ask(message):
                running.waits_for = message
                self._repeat(running, 0)
            case Tell(message):
                running.spoken = running.sent = True
                self._kept.answers[message.under, message.id] = message
                self._send(message)
                self._advance(running, None)
            case Reserve() | Open():
                self._post(Wish(running, wants))

    def _sa(self, cookies: Cookies, *, initiator: bool) -> IsakmpSa:
        """Both ends speak dead peer detection."""
        seconds = self._connection.lifetime.seconds
        return replace(isakmp_sa(cookies, initiator=initiator, seconds=seconds), dpd=True)

    def _ended(self, running: Running, result: object) -> None:
        del self.running[running.attempt]
        if isinstance(result, IpsecSa):
            self._post(exchange_facts.QuickModeUp(running.attempt, result))
        elif isinstance(result, Cookies):
            sa = self._sa(result, initiator=True)
            self._post(exchange_facts.PhaseOneUp(running.attempt, sa, began=running.born))

    def _repeat(self, running: Running, copy: int) -> None:
        message = running.waits_for
        if message is None or self.silent or self.running.get(running.attempt) is not running:
            return
        if copy == len(PAUSES):
            self.fail(running.attempt, NoAnswer("silence"))
            return
        running.spoken = running.sent = True
        self._send(message)
        self._world.after(
            PAUSES[copy], lambda: self._repeat(running, copy + 1) if running.waits_for is message else None
        )

    def _send(self, message: Message) -> None:
        if not self.silent:
            self._transmit(message)
