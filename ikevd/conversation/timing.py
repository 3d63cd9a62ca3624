"""All delays of an exchange, in seconds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field

from ikevd.frozen import frozen
from ikevd.policy.model import Resend

# RFC 2408 section 5.1 asks for a retransmission timer and leaves its values to us; all of these are ours.
LARVAL = 30.0
"""A responder waits so long until the peer echoes our cookie (the bound on half-open state)."""
PATIENCE = 75.0
"""A responder then waits so long for each message: IOS sends five times, ten seconds apart."""
LINGER = 75.0
"""An ended exchange answers repetitions so long."""
FAREWELL = Resend(interval=0.5, factor=2.0, sends=5)
"""A Delete is never answered, so it is sent a few times: 0, 0.5, 1.5, 3.5 and 7.5 s."""


@frozen
class Timing:
    """The delays of one exchange."""

    resend: Resend = field(default_factory=Resend)
    larval: float = LARVAL
    patience: float = PATIENCE


def pauses(resend: Resend) -> Iterator[float]:
    """The pause after each send; the last one ends in the deadline."""
    for number in range(resend.sends):
        yield resend.interval * resend.factor**number
