"""An exchange that is driven: how far it is, and what its coroutine asks of its link and its host is carried out."""

from __future__ import annotations

from typing import Generic

from ikevd.addresses import Path
from ikevd.conversation.beside import Besides
from ikevd.conversation.course import Course
from ikevd.conversation.effects import AskHost, Effect, Heeded, Raised
from ikevd.conversation.inbox import Inbox
from ikevd.conversation.meanwhile import Meanwhile
from ikevd.conversation.outbox import Outbox
from ikevd.conversation.resend import Waiting
from ikevd.conversation.timing import FAREWELL, IN_DOUBT, LINGER, Timing, pauses
from ikevd.errors import IkeError
from ikevd.exchanges.link import (
    Contacted,
    Discovered,
    Exchange,
    FirstContact,
    Float,
    HostAnswer,
    OpenInbound,
    OpenOutbound,
    Protect,
    Receive,
    Repeat,
    Request,
    ReserveSpi,
    Send,
    Situation,
    T_co,
    Unconfirmed,
)
from ikevd.exchanges.moves import floated
from ikevd.facts import Note
from ikevd.sa.model import NO_COOKIE, Cookies, IsakmpSa
from ikevd.wire.registry import ExchangeType

BY_TIMER, BOUNDED = Repeat.BY_TIMER, Repeat.BOUNDED
LARVAL_MESSAGES = 2
"""The first message and our answer to it prove nothing of the sender's address."""


class Driven(Generic[T_co]):
    """The half of a `Conversation` on the side of the coroutine."""

    __slots__ = (
        "_awaiting",
        "_besides",
        "_course",
        "_effects",
        "_inbox",
        "_meanwhile",
        "_outbox",
        "_situation",
        "_timing",
        "_waiting",
        "initiator",
    )

    def __init__(
        self,
        exchange: Exchange[T_co],
        kind: ExchangeType,
        situation: Situation,
        timing: Timing,
        *,
        initiator: bool,
        minted: bytes = NO_COOKIE,
        remembers: bool = False,
    ) -> None:
        """`minted`: the responder cookie that a phase 1 responder gives out with its first answer. `remembers`: the
        effects begin with `Remember` where something moved the exchange."""
        self._course = Course(exchange, kind)
        self._situation = situation
        self._timing = timing
        self.initiator = initiator
        self._outbox = Outbox(kind, situation, remembers=remembers)
        self._inbox = Inbox(kind, situation, initiator=initiator, minted=minted)
        self._awaiting: Receive | None = None
        self._waiting: Waiting | None = None
        self._meanwhile = Meanwhile(situation.answered_at or situation.path.remote.port)
        self._besides: Besides | None = None
        """None: nothing besides the message awaited is read."""
        self._effects: list[Effect[T_co]] = []

    @property
    def cookies(self) -> Cookies:
        """The pair as known so far."""
        return self._situation.cookies

    @property
    def round_trip(self) -> float | None:
        """Seconds that the peer took to answer, if it has."""
        return self._timing.round_trip.seconds

    @property
    def message_id(self) -> int:
        """0 in phase 1."""
        return self._situation.message_id

    @property
    def path(self) -> Path:
        """The endpoints of the last accepted message."""
        return self._situation.target

    @property
    def has_spoken(self) -> bool:
        """Was any message accepted or sent?"""
        return self._course.messages > 0

    @property
    def has_sent(self) -> bool:
        """Did a message of ours leave?"""
        return self._outbox.last is not None

    @property
    def ended(self) -> bool:
        """Did it return or fail, or was it closed?"""
        return self._course.ended

    @property
    def unconfirmed(self) -> IsakmpSa | None:
        """The SA that the peer may hold although this exchange failed."""
        return self._course.unconfirmed

    @unconfirmed.setter
    def unconfirmed(self, sa: IsakmpSa | None) -> None:
        self._course.unconfirmed = sa

    @property
    def other_ends(self) -> tuple[tuple[bytes, ...], ...]:
        """Last blocks that the peer may hold in place of ours: its own, and before it that of our answer, if any."""
        return self._inbox.other_ends

    @property
    def wanted_for(self) -> float:
        """Seconds for which it is still wanted once it has ended: to answer repetitions, or to repeat itself."""
        if self.has_sent and self._inbox.heard:
            return LINGER
        return sum(pauses(FAREWELL)) if self._waiting else 0.0

    @property
    def began(self) -> float:
        """When it was started: its first message was sent or came."""
        return self._course.began

    @property
    def is_larval(self) -> bool:
        """Has the initiator not echoed our cookie yet?"""
        return not self.initiator and self._course.messages <= LARVAL_MESSAGES

    @property
    def ended_at(self) -> float | None:
        """When it returned or failed; None: it is under way, or was closed."""
        return self._course.ended_at

    @property
    def said(self) -> bytes | None:
        """Digest of all that it has said; None where it does not remember."""
        return self._outbox.said

    @property
    def deadline(self) -> float | None:
        """When `tick` is wanted next."""
        return self._waiting.due if self._waiting else None

    @property
    def origin(self) -> bytes:
        """The last block of phase 1 that the peer's last message proved, where it began an exchange under an SA."""
        return self._situation.chains[0].origin if self._situation.chains else b""

    # -- driving the coroutine --------------------------------------------------------------------------------------

    def _advance(self, now: float, answer: HostAnswer = None, error: IkeError | None = None) -> list[Effect[T_co]]:
        if end := self._course.go_on(self._serve, now, answer, error):
            self._awaiting = self._besides = None
            if isinstance(end, Raised):
                self._waiting = None
            self._effects.append(end)
        return self._flush()

    def _serve(self, request: Request, now: float) -> bool:
        """Carry out one request; False if the exchange must wait for its outcome."""
        situation = self._situation  # not by a `match`: "What costs" in docs/performance.md
        if type(request) is Receive:
            self._await(request, now)
            return False
        if type(request) is Send:
            self._send(request, now)
        elif type(request) is Note:
            self._effects.append(request)
        elif type(request) is Protect:
            situation.chains, situation.clear_too = request.chains, request.clear_too
        elif type(request) is Discovered:
            situation.nat, situation.must_float = request.nat, request.must_float
        elif type(request) is Unconfirmed:
            self.unconfirmed = request.sa
        elif type(request) is Float:
            situation.path = floated(situation.path, situation.nat_port)
        elif type(request) is Contacted:
            self._effects.append(Heeded())
        elif isinstance(request, (OpenInbound, OpenOutbound, ReserveSpi, FirstContact)):
            self._effects.append(AskHost(request))
            return False
        else:
            raise TypeError(f"an exchange may await only its link and its host, not {request!r}")
        return True

    def _await(self, request: Receive, now: float) -> None:
        self._awaiting = request
        if (request.beside or request.complain) and self._besides is None:
            self._besides = Besides()
        if self._waiting is None:
            usual = self._timing.larval if self.is_larval else self._timing.patience
            self._waiting = Waiting.for_message(now, usual if request.within is None else request.within)

    def _send(self, request: Send, now: float) -> None:
        message = self._outbox.seal(self._course.awaited, request.payloads)
        self._course.messages += 1
        times = IN_DOUBT if request.repeat == Repeat.IN_DOUBT and self._timing.round_trip.loses else 1
        for number in range(1, times + 1):
            self._effects += self._outbox.say(message, number, answered=self._inbox.heard)
        if request.repeat != BY_TIMER or not self.initiator:
            self._inbox.told(message)
        if request.repeat == BY_TIMER:
            self._waiting = Waiting.for_answer(now, message, self._timing.resend, self._timing.round_trip.seconds)
        elif request.repeat == BOUNDED:
            self._waiting = Waiting.for_answer(now, message, FAREWELL)

    def _flush(self) -> list[Effect[T_co]]:
        effects, self._effects = self._effects, []
        return effects
