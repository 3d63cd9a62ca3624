"""Pairs that go soon after they were made: each such one lets the next Quick Mode for the child wait longer, until a
pair has stood for a while. One that has carried a volume by then was of use, and does not count."""

from __future__ import annotations

from ikevd.frozen import replace
from ikevd.peer.child_state import ChildState, Flaps, PairState
from ikevd.peer.timing import FLAPPING, STEADY, backoff
from ikevd.sa.model import IpsecSa

VOLUME = 2**20
"""Octets: RESPONDER-LIFETIME counts no smaller one, either."""


def gone(child: ChildState, pair: PairState, now: float, *, soon: bool) -> ChildState:
    """`child` once `pair`, which was one of its own, is gone or of no use. `soon`: after its birth, so that it
    counts."""
    known = child.flaps
    if known is not None and any(_stood(other, known, now) for other in (pair, *child.standing)):
        known = None
    if soon:
        known = Flaps((known.number if known else 0) + 1, now)
    return child if known is child.flaps else replace(child, flaps=known)


def is_young(pair: PairState, now: float) -> bool:
    """Would its end be no ordinary one?"""
    return now - pair.born < FLAPPING


def has_used_up(sa: IpsecSa, octets: int) -> bool:
    """Has one of its SAs that carried so many done what it was for? Which volume a peer has of its own it does not
    tell."""
    agreed = sa.lifetime.kilobytes
    return octets >= (VOLUME if agreed is None else min(VOLUME, agreed * 1024 // 2))


def pause(child: ChildState) -> float:
    """Seconds until a pair is made in the place of one that has just gone, where another one carries on."""
    return backoff(child.flaps.number if child.flaps else 1)


def _stood(pair: PairState, known: Flaps, now: float) -> bool:
    """So long that those before it count no more."""
    return pair.attempt is None and pair.born >= known.at and now - pair.born >= STEADY + backoff(known.number)
