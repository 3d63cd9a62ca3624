"""How long an SA lives: the initiator proposes a life, the responder has its own (RFC 2407 section 4.5.4).

The four ways to judge have racoon's names (`proposal_check` of racoon.conf).
"""

from __future__ import annotations

from ikevd.errors import NoProposalChosen
from ikevd.lifetime_findings import LifeRefused
from ikevd.policy.model import Lifetime, LifetimeCheck

LEAST_SECONDS, LEAST_KILOBYTES = 60, 1024
"""No peer can have us negotiate anew in a storm."""


def shorter(ours: Lifetime, theirs: Lifetime) -> Lifetime:
    """Both ends keep the smaller of each value (RFC 2407 section 4.5.4), but none so small that it is an attack."""
    volumes = [volume for volume in (ours.kilobytes, theirs.kilobytes) if volume is not None]
    both = Lifetime(min(ours.seconds, theirs.seconds), min(volumes) if volumes else None)
    return ours if ours == (least := _at_least(both)) else least


def agreed(check: LifetimeCheck, ours: Lifetime, proposed: Lifetime) -> Lifetime:
    """The life that a responder keeps; raises `NoProposalChosen` where `check` refuses the proposed one."""
    if refused := refusal(check, ours, proposed):
        raise NoProposalChosen(refused)
    return _at_least(proposed) if check is LifetimeCheck.OBEY else shorter(ours, proposed)


def refusal(check: LifetimeCheck, ours: Lifetime, proposed: Lifetime) -> LifeRefused | None:
    """Why the proposed life will not do. Volume counts where both name one."""
    volumes = (ours.kilobytes or 0, proposed.kilobytes or 0) if ours.kilobytes and proposed.kilobytes else (0, 0)
    strict = check is LifetimeCheck.STRICT and (proposed.seconds > ours.seconds or volumes[1] > volumes[0])
    exact = check is LifetimeCheck.EXACT and (proposed.seconds != ours.seconds or volumes[1] != volumes[0])
    if not strict and not exact:
        return None
    return LifeRefused(check.value, proposed.seconds, proposed.kilobytes, ours.seconds, ours.kilobytes)


def is_claimed(check: LifetimeCheck, kept: Lifetime, proposed: Lifetime) -> bool:
    """Is the initiator told (RESPONDER-LIFETIME) that the SA ends sooner than it has proposed?"""
    return check is LifetimeCheck.CLAIM and shorter(kept, proposed) != _at_least(proposed)


def _at_least(lifetime: Lifetime) -> Lifetime:
    volume = lifetime.kilobytes
    least = Lifetime(max(lifetime.seconds, LEAST_SECONDS), None if volume is None else max(volume, LEAST_KILOBYTES))
    return lifetime if lifetime == least else least
