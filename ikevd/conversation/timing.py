"""All delays of an exchange, in seconds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field

from ikevd.frozen import frozen
from ikevd.policy.connection import Resend

# RFC 2408 section 5.1 asks for a retransmission timer and leaves its values to us; all of these are ours.
LARVAL = 30.0
"""A responder waits so long until the peer echoes our cookie (the bound on half-open state)."""
PATIENCE = 75.0
"""A responder then waits so long for each message: IOS sends five times, ten seconds apart."""
LINGER = 75.0
"""An ended exchange answers repetitions so long."""
FAREWELL = Resend(interval=0.5, factor=2.0, sends=5)
"""A Delete is never answered, so it is sent a few times: 0, 0.5, 1.5, 3.5 and 7.5 s."""


QUICK_FOR = 6.0
"""Copies that follow the round trip are said so long; after that, those that are configured."""
ROUND_TRIPS, QUICKEST = 1.5, 0.5
"""They are so many round trips apart, and so many seconds at least."""
IN_DOUBT = 3
"""So often a last answer is sent at once where messages get lost. Not later: strongSwan refuses a late copy, and names
no message."""
LATELY = 8
"""Messages are lost lately if one of the last so many had to be repeated more often than the round trip explains."""
IN_A_ROW = 3
"""Where so many messages in a row had to be, the round trip may have become longer instead."""


class RoundTrip:
    """How long a peer takes to answer, as it showed last, and whether messages are lost on the way."""

    __slots__ = ("_doubted", "_doubts", "seconds")

    def __init__(self, seconds: float | None = None) -> None:
        self.seconds = seconds
        """None: not known."""
        self._doubts = 0
        self._doubted = 0
        """Messages in a row that had to be repeated."""

    def measured(self, seconds: float, copies: int) -> None:
        """The peer answered so long after the first of our copies. Which of several it answered nobody knows (Karn):
        the first, where the round trip explains that. Else one was lost; where that goes on, the way may be longer."""
        known = self.seconds
        self._doubted = 0 if copies == 1 else self._doubted + 1
        if copies == 1:
            self.seconds, self._doubts = seconds, max(0, self._doubts - 1)
        elif known is not None and seconds <= ROUND_TRIPS * known:
            self.seconds, self._doubts, self._doubted = seconds, 0, 0
        else:
            longer = seconds if known is None else min(seconds, max(2 * known, QUICKEST / ROUND_TRIPS))
            self.seconds, self._doubts = longer if known is None or self._doubted >= IN_A_ROW else known, LATELY

    def at_most(self, seconds: float) -> None:
        """Likewise, where the message that came may have been a repetition of one that was lost."""
        self.seconds = seconds if self.seconds is None else min(seconds, self.seconds)

    @property
    def loses(self) -> bool:
        """Are messages lost?"""
        return self._doubts > 0

    def forget(self) -> None:
        """The peer did not answer: who knows what it is that it does not hear?"""
        self.seconds = None


@frozen
class Timing:
    """The delays of one exchange."""

    resend: Resend = field(default_factory=Resend)
    larval: float = LARVAL
    patience: float = PATIENCE
    round_trip: RoundTrip = field(default_factory=RoundTrip)
    """All exchanges with one peer measure the same one."""


def pauses(resend: Resend, round_trip: float | None = None) -> Iterator[float]:
    """The pause after each send; the last one ends in the deadline. RFC 2408 section 5.1 wants them to follow the
    round trip: where that is known, the first pauses are cut into equal parts."""
    elapsed = 0.0
    for number in range(resend.sends):
        pause = resend.interval * resend.factor**number
        quick = max(QUICKEST, ROUND_TRIPS * round_trip) if round_trip is not None and elapsed < QUICK_FOR else pause
        parts = max(1, int(min(pause, QUICK_FOR - elapsed) / quick))
        for _ in range(parts):
            yield pause / parts
        elapsed += pause
