"""The state was read from the store by a new process."""

from __future__ import annotations

from collections.abc import Set

from ikevd.errors import Abandoned
from ikevd.frozen import replace
from ikevd.peer import attempts, deletes, idle, informed, isakmp, liveness, rekey, start, succession, trial
from ikevd.peer.child_state import ChildState
from ikevd.peer.draft import Draft
from ikevd.peer.due import lasts
from ikevd.peer.effects import Abort
from ikevd.peer.exchange_state import Attempt
from ikevd.peer.isakmp_state import Stage
from ikevd.peer.state import PeerState
from ikevd.sa.model import Cookies, Spi


def restarted(draft: Draft, revived: Set[Attempt]) -> None:
    """What the new process could not go on with is undone on both sides, and what it was for begins anew. Last words
    may have gone down with the old one: they are said again."""
    deletes.say_again(draft)
    if draft.phase1 not in revived:
        draft.phase1 = None
    trial.restarted(draft)
    for attempt, mode in tuple(draft.quick_modes.items()):
        if attempt not in revived:
            _undo(draft, attempt)
        elif mode.ending:
            draft.say(Abort(attempt, Abandoned("it was told to end before the restart")))
    for under in draft.isakmp:
        _say_delete_again(draft, under)
    isakmp.retire_over(draft)
    for name in draft.children:
        idle.reconsider(draft, name)
        rekey.reconsider(draft, name)
        rekey.restarted(draft, name)
    succession.reconsider(draft)
    liveness.reconsider(draft)


def dismissed(draft: Draft, *, replaced: bool) -> None:
    """Nothing goes on: the peer hears Delete of all. `replaced`: by another connection, under whose first ISAKMP SA is
    said what cannot be said now; else nobody is called for it. What the operator took down stays down."""
    deletes.say_again(draft)
    draft.phase1 = draft.one_way = draft.esp_came_from = None
    for attempt in draft.quick_modes:
        _undo(draft, attempt)
    gone = [pair for _, state in draft.children.items() for pair in state.standing]
    for name, state in tuple(draft.children.items()):
        draft.children.drop(name)
        if draft.configured(name) is not None:
            draft.children.put(name, _of_the_new_connection(state))
    deletes.say_deletes(draft, gone)
    draft.waiting = ()
    deletes.say_now(draft)
    if not replaced:
        draft.deletes_to_send = ()
    for cookies in draft.isakmp:
        _say_delete_again(draft, cookies)
        isakmp.retire(draft, cookies, tell=True, cause=Abandoned("its connection has changed"))


def _of_the_new_connection(former: ChildState) -> ChildState:
    if not former.by_command and not former.open:
        return ChildState()
    return ChildState(cause=former.cause, since=former.since, open=former.open, by_command=former.by_command)


def owed(state: PeerState) -> tuple[Spi, ...]:
    """SPIs of ours of which nobody knows whether the peer has heard that they are gone."""
    pairs = (pair.sa.inbound for child in state.children.values() for pair in child.pairs)
    modes = (mode.spi for mode in state.quick_modes.values() if mode.spi is not None)
    return (*dict.fromkeys((*state.deletes_to_send, *(said.spi for said in state.deletes_said), *pairs, *modes)),)


def _say_delete_again(draft: Draft, under: Cookies) -> None:
    """Where it leaves, unless the peer has said it."""
    found = draft.isakmp.get(under)
    if found is not None and found.stage is Stage.READY and found.retired:
        succession.say_delete(draft, under)
    if found is not None and found.stage is Stage.LEAVING and not found.peer_deleted:
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
        there = mode.under if under and lasts(under, draft.now) else None
        deletes.say_delete(draft, mode.spi, under=there, insist=True)
    if mode.child is not None and draft.child(mode.child).attempt == attempt:
        draft.children.put(mode.child, replace(draft.child(mode.child), attempt=None))
        start.negotiate(draft, mode.child)
        rekey.again(draft, mode.child)
