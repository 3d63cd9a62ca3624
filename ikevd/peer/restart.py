"""The state was read from the store by a new process."""

from __future__ import annotations

from collections.abc import Set

from ikevd.errors import Abandoned
from ikevd.frozen import replace
from ikevd.peer import attempts, child, deletes, informed, isakmp
from ikevd.peer.draft import Draft
from ikevd.peer.effects import Abort
from ikevd.peer.state import Attempt, Stage


def restarted(draft: Draft, revived: Set[Attempt]) -> None:
    """What the new process could not go on with is undone on both sides, and what it was for begins anew. Last words
    may have gone down with the old one: they are said again."""
    deletes.say_again(draft)
    if draft.phase1 not in revived:
        draft.phase1 = None
    for attempt, mode in tuple(draft.quick_modes.items()):
        if attempt not in revived:
            _undo(draft, attempt)
        elif mode.ending:
            draft.say(Abort(attempt, Abandoned("it was told to end before the restart")))
    for under, found in tuple(draft.isakmp.items()):
        if found.stage is Stage.LEAVING and not found.peer_deleted:
            draft.isakmp.put(under, replace(found, delete_waits=True))
        informed.settle(draft, under)
        isakmp.say_waiting_delete(draft, under)


def _undo(draft: Draft, attempt: Attempt) -> None:
    """Nobody knows whether the peer has got its SPI."""
    attempts.drop_pair(draft, attempt)
    mode = draft.quick_modes.drop(attempt)
    if mode is None:
        return
    under = draft.isakmp.get(mode.under)
    if mode.spi is not None and not (under and under.peer_deleted):
        deletes.say_delete(draft, mode.spi, under=mode.under, insist=True)
    if mode.child is not None and draft.child(mode.child).attempt == attempt:
        draft.children.put(mode.child, replace(draft.child(mode.child), attempt=None))
        child.negotiate(draft, mode.child)
