"""The file was read again, and says otherwise of the connection with this peer."""

from __future__ import annotations

from collections.abc import Collection

from ikevd.errors import Abandoned
from ikevd.frozen import replace
from ikevd.peer import attempts, deletes, idle, isakmp, liveness, start
from ikevd.peer.draft import Draft
from ikevd.peer.effects import Abort, Answer
from ikevd.peer.state import ChildState

CHANGED = Abandoned("its configuration has changed")


def reloaded(draft: Draft, ended: Collection[str], *, phase1: bool) -> None:
    """From here on the connection is the new one. Its children that are new are there, those that it does not have any
    more are gone, those that are `ended` begin anew; `phase1`: so does phase 1."""
    gone = [name for name in draft.children if draft.configured(name) is None]
    _end(draft, (*gone, *ended))
    for name in gone:
        draft.children.drop(name)
    for child in draft.connection.children:
        known = draft.children.get(child.name)
        if known is None:
            draft.children.put(child.name, ChildState())
        elif known.standing and known.idle is None and child.inactivity is not None:
            draft.children.put(child.name, replace(known, idle=idle.begun(draft, child.name)))
    liveness.reconsider(draft)
    if phase1:
        _phase1_anew(draft)


def _end(draft: Draft, names: Collection[str]) -> None:
    """What stands of them in the kernel is removed elsewhere. Who waits for one that begins anew goes on waiting."""
    ended = frozenset(names)
    draft.waiting = tuple([name for name in draft.waiting if name not in ended])
    for attempt, mode in tuple(draft.quick_modes.items()):
        if ended and (mode.child is None or mode.child in ended):  # of the peer's that has just begun nobody knows yet
            attempts.abort(draft, attempt, CHANGED)
    before = [draft.child(name) for name in names]
    deletes.say_deletes(draft, [pair for child in before for pair in child.standing])
    for name, child in zip(names, before, strict=True):
        draft.children.put(name, _anew(child, draft.now))
        if child.wanted and draft.configured(name) is not None:
            start.negotiate(draft, name)
        else:
            draft.say(Answer(name, CHANGED))


def _anew(child: ChildState, now: float) -> ChildState:
    """What the operator took down stays down."""
    kept = ChildState(wanted=child.wanted, since=child.since, open=child.open, by_command=child.by_command)
    return replace(kept, cause=CHANGED.finding, since=now) if child.standing else replace(kept, cause=child.cause)


def _phase1_anew(draft: Draft) -> None:
    if draft.phase1 is not None:
        draft.say(Abort(draft.phase1, CHANGED))
        draft.phase1 = None
    for under in draft.isakmp:
        isakmp.retire(draft, under, tell=True, cause=CHANGED)
