"""Drives one exchange: in come datagrams, host results and time, out come effects.

The exchange is a coroutine that yields the requests of `ikevd.exchanges.link`, which are carried out in `driven`.
Everything that all exchanges share (encryption, IV chains, duplicates, resending, deadlines) happens here once. The
daemon, the tests' duet and the fuzzer drive this same class.
"""

from __future__ import annotations

from ikevd.addresses import Path
from ikevd.conversation import paths
from ikevd.conversation.driven import Driven
from ikevd.conversation.effects import Effect
from ikevd.conversation.inputs import InputKind
from ikevd.conversation.timing import LINGER
from ikevd.crypto.ciphers import IvChain
from ikevd.errors import IkeError, Malformed, NoAnswer, Refused
from ikevd.exchanges.link import HostAnswer, T_co
from ikevd.facts import Dropped, Fact
from ikevd.findings import Undelivered, Unreachable
from ikevd.wire.message import Header
from ikevd.wire.registry import NotifyType

HEARD, SERVED = InputKind.HEARD, InputKind.SERVED


class Conversation(Driven[T_co]):
    """One exchange in progress. Every call returns the effects for its owner to carry out, in order."""

    __slots__ = ()

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
        """Nobody was there to say again what was due by `now`, nor to hear its answer: it is said once, with the next
        `tick`. The wait itself ends with a `tick`."""
        while self._waiting is not None and self._waiting.due <= now and self._waiting.next_copy():
            pass
        if self._waiting is not None:
            self._waiting.once_more(now)

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
