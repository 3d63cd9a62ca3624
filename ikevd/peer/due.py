"""When something is to be done about a peer, if nothing else happens before. None: never."""

from __future__ import annotations

from collections.abc import Sequence

from ikevd.peer.child_state import ChildState
from ikevd.peer.isakmp_state import IsakmpState, Stage
from ikevd.peer.state import PeerState
from ikevd.peer.timing import MOST_DOUBLED, PACE, SAID_AFTER

LEAVING, READY = Stage.LEAVING, Stage.READY


def child_due(child: ChildState) -> float | None:
    """The next attempt, a look for traffic, what is due about a pair, or its end."""
    due = child.retry_at
    if child.idle is not None and (due is None or child.idle.look_at < due):
        due = child.idle.look_at
    for pair in child.pairs:  # written out: a peer may have a thousand children
        if pair.attempt is not None:
            continue
        for when in (pair.rekey_at, pair.use_at, pair.delete_at, pair.leave_at, pair.expires):
            if when is not None and (due is None or when < due):
                due = when
    return due


def isakmp_due(isakmp: IsakmpState) -> float | None:
    """The end of its lifetime or of its farewells, its renewal, its Delete once it is replaced, or a look at whether
    the peer lives."""
    end = isakmp_ends(isakmp)
    if isakmp.stage is LEAVING:
        return end if isakmp.delete_at is None else _first(end, isakmp.delete_at)
    look_at = None if isakmp.liveness is None or isakmp.retired else isakmp.liveness.look_at
    return _first(end, isakmp.renew_at, isakmp.retire_at, look_at)


def isakmp_ends(isakmp: IsakmpState) -> float | None:
    """The end of its lifetime, or of its farewells."""
    if isakmp.stage is LEAVING:
        return isakmp.leave_at
    return isakmp.expires if isakmp.leave_at is None else min(isakmp.expires, isakmp.leave_at)


def turn_due(state: PeerState) -> float | None:
    """When the next child that waits for its turn may begin beside the Quick Modes of ours under way. None also where
    what it waits for is due by itself."""
    if not any(has_turn(state.children.get(name)) for name in state.waiting):
        return None
    under = next((key for key, isakmp in reversed(tuple(state.isakmp.items())) if serves(isakmp)), None)
    if under is None:
        return None
    born = [mode.born for mode in state.quick_modes.values() if mode.ours and mode.under == under and not mode.ending]
    return next_at(born)


def next_at(born: Sequence[float]) -> float:
    """When another one may begin beside Quick Modes of ours that began then and are not answered: the pause doubles."""
    return max(born) + PACE * 2 ** min(len(born) - 1, MOST_DOUBLED) if born else 0.0


def has_turn(child: ChildState | None) -> bool:
    """May a Quick Mode of ours begin for it? Not before what we send goes through its newest pair: the peer deletes the
    oldest one at message 1 of a third, and perhaps tells of it much later."""
    return child is None or all(pair.use_at is None for pair in child.pairs)


def deletes_due(state: PeerState) -> float | None:
    """When all copies of the oldest Delete have left."""
    return state.deletes_said[0].at + SAID_AFTER if state.deletes_said else None


def one_way_due(state: PeerState) -> float | None:
    """When the kernel is asked again whether packets come."""
    return state.one_way.look_at if state.one_way is not None else None


def next_due(state: PeerState) -> float | None:
    """The first of all."""
    children = map(child_due, state.children.values())
    return _first(
        turn_due(state), deletes_due(state), one_way_due(state), *map(isakmp_due, state.isakmp.values()), *children
    )


def serves(isakmp: IsakmpState) -> bool:
    """May a new Quick Mode begin under it, as long as it `lasts`?"""
    return isakmp.stage is READY and not (isakmp.unresponsive or isakmp.retired or isakmp.unproven)


def lasts(isakmp: IsakmpState, now: float) -> bool:
    """Not so one that came to its end while no process was there to notice: the peer has it no more."""
    return now < isakmp.expires


def _first(*times: float | None) -> float | None:
    first = None
    for time in times:
        if time is not None and (first is None or time < first):
            first = time
    return first
