"""Drives one exchange: in come datagrams, host results and time, out come effects.

The exchange is a coroutine that yields the requests of `ikevd.exchanges.link`. Everything that all exchanges share
(encryption, IV chains, duplicates, resending, deadlines) happens here once. The daemon, the tests' duet and the
fuzzer drive this same class.
"""

from __future__ import annotations

from typing import Generic

from ikevd.addresses import Path
from ikevd.conversation import paths
from ikevd.conversation.beside import Besides
from ikevd.conversation.course import Course
from ikevd.conversation.effects import AskHost, Effect, Heeded, Raised
from ikevd.conversation.inbox import Inbox
from ikevd.conversation.inputs import InputKind
from ikevd.conversation.meanwhile import Meanwhile
from ikevd.conversation.outbox import Outbox
from ikevd.conversation.resend import Waiting
from ikevd.conversation.timing import FAREWELL, IN_DOUBT, LINGER, Timing, pauses
from ikevd.crypto.ciphers import IvChain
from ikevd.errors import IkeError, Malformed, NoAnswer, Refused
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
from ikevd.facts import Dropped, Fact, Note
from ikevd.findings import Undelivered, Unreachable
from ikevd.sa.model import NO_COOKIE, Cookies, IsakmpSa
from ikevd.wire.message import Header
from ikevd.wire.registry import ExchangeType, NotifyType

BY_TIMER, BOUNDED = Repeat.BY_TIMER, Repeat.BOUNDED
HEARD, SERVED = InputKind.HEARD, InputKind.SERVED
LARVAL_MESSAGES = 2
"""The first message and our answer to it prove nothing of the sender's address."""


class Conversation(Generic[T_co]):
    """One exchange in progress. Every call returns the effects for its owner to carry out, in order."""

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

    # -- what comes in ------------------------------------------------------------------------------------------

    def start(self, now: float) -> list[Effect[T_co]]:
        """Run up to the first wait."""
        self._course.began = now
        return self._outbox.behind(self._advance(now), InputKind.STARTED, now)

    def heard(self, datagram: bytes, path: Path, now: float) -> list[Effect[T_co]]:
        """A datagram for this exchange: a repetition is answered, a new message judged; long after its end, nothing.
        Raises nothing, whatever the octets."""
        ended_at = self._course.ended_at
        if ended_at is not None and now - ended_at > LINGER:
            return []
        try:
            header = Header.decode_untrusted(datagram)
            if copy := self._inbox.find(header, datagram, path):
                forked = self._inbox.fork(copy, ended=self.ended)
                self._effects += self._inbox.answer(copy, path, now, first=forked)
                answered = self._flush()
                return self._outbox.behind(answered, HEARD, now, datagram, path) if forked else answered
            moves = paths.moves(self._situation, self._course.kind, path, self._awaiting)
            opened = self._inbox.judge(header, datagram, path, self._awaiting)
        except (Malformed, Refused) as refusal:
            asked = self._awaiting.complain if self._awaiting and refusal is self._awaiting.rubbish else None
            if asked and self._besides:
                self._effects += self._besides.complain(asked, datagram, self._situation, path, now)
            return self._dropped(refusal, len(datagram))
        self._effects += self._inbox.take_in(self._course.awaited, datagram, opened, path, moves=moves)
        self._course.messages += 1
        if self._waiting is not None and self.has_sent:
            self._waiting.measure(self._timing.round_trip, now)
        self._awaiting = self._waiting = None
        return self._outbox.behind(self._advance(now), HEARD, now, datagram, path)

    def resume(self, result: HostAnswer, now: float) -> list[Effect[T_co]]:
        """The host did what was asked."""
        if self.ended:
            return []
        return self._outbox.behind(self._advance(now, result), SERVED, now, answer=result)

    def refuse(self, error: IkeError, now: float) -> list[Effect[T_co]]:
        """The host could not do what was asked."""
        if self.ended:
            return []
        return self._advance(now, error=error)

    def tick(self, now: float) -> list[Effect[T_co]]:
        """Time has passed: send again, or end the wait."""
        waiting = self._waiting
        if waiting is None or now < waiting.due:
            return []
        if waiting.next_copy():
            assert waiting.message is not None
            self._effects += self._outbox.say(waiting.message, waiting.copies, answered=self._inbox.heard)
            awaited, port = self._course.awaited, self._situation.path.remote.port
            return self._kept(self._meanwhile.no_answer_yet(awaited, waiting, port) if self._awaiting else None)
        if self.ended:
            self._waiting = None
            return []
        rubbish, refusal = self._awaiting and self._awaiting.rubbish, waiting.last_refusal
        self._awaiting = self._waiting = None
        if rubbish and refusal is rubbish:
            return self._advance(now, error=rubbish)
        self._timing.round_trip.forget()
        port, otherwise = self._situation.path.remote.port, self._besides is not None and self._besides.otherwise
        silence = self._meanwhile.silence(self._course.awaited, waiting, port, now, otherwise=otherwise)
        return self._outbox.behind(self._advance(now, error=NoAnswer(silence)), InputKind.SILENT, now)

    def pass_over(self, now: float) -> None:
        """Nobody was there to say again what was due by `now`: it is not said. The wait itself ends with a `tick`."""
        while self._waiting is not None and self._waiting.due <= now and self._waiting.next_copy():
            pass

    def hint(self, notify: NotifyType) -> list[Effect[T_co]]:
        """A notification in the clear: kept, named at the deadline, never obeyed."""
        return self._kept(self._meanwhile.hint(notify))

    def unreachable(self, found: Unreachable | Undelivered) -> list[Effect[T_co]]:
        """The network says that a message did not arrive: likewise."""
        return self._kept(None if self.ended else self._meanwhile.unreachable(found))

    def _kept(self, fact: Fact | None) -> list[Effect[T_co]]:
        if fact is not None:
            self._effects.append(fact)
        return self._flush()

    def beside(self, datagram: bytes, path: Path, now: float) -> list[Effect[T_co]] | None:
        """An encrypted Informational with a message ID of its own: None unless it is a word on the message awaited. The
        wait and its IV chain stay as they are, unless the word is a proven refusal."""
        asked = self._awaiting.beside if self._awaiting else None
        word = self._besides.read(asked, self._situation, datagram, path) if asked and self._besides else None
        if word is None:
            return None
        self._effects += word.facts
        return self._advance(now, error=word.refusal) if word.refusal else self._flush()

    def fail(self, cause: IkeError, now: float) -> list[Effect[T_co]]:
        """End the exchange for a cause from outside: a verified notification, a command, a shutdown."""
        if self.ended:
            return []
        return self._advance(now, error=cause)

    def fork(self, chain: IvChain) -> list[Effect[T_co]]:
        """The peer may hold another last block of phase 1 than was thought: what it has not answered yet goes out from
        there, too, when it is sent again."""
        if self._inbox.heard:
            return []
        self._outbox.fork(chain)
        return self._outbox.behind([], InputKind.FORKED, octets=chain.origin)

    @property
    def origin(self) -> bytes:
        """The last block of phase 1 that the peer's last message proved, where it began an exchange under an SA."""
        return self._situation.chains[0].origin if self._situation.chains else b""

    def confirm(self) -> list[Effect[T_co]]:
        """The peer has shown that it heard our last message: it is sent no more."""
        if not self.ended or self._waiting is None:
            return []
        self._waiting = None
        return self._outbox.behind([], InputKind.CONFIRMED)

    def remind(self, path: Path) -> list[Effect[T_co]]:
        """The peer is further on than we are: it did not know that its last message was lost. Our last answer makes it
        send that message again."""
        if self._awaiting is None or self.initiator or path.remote.address != self.path.remote.address:
            return []
        return [*self._outbox.remind()]

    def follow(self, path: Path) -> None:
        """Another exchange has shown that the peer is there now."""
        self._situation.path, self._situation.away = path, None

    def close(self) -> None:
        """Forget the exchange without a word."""
        self._waiting = self._awaiting = None
        self._course.close()

    def let_go(self) -> None:
        """Nobody repeats its messages any more: from here on repetitions are not answered, and nothing is kept for
        them."""
        self.close()
        self._inbox.forget()
        self._outbox.last = self.unconfirmed = None
        self._situation.forget()

    def _dropped(self, refusal: IkeError, size: int) -> list[Effect[T_co]]:
        refusal.__traceback__ = None  # one refusal may be raised for each of many forgeries, and would keep them all
        if self._waiting:
            self._waiting.last_refusal = refusal
        self._effects.append(Dropped(self._course.awaited, refusal.finding, type(refusal).__name__, size))
        return self._flush()

    # -- driving the coroutine ----------------------------------------------------------------------------------

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
