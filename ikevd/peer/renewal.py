"""When an ISAKMP SA is renewed, and which of several gives way: rules of numbers alone.

One that stood before the phase 1 of another began is replaced by it. Two whose phase 1s overlapped in time have
crossed, as where both ends renew or call at once: none of them replaces the other. Each end gives up only what it has
begun itself, first the one with the lower cookies; the other one only if both still stand by then, as under a peer that
knows no such rule. So one is left, and never none.
"""

from __future__ import annotations

from ikevd.peer.isakmp_state import IsakmpState
from ikevd.peer.timing import (
    CROSSED_FOR,
    LONGEST_MARGIN,
    LOOK_AGAIN,
    RENEWAL_SHARE,
    REPLACED_FOR,
    SOONEST,
)
from ikevd.sa.model import Cookies, IsakmpSa


def first_at(sa: IsakmpSa, born: float, expires: float) -> float:
    """When this end renews it first: the end that began it is earlier by half a margin at least."""
    margin = min((expires - born) * RENEWAL_SHARE, LONGEST_MARGIN)
    share = jitter(sa.cookies)
    before = margin * (2.0 + share) if sa.initiator else margin * (1.0 + share / 2)
    return max(expires - before, born + SOONEST)


def jitter(cookies: Cookies) -> float:
    """From 0 to 1, another one for each ISAKMP SA: many that were made at once are not renewed at once."""
    drawn = int.from_bytes(cookies.initiator[4:], "big") ^ int.from_bytes(cookies.responder[4:], "big")
    return drawn / 2**32


def later(now: float, end: float) -> float:
    """When to look again at what cannot be done now and makes sense until `end`."""
    return now + max((end - now) / 2, LOOK_AGAIN)


def began(isakmp: IsakmpState) -> float:
    """When its phase 1 began, at the latest."""
    return isakmp.born if isakmp.began is None else isakmp.began


def replaces(new: IsakmpState, old: IsakmpState) -> bool:
    """Did `old` stand before the phase 1 of `new` began?"""
    return old.born <= began(new) and old.born < new.born


def crossed(one: IsakmpState, other: IsakmpState) -> bool:
    """Did their phase 1s overlap, each begun by another end?"""
    return one.sa.initiator != other.sa.initiator and not replaces(one, other) and not replaces(other, one)


def gives_way_at(ours: IsakmpState, theirs: IsakmpState, now: float) -> float:
    """Of two that crossed: when the one that we began gives way, if both still stand then."""
    first = ours.sa.cookies.octets < theirs.sa.cookies.octets
    return now + REPLACED_FOR + (0.0 if first else CROSSED_FOR)
