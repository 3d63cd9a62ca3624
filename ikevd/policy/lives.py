"""How long an SA lives: the initiator proposes a life, the responder has its own (RFC 2407 section 4.5.4).

The four ways to judge have racoon's names (`proposal_check` of racoon.conf).
"""

from __future__ import annotations

from enum import Enum

from ikevd.errors import NoProposalChosen
from ikevd.frozen import frozen
from ikevd.lifetime_findings import LifeRefused


@frozen
class Lifetime:
    """A hard lifetime. `kilobytes` is None where volume does not matter."""

    seconds: int
    kilobytes: int | None = None


class LifetimeCheck(Enum):
    """What a responder does with the life that the initiator proposes, where its own is another one."""

    OBEY = "obey"
    """Take it."""
    STRICT = "strict"
    """Take it if it is shorter, refuse it if it is longer."""
    CLAIM = "claim"
    """Keep the shorter one, and tell the initiator where that is ours."""
    EXACT = "exact"
    """Refuse it."""


STRICT, EXACT = LifetimeCheck.STRICT, LifetimeCheck.EXACT
LEAST_SECONDS, LEAST_KILOBYTES = 60, 1024
"""No peer can have us negotiate anew in a storm."""
ROOM_KILOBYTES = 4_608_000
"""Where a peer wants less, our kernel lets so much through all the same: at 10 Gb/s 3.7 s, in which a pair is rekeyed.
It is what Cisco's have by default."""


def shorter(ours: Lifetime, theirs: Lifetime) -> Lifetime:
    """Both ends keep the smaller of each value (RFC 2407 section 4.5.4), but none so small that it is an attack."""
    one, other = ours.kilobytes, theirs.kilobytes
    volume = min(one, other) if one is not None and other is not None else other if one is None else one
    seconds = max(min(ours.seconds, theirs.seconds), LEAST_SECONDS)
    if volume is not None:
        volume = max(volume, LEAST_KILOBYTES)
    return ours if (seconds, volume) == (ours.seconds, one) else Lifetime(seconds, volume)


def agreed(check: LifetimeCheck, ours: Lifetime, proposed: Lifetime) -> Lifetime:
    """The life that a responder keeps; raises `NoProposalChosen` where `check` refuses the proposed one."""
    if refused := refusal(check, ours, proposed):
        raise NoProposalChosen(refused)
    return _at_least(proposed) if check is LifetimeCheck.OBEY else shorter(ours, proposed)


def refusal(check: LifetimeCheck, ours: Lifetime, proposed: Lifetime) -> LifeRefused | None:
    """Why the proposed life will not do. Volume counts where both name one."""
    if check not in (STRICT, EXACT):
        return None
    volumes = (ours.kilobytes or 0, proposed.kilobytes or 0) if ours.kilobytes and proposed.kilobytes else (0, 0)
    strict = check is STRICT and (proposed.seconds > ours.seconds or volumes[1] > volumes[0])
    exact = check is EXACT and (proposed.seconds != ours.seconds or volumes[1] != volumes[0])
    if not strict and not exact:
        return None
    return LifeRefused(check.value, proposed.seconds, proposed.kilobytes, ours.seconds, ours.kilobytes)


def is_claimed(check: LifetimeCheck, kept: Lifetime, proposed: Lifetime) -> bool:
    """Is the initiator told (RESPONDER-LIFETIME) that the SA ends sooner than it has proposed?"""
    return check is LifetimeCheck.CLAIM and shorter(kept, proposed) != _at_least(proposed)


def hard_kilobytes(agreed: int | None, ours: int | None) -> int | None:
    """At this volume the kernel ends an SA: where we have set one ourselves, never later than that. `agreed`: at which
    it should end; None: at none."""
    if agreed is None:
        return None
    room = max(agreed, ROOM_KILOBYTES)
    return room if ours is None else min(room, max(agreed, ours))


def _at_least(lifetime: Lifetime) -> Lifetime:
    return shorter(lifetime, lifetime)
