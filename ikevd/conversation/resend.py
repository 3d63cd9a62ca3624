"""When the message in the air is sent again, and when the wait for its answer ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain

from ikevd.conversation.timing import RoundTrip, pauses
from ikevd.crypto.ciphers import IvChain
from ikevd.errors import IkeError
from ikevd.policy.connection import Resend
from ikevd.wire.message import HEADER_OCTETS


@dataclass(slots=True, eq=False)
class Outgoing:
    """A sealed message with what the evidence calls it."""

    label: str
    payloads: tuple[str, ...]
    copies: tuple[bytes, ...] = field(repr=False)
    """One for each end that the message before may have; the peer understands one. The likeliest stands first."""
    chain: bytes = field(repr=False)
    """The payloads in the clear if the message is encrypted, else empty."""

    def seal_also(self, chain: IvChain) -> None:
        """One more copy, from another place of the IV chain, which moves on."""
        self.copies += (self.copies[0][:HEADER_OCTETS] + chain.encrypt(chain.padded(self.chain)),)


class Waiting:
    """One wait for the peer: the message that is sent again by timer, if any, and the deadline."""

    __slots__ = ("_pauses", "copies", "due", "lapses", "last_refusal", "message", "started")

    def __init__(self, now: float) -> None:
        self.started = now
        self._pauses: Iterator[float] = iter(())
        self.message: Outgoing | None = None
        self.due = now
        self.copies = self.lapses = 0  # lapses: how many pauses went by without an answer
        self.last_refusal: IkeError | None = None

    @classmethod
    def for_message(cls, now: float, patience: float) -> Waiting:
        """Wait `patience` seconds, sending nothing."""
        waiting = cls(now)
        waiting.due = now + patience
        return waiting

    @classmethod
    def for_answer(cls, now: float, message: Outgoing, resend: Resend, round_trip: float | None = None) -> Waiting:
        """The message was just sent once; it goes out again after each pause, the last of which is the end."""
        waiting = cls(now)
        waiting.message = message
        waiting._pauses = pauses(resend, round_trip)
        waiting.copies = 1
        waiting.due = now + next(waiting._pauses)
        return waiting

    def measure(self, round_trip: RoundTrip, now: float) -> None:
        """What was waited for has come, and answers what was said."""
        if self.message is None:
            round_trip.at_most(now - self.started)
        else:
            round_trip.measured(now - self.started, self.copies)

    def once_more(self, now: float) -> None:
        """One copy more, at `now`; those to come keep their times."""
        if self.message is not None and self.due > now:
            self._pauses = chain((self.due - now,), self._pauses)
            self.due = now
            self.lapses -= 1

    def next_copy(self) -> bool:
        """The pause is over: True if the message is to be sent again, False if the wait has ended."""
        pause = next(self._pauses, None)
        if pause is None:
            return False
        self.copies += 1
        self.lapses += 1
        self.due += pause
        return True
