"""What stands with the peer is to be replaced: the file was read again and says otherwise of the connection, or the
operator wants it.

Make before break where that can be: another phase 1 begins while what stands serves, and under what comes of it
the children are negotiated anew, each while its pair carries on. What cannot go on, as for other networks, ends first.
"""

from __future__ import annotations

from collections.abc import Collection

from ikevd.errors import Abandoned, IkeError
from ikevd.frozen import replace
from ikevd.peer import attempts, deletes, idle, isakmp, liveness, rekey, start, succession, trial
from ikevd.peer.child_state import ChildState
from ikevd.peer.command_facts import Reloaded
from ikevd.peer.draft import Draft
from ikevd.peer.effects import Abort, Answer
from ikevd.peer.isakmp_state import Stage
from ikevd.policy.changes import Reach
from ikevd.sa.model import Cookies

CHANGED = Abandoned("its configuration has changed")
RESET = Abandoned("it was reset by command")


def reloaded(draft: Draft, fact: Reloaded) -> None:
    """From here on the connection is the new one. Its children that are new are there, those that it does not have any
    more are gone."""
    gone = [name for name in draft.children if draft.configured(name) is None]
    _end(draft, (*gone, *fact.ended), CHANGED)
    for name in gone:
        draft.children.drop(name)
    for child in draft.connection.children:
        if draft.children.get(child.name) is None:
            draft.children.put(child.name, ChildState())
        idle.reconsider(draft, child.name)
        rekey.reconsider(draft, child.name)
    succession.reconsider(draft)
    liveness.reconsider(draft)
    trial.reconsider(draft, anew=fact.phase1 is not Reach.OURS)
    for name in fact.renewed:
        _renew_child(draft, name)
    if fact.phase1 is Reach.RENEWED:
        _renew(draft)
    elif fact.phase1 is Reach.REPLACED:
        _end_phase1(draft, CHANGED)


def reset(draft: Draft) -> None:
    """All with the peer ends at once, and what is wanted begins anew."""
    draft.one_way = draft.esp_came_from = None
    _end(draft, tuple(draft.children), RESET)
    _end_phase1(draft, RESET)


def rekey_wanted(draft: Draft, names: Collection[str], *, phase1: bool) -> None:
    """By command: `names` are negotiated anew and, before them, phase 1."""
    for name in names:
        if rekey.newest(draft.child(name)) is None:
            draft.say(Answer(name, Abandoned(f"{name} is not up: `ikevd up {name}` brings it up")))
        elif not phase1 and not rekey.now(draft, name):
            draft.say(Answer(name, Abandoned(f"the peer said for what {name} is up: it rekeys it")))
    if phase1:
        _renew(draft)


def followed(draft: Draft, under: Cookies) -> None:
    """An ISAKMP SA stands, whoever began it: what was made before it, where that is outdated, is negotiated anew."""
    new = draft.isakmp.get(under)
    if new is None or new.stage is not Stage.READY:
        return
    outdated = [key for key, found in draft.isakmp.items() if found.outdated and key != under]
    for key in outdated:
        if found := draft.isakmp.get(key):
            draft.isakmp.put(key, replace(found, outdated=False))
    for name in draft.children if outdated else ():
        pair = rekey.newest(draft.child(name))
        if pair is not None and pair.under != under:
            rekey.now(draft, name)


def not_followed(draft: Draft, error: IkeError) -> None:
    """A phase 1 of ours came to nothing: who waits for a child of an outdated ISAKMP SA is told. It is tried again."""
    if any(found.outdated for _, found in draft.isakmp.items()):
        for name in draft.children:
            draft.say(Answer(name, error))


def _end(draft: Draft, names: Collection[str], cause: Abandoned) -> None:
    """Who waits for one that begins anew goes on waiting."""
    ended = frozenset(names)
    draft.waiting = tuple([name for name in draft.waiting if name not in ended])
    for attempt, mode in tuple(draft.quick_modes.items()):
        if ended and (mode.child is None or mode.child in ended):  # of the peer's that has just begun nobody knows yet
            attempts.abort(draft, attempt, cause)
    before = [draft.child(name) for name in names]
    deletes.say_deletes(draft, [pair for child in before for pair in child.standing])
    for name, child in zip(names, before, strict=True):
        draft.children.put(name, _anew(child, draft.now, cause))
        if child.wanted and draft.configured(name) is not None:
            start.negotiate(draft, name)
        else:
            draft.say(Answer(name, cause))


def _anew(child: ChildState, now: float, cause: Abandoned) -> ChildState:
    """What the operator took down stays down."""
    kept = ChildState(wanted=child.wanted, since=child.since, open=child.open, by_command=child.by_command)
    return replace(kept, cause=cause.finding, since=now) if child.standing else replace(kept, cause=child.cause)


def _renew_child(draft: Draft, name: str) -> None:
    """Also one of which a Quick Mode is under way: that is of the former settings."""
    attempts.abort_child(draft, name, CHANGED)
    child = draft.child(name)
    if child.attempt is not None:
        draft.children.put(name, replace(child, attempt=None))
    if not rekey.now(draft, name) and child.wanted:
        start.negotiate(draft, name)


def _renew(draft: Draft) -> None:
    """Phase 1, and under it all that stands."""
    if draft.phase1 is not None:
        draft.say(Abort(draft.phase1, CHANGED))
        draft.phase1 = None
    for under, found in tuple(draft.isakmp.items()):
        if found.stage is Stage.READY:
            draft.isakmp.put(under, replace(found, outdated=True))
    if not succession.renew(draft):
        for name in draft.children:
            rekey.now(draft, name)


def _end_phase1(draft: Draft, cause: Abandoned) -> None:
    if draft.phase1 is not None:
        draft.say(Abort(draft.phase1, cause))
        draft.phase1 = None
    for under in draft.isakmp:
        isakmp.retire(draft, under, tell=True, cause=cause)
