"""Which records of a peer a fact changed: told by identity, since a record that did not change is the same object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from itertools import compress
from operator import attrgetter, is_, is_not
from typing import TypeVar

from ikevd.frozen import replace
from ikevd.peer.child_state import ChildState
from ikevd.peer.dpd import NUMBERS
from ikevd.peer.isakmp_state import IsakmpState, Liveness
from ikevd.peer.one_way_state import OneWay
from ikevd.peer.state import PeerState
from ikevd.sa.model import Cookies
from ikevd.store.interface import Changes

HEARD_EVERY = 60.0
"""Seconds. A record that differs only in when the peer was last heard is written this seldom: no message needs it."""
NUMBERS_RESERVED = 1000
"""Of dead peer detection: a new process goes on with the next block, and no question that was lost or answered is
written."""
THEIRS_RESERVED = 64
"""Of the peer's R-U-THERE one in so many is written: a new process takes it that all of them were heard."""

K = TypeVar("K")
V = TypeVar("V")

_head_fields = attrgetter(*(one.name for one in fields(PeerState) if one.name not in ("isakmp", "children", "one_way")))
_but_idle = attrgetter(*(one.name for one in fields(ChildState) if one.name != "idle"))
_but_heard = attrgetter(*(one.name for one in fields(IsakmpState) if one.name not in ("heard", "liveness")))


def difference(before: PeerState | None, after: PeerState) -> Changes:
    """What to write so that the store holds `after` where it held `before`; None: nothing of this peer yet."""
    if before is None:
        head = replace(after, isakmp={}, children={})
        return Changes(after.key, head, isakmp=dict(after.isakmp), children=dict(after.children))
    return Changes(
        after.key,
        head=None if _same_head(before, after) else replace(after, isakmp={}, children={}),
        isakmp=_changed_isakmp(before.isakmp, after.isakmp),
        children=_changed_children(before.children, after.children),
        gone_isakmp=_gone(before.isakmp, after.isakmp),
        gone_children=_gone(before.children, after.children),
    )


def heard_at_the_latest(stored: PeerState, now: float) -> PeerState:
    """A state that was read: in each ISAKMP SA the latest time at which the peer may have been heard, so that nobody
    takes it for silent who did not listen, and numbers that no process before has used."""
    latest = {
        key: replace(
            known,
            heard=min(now, (known.heard // HEARD_EVERY + 1) * HEARD_EVERY),
            liveness=known.liveness and _renumbered(known.liveness),
        )
        for key, known in stored.isakmp.items()
    }
    return replace(stored, isakmp=latest)


def _renumbered(stored: Liveness) -> Liveness:
    """Whatever was asked, nobody waits for the answer any more. What the peer asked after the last that was written may
    come again as a copy."""
    theirs = stored.theirs
    reserved = None if theirs is None else (theirs // THEIRS_RESERVED + 1) * THEIRS_RESERVED - 1
    number = (stored.number // NUMBERS_RESERVED + 1) * NUMBERS_RESERVED % NUMBERS
    return replace(stored, number=number, asked=0, reserved=reserved)


def _changed(before: Mapping[K, V], after: Mapping[K, V]) -> dict[K, V]:
    if before is after:
        return {}
    others = compress(after, map(is_not, map(before.get, after), after.values()))  # a peer may have 1,000 children
    return {key: after[key] for key in others}


def _changed_isakmp(
    before: Mapping[Cookies, IsakmpState], after: Mapping[Cookies, IsakmpState]
) -> dict[Cookies, IsakmpState]:
    changed = _changed(before, after)
    return {key: now for key, now in changed.items() if key not in before or not _merely_heard(before[key], now)}


def _changed_children(before: Mapping[str, ChildState], after: Mapping[str, ChildState]) -> dict[str, ChildState]:
    changed = _changed(before, after)
    return {name: now for name, now in changed.items() if name not in before or not _merely_looked(before[name], now)}


def _gone(before: Mapping[K, V], after: Mapping[K, V]) -> tuple[K, ...]:
    if before is after or before.keys() <= after.keys():
        return ()
    return tuple(key for key in before if key not in after)


def _same(before: tuple[object, ...], after: tuple[object, ...]) -> bool:
    return all(map(is_, before, after))  # at each fact


def _same_head(before: PeerState, after: PeerState) -> bool:
    return _same(_head_fields(before), _head_fields(after)) and (
        before.one_way is after.one_way or _merely_weighed(before.one_way, after.one_way)
    )


def _merely_weighed(before: OneWay | None, after: OneWay | None) -> bool:
    """Was the kernel asked how many packets came, and told nothing new? The next process asks at once."""
    if before is None or after is None or before.look_at is None or after.look_at is None:
        return before == after
    return replace(before, look_at=after.look_at) == after


def _merely_heard(before: IsakmpState, after: IsakmpState) -> bool:
    return (
        before.heard // HEARD_EVERY == after.heard // HEARD_EVERY
        and _block(before.liveness) == _block(after.liveness)
        and _same(_but_heard(before), _but_heard(after))
    )


def _merely_looked(before: ChildState, after: ChildState) -> bool:
    """Was the kernel asked for packets? The next process asks anew, and takes whatever was ever counted for a packet of
    now."""
    return before.idle is not None and after.idle is not None and _same(_but_idle(before), _but_idle(after))


def _block(liveness: Liveness | None) -> tuple[int, bool, int | None] | None:
    """What of it must be written at once."""
    if liveness is None:
        return None
    theirs = None if liveness.theirs is None else liveness.theirs // THEIRS_RESERVED
    return liveness.number // NUMBERS_RESERVED, liveness.look_at is None, theirs
