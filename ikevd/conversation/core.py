"""Drives one exchange: in come datagrams, host results and time, out come effects.

The exchange is a coroutine that yields the requests of `ikevd.exchanges.link`. Everything that all exchanges share
(encryption, IV chains, duplicates, resending, deadlines) happens here once. The daemon, the tests' duet and the
fuzzer drive this same class.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from ikevd.addresses import Path
from ikevd.conversation import paths
from ikevd.conversation.beside import Besides
from ikevd.conversation.duplicates import Accepted, Copy, Duplicates
from ikevd.conversation.effects import AskHost, Effect, Raised, Record, Returned, Transmit
from ikevd.conversation.labels import label
from ikevd.conversation.meanwhile import Meanwhile
from ikevd.conversation.resend import Outgoing, Waiting
from ikevd.conversation.seal import Opened, check_header, open_with, seal
from ikevd.conversation.timing import FAREWELL, LINGER, Timing, pauses
from ikevd.conversation.vendors import remember_vendors
from ikevd.crypto.ciphers import IvChain
from ikevd.errors import IkeError, InternalError, Malformed, NoAnswer, Refused, UnexpectedMessage
from ikevd.exchanges.link import (
    Discovered,
    Float,
    OpenInbound,
    OpenOutbound,
    Protect,
    Receive,
    Repeat,
    ReserveSpi,
    Send,
    Situation,
    Unconfirmed,
)
from ikevd.exchanges.moves import check_addresses, floated
from ikevd.facts import Dropped, Fact, Heard, Note, Repeated, Sent
from ikevd.findings import CommitBit, Undelivered, Unreachable
from ikevd.sa.model import NO_COOKIE, Cookies, IsakmpSa
from ikevd.wire.message import Header, encode_chain, first_type, names
from ikevd.wire.registry import ExchangeType, Flags, NotifyType

MAX_REMINDERS = 10
"""Copies of our last answer that a peer causes with messages of a later exchange."""

NOTHING_HEARD = Duplicates()
LARVAL_MESSAGES = 2
"""The first message and our answer to it prove nothing of the sender's address."""
Exchange = Coroutine[Any, Any, Any]


class Conversation:
    """One exchange in progress. Every call returns the effects for its owner to carry out, in order."""

    def __init__(
        self,
        exchange: Exchange,
        kind: ExchangeType,
        situation: Situation,
        timing: Timing,
        *,
        initiator: bool,
        minted: bytes = NO_COOKIE,
    ) -> None:
        """`minted`: the responder cookie that a phase 1 responder gives out with its first answer."""
        self._exchange: Exchange | None = exchange
        self._kind = kind
        self._situation = situation
        self._timing = timing
        self.initiator = initiator
        self._minted = minted
        self._duplicates = Duplicates()
        self._awaiting: Receive | None = None
        self._waiting: Waiting | None = None
        self._messages = 0
        self._commit_noted = False
        self._meanwhile = Meanwhile(situation.answered_at or situation.path.remote.port)
        self._besides = Besides()
        self._effects: list[Effect] = []
        self._last_answer: Outgoing | None = None
        self._reminders = 0
        self.ended = False
        self._ended_at: float | None = None
        self.unconfirmed: IsakmpSa | None = None
        """The SA that the peer may hold although this exchange failed."""
        self.other_ends: list[tuple[bytes, ...]] = []
        """Last blocks that the peer may hold in place of ours: its own, and before it that of our answer, if any."""

    @property
    def cookies(self) -> Cookies:
        """The pair as known so far."""
        return self._situation.cookies

    @property
    def message_id(self) -> int:
        """0 in phase 1."""
        return self._situation.message_id

    @property
    def path(self) -> Path:
        """The endpoints of the last accepted message."""
        return self._situation.path

    @property
    def has_spoken(self) -> bool:
        """Was any message accepted or sent?"""
        return self._messages > 0

    @property
    def has_sent(self) -> bool:
        """Did a message of ours leave?"""
        return self._last_answer is not None

    @property
    def wanted_for(self) -> float:
        """Seconds for which it is still wanted once it has ended: to answer repetitions, or to repeat itself."""
        if self._last_answer is not None and self._duplicates.heard:
            return LINGER
        return sum(pauses(FAREWELL)) if self._waiting else 0.0

    @property
    def is_larval(self) -> bool:
        """Has the initiator not echoed our cookie yet?"""
        return not self.initiator and self._messages <= LARVAL_MESSAGES

    @property
    def deadline(self) -> float | None:
        """When `tick` is wanted next."""
        return self._waiting.due if self._waiting else None

    # -- what comes in ------------------------------------------------------------------------------------------

    def start(self, now: float) -> list[Effect]:
        """Run up to the first wait."""
        return self._advance(now, None)

    def heard(self, datagram: bytes, path: Path, now: float) -> list[Effect]:
        """A datagram for this exchange: a repetition is answered, a new message judged; long after its end, nothing.
        Raises nothing, whatever the octets."""
        if self._ended_at is not None and now - self._ended_at > LINGER:
            return []
        try:
            check_addresses(self._situation.path, path)
            if copy := self._duplicates.find(datagram):
                return self._repeated(copy, path, now)
            moves = paths.moves(self._situation, self._kind, path, self._awaiting)
            opened = self._judge(datagram, path)
        except (Malformed, Refused) as refusal:
            asked = self._awaiting.complain if self._awaiting and refusal is self._awaiting.rubbish else None
            self._effects += self._besides.complain(asked, datagram, self._situation, path, now) if asked else []
            return self._dropped(refusal, len(datagram))
        self._accepted(datagram, opened, path, moves=moves)
        return self._advance(now, opened.value)

    def resume(self, result: object, now: float) -> list[Effect]:
        """The host did what was asked."""
        if self.ended:
            return []
        return self._advance(now, result)

    def refuse(self, error: IkeError, now: float) -> list[Effect]:
        """The host could not do what was asked."""
        if self.ended:
            return []
        return self._advance(now, error=error)

    def tick(self, now: float) -> list[Effect]:
        """Time has passed: send again, or end the wait."""
        waiting = self._waiting
        if waiting is None or now < waiting.due:
            return []
        if waiting.next_copy():
            assert waiting.message is not None
            self._transmit(waiting.message, waiting.copies)
            port = self._situation.path.remote.port
            return self._kept(self._meanwhile.no_answer_yet(self._awaited(), waiting, port) if self._awaiting else None)
        if self.ended:
            self._waiting = None
            return []
        rubbish, refusal = self._awaiting and self._awaiting.rubbish, waiting.last_refusal
        self._awaiting = self._waiting = None
        if rubbish and refusal is rubbish:
            return self._advance(now, error=rubbish)
        port, otherwise = self._situation.path.remote.port, self._besides.otherwise
        silence = self._meanwhile.silence(self._awaited(), waiting, port, now, otherwise=otherwise)
        return self._advance(now, error=NoAnswer(silence))

    def hint(self, notify: NotifyType) -> list[Effect]:
        """A notification in the clear: kept, named at the deadline, never obeyed."""
        return self._kept(self._meanwhile.hint(notify))

    def unreachable(self, found: Unreachable | Undelivered) -> list[Effect]:
        """The network says that a message did not arrive: likewise."""
        return self._kept(None if self.ended else self._meanwhile.unreachable(found))

    def _kept(self, fact: Fact | None) -> list[Effect]:
        if fact is not None:
            self._effects.append(Record(fact))
        return self._flush()

    def beside(self, datagram: bytes, path: Path, now: float) -> list[Effect] | None:
        """An encrypted Informational with a message ID of its own: None unless it is a word on the message awaited. The
        wait and its IV chain stay as they are, unless the word is a proven refusal."""
        asked = self._awaiting.beside if self._awaiting else None
        word = self._besides.read(asked, self._situation, datagram, path) if asked else None
        if word is None:
            return None
        self._effects.extend(Record(fact) for fact in word.facts)
        return self._advance(now, error=word.refusal) if word.refusal else self._flush()

    def fail(self, cause: IkeError, now: float) -> list[Effect]:
        """End the exchange for a cause from outside: a verified notification, a command, a shutdown."""
        if self.ended:
            return []
        return self._advance(now, error=cause)

    def fork(self, chain: IvChain) -> None:
        """The peer may hold another last block of phase 1 than was thought: what it has not answered yet goes out from
        there, too, when it is sent again."""
        if self._duplicates.heard:
            return
        self._situation.forks += (chain,)
        if self._last_answer is not None:
            self._last_answer.seal_also(chain)

    @property
    def origin(self) -> bytes:
        """The last block of phase 1 that the peer's last message proved, where it began an exchange under an SA."""
        return self._situation.chains[0].origin if self._situation.chains else b""

    def confirm(self) -> list[Effect]:
        """The peer has shown that it heard our last message: it is sent no more."""
        if self.ended:
            self._waiting = None
        return []

    def remind(self, path: Path) -> list[Effect]:
        """The peer is further on than we are: it did not know that its last message was lost. Our last answer makes it
        send that message again."""
        asked = self._awaiting is not None and not self.initiator and self._last_answer is not None
        if not asked or path.remote.address != self._situation.path.remote.address or self._reminders >= MAX_REMINDERS:
            return []
        self._reminders += 1
        assert self._last_answer is not None
        self._transmit(self._last_answer, copy=1 + self._reminders)
        return self._flush()

    def close(self) -> None:
        """Forget the exchange without a word."""
        self.ended = True
        self._waiting = self._awaiting = None
        if self._exchange is not None:
            self._exchange.close()

    def let_go(self) -> None:
        """It ended long ago: from here on repetitions are not answered, and nothing is kept for them."""
        self.close()
        self._duplicates = NOTHING_HEARD
        self._last_answer = self.unconfirmed = None

    # -- receiving ----------------------------------------------------------------------------------------------

    def _judge(self, datagram: bytes, path: Path) -> Opened:
        header = Header.decode_untrusted(datagram)
        if self._awaiting is None:
            raise UnexpectedMessage("no message is awaited now")
        check_header(header, self._situation, self._kind, self.initiator)
        self._situation.arriving = path
        try:
            return open_with(self._situation, header, datagram, self._awaiting)
        finally:
            self._situation.arriving = None

    def _accepted(self, datagram: bytes, opened: Opened, path: Path, *, moves: bool) -> None:
        name, message = self._awaited(), opened.message
        self._messages += 1
        self._awaiting = self._waiting = None
        self._duplicates.accepted(Accepted.of(name, datagram, message, opened.before))
        if moves:
            self._situation.path = path
        self._situation.clear_too = False
        if self._situation.cookies.responder == NO_COOKIE:
            ours_or_theirs = message.header.responder if self.initiator else self._minted
            self._situation.cookies = Cookies(message.header.initiator, ours_or_theirs)
        chain = message.chain if message.header.encrypted else b""
        self._effects.append(Record(Heard(name, names(message.payloads), datagram, path, chain)))
        if int(message.header.flags) & int(Flags.COMMIT) and not self._commit_noted:
            # Deviates: as strongSwan does. Kept from the kernel until CONNECTED comes, the SA would lose every packet.
            self._commit_noted = True
            self._effects.append(Record(Note(CommitBit())))
        if announced := remember_vendors(self._situation, message, initiator=self.initiator):
            self._effects.append(Record(announced))

    def _repeated(self, copy: Copy, path: Path, now: float) -> list[Effect]:
        if fork := self._duplicates.fork(copy):
            self._situation.forks += (fork,)
            self.other_ends += [(fork.iv, copy.end) if fork.iv != copy.end else (copy.end,)] if self.ended else []
        answers = self._duplicates.answers(copy, now, first=fork is not None)
        self._effects.append(Record(Repeated(copy.of.label, bool(answers))))
        target = paths.for_repetition(self._situation, path)
        return [*self._flush(), *(Transmit(answer, target) for answer in answers)]

    def _dropped(self, refusal: IkeError, size: int) -> list[Effect]:
        refusal.__traceback__ = None  # one refusal may be raised for each of many forgeries, and would keep them all
        if self._waiting:
            self._waiting.last_refusal = refusal
        self._effects.append(Record(Dropped(self._awaited(), refusal.finding, type(refusal).__name__, size)))
        return self._flush()

    def _awaited(self) -> str:
        """The label of the message that comes next, in either direction."""
        return label(self._kind, self._messages + 1)

    # -- driving the coroutine ----------------------------------------------------------------------------------

    def _advance(self, now: float, value: object = None, error: IkeError | None = None) -> list[Effect]:
        assert self._exchange is not None
        try:
            while True:
                request = self._exchange.throw(error) if error else self._exchange.send(value)
                value = error = None
                if not self._serve(request, now):
                    return self._flush()
        except StopIteration as done:
            self.ended = True
            self._effects.append(Returned(done.value))
        except IkeError as failure:
            self._end_with(failure)
        except Exception as bug:
            internal = InternalError(f"a fault of ikevd itself ended this negotiation: {type(bug).__name__}")
            internal.__cause__ = bug
            self._end_with(internal)
        self._awaiting = self._exchange = None
        self._ended_at = now
        return self._flush()

    def _end_with(self, failure: IkeError) -> None:
        self.ended = True
        self._waiting = None
        self._effects.append(Raised(failure))

    def _serve(self, request: object, now: float) -> bool:
        """Carry out one request; False if the exchange must wait for its outcome."""
        match request:
            case Send():
                self._send(request, now)
            case Protect(chains, clear_too):
                self._situation.chains, self._situation.clear_too = chains, clear_too
            case Discovered(nat, must_float):
                self._situation.nat, self._situation.must_float = nat, must_float
            case Float():
                self._situation.path = floated(self._situation.path, self._situation.nat_port)
            case Unconfirmed(sa):
                self.unconfirmed = sa
            case Note():
                self._effects.append(Record(request))
            case Receive():
                self._await(request, now)
                return False
            case ReserveSpi() | OpenInbound() | OpenOutbound():
                self._effects.append(AskHost(request))
                return False
            case _:
                raise TypeError(f"an exchange may await only its link and its host, not {request!r}")
        return True

    def _await(self, request: Receive, now: float) -> None:
        self._awaiting = request
        if self._waiting is None:
            patience = self._timing.larval if self.is_larval else self._timing.patience
            self._waiting = Waiting.for_message(now, patience)

    def _send(self, request: Send, now: float) -> None:
        body = encode_chain(request.payloads)
        copies = seal(self._situation, self._kind, first_type(request.payloads), body)
        chain = body if self._situation.chains else b""
        message = Outgoing(self._awaited(), names(request.payloads), copies, chain)
        self._messages += 1
        self._transmit(message, copy=1)
        self._last_answer = message
        if request.repeat != Repeat.BY_TIMER or not self.initiator:
            self._duplicates.told(message)
        if request.repeat == Repeat.BY_TIMER:
            self._waiting = Waiting.for_answer(now, message, self._timing.resend)
        elif request.repeat == Repeat.BOUNDED:
            self._waiting = Waiting.for_answer(now, message, FAREWELL)

    def _transmit(self, message: Outgoing, copy: int) -> None:
        """Under every end that the peer may have; but the first word to it at first under the likeliest alone."""
        path, alone = self._situation.path, copy == 1 and not self._duplicates.heard
        for octets in message.copies[:1] if alone else message.copies:
            self._effects.append(Record(Sent(message.label, message.payloads, octets, path, copy, message.chain)))
            self._effects.append(Transmit(octets, path))

    def _flush(self) -> list[Effect]:
        effects, self._effects = self._effects, []
        return effects
