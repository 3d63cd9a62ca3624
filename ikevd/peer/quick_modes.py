"""Quick Modes under way, ours and the peer's: when one begins, and what its end means.

Ours begin one after the other while the peer answers: strongSwan (5.9.8), as responder, forgets a Quick Mode in
progress when another one fails. An unanswered one delays its siblings by `PACE`, each further one twice as long as the
one before: strongSwan knows the IVs of three exchanges at a time, and one that is slow would answer none of many.
"""

from __future__ import annotations

from ikevd.errors import Abandoned, IkeError, KernelRefused, NoAnswer, PeerDeleted, PeerRefused
from ikevd.frozen import replace
from ikevd.peer import attempts, child, clients, deletes, informed, isakmp, moves, phase1
from ikevd.peer.child_state import ChildState, Half, PairState
from ikevd.peer.draft import Draft
from ikevd.peer.due import has_turn, next_at
from ikevd.peer.effects import Abort, BeginQuickMode, Resume, Say
from ikevd.peer.exchange_state import Attempt, QuickModeState
from ikevd.peer.isakmp_state import Stage
from ikevd.peer.timing import TRUSTED_FOR
from ikevd.sa.model import Cookies, IpsecSa, Spi
from ikevd.wire.payloads import NotifyPayload
from ikevd.wire.registry import Protocol

MAX_MAKING = 4
"""Pairs of one child that the peer's unfinished Quick Modes may hold at a time."""

# -- the beginning


def begin(draft: Draft) -> None:
    """What waits and has its turn."""
    if not (draft.waiting or draft.deletes_to_send):  # as after most facts
        return
    under = isakmp.usable(draft)
    if under is None:
        phase1.begin(draft)
        return
    while draft.waiting and next_at([mode.born for mode in attempts.ours(draft, under).values()]) <= draft.now:
        name = next((name for name in draft.waiting if has_turn(draft.children.get(name))), None)
        if name is None:
            return
        draft.waiting = tuple([other for other in draft.waiting if other != name])
        attempt = draft.number()
        draft.quick_modes.put(attempt, QuickModeState(under, ours=True, born=draft.now, child=name))
        draft.children.put(name, replace(draft.child(name), attempt=attempt))
        draft.say(BeginQuickMode(attempt, name, under, draft.asked.get(name)))


def began(draft: Draft, attempt: Attempt, under: Cookies) -> None:
    """The peer began one."""
    draft.serial = max(draft.serial, attempt)
    draft.quick_modes.put(attempt, QuickModeState(under, ours=False, born=draft.now))
    found = draft.isakmp.get(under)
    if found is None or found.stage is not Stage.READY:
        attempts.abort(draft, attempt, Abandoned("the ISAKMP SA is not ready for it, or has been deleted"))


# -- what it asks this machine for


def reserved(draft: Draft, attempt: Attempt, name: str, spi: Spi) -> None:
    """The kernel gave out an inbound SPI, or a CPI."""
    if mode := _asking(draft, attempt, name):
        known = replace(mode, cpi=spi) if spi.protocol == Protocol.IPCOMP else replace(mode, spi=spi)
        draft.quick_modes.put(attempt, replace(known, child=name))
        draft.say(Resume(attempt, spi=spi))


def opening(draft: Draft, attempt: Attempt, sa: IpsecSa, half: Half) -> None:
    """It has agreed on a pair. It goes on once this half of it stands."""
    mode = _asking(draft, attempt, sa.child)
    if mode is None:
        return
    if mode.child is None:
        draft.quick_modes.put(attempt, replace(mode, child=sa.child))
    known = draft.child(sa.child)
    made = _opened(known, attempt)
    if made is None:
        expires, behind_nat = draft.now + sa.lifetime.seconds, moves.is_behind_nat(draft, mode.under)
        fresh = PairState(sa, mode.under, half, draft.now, expires, attempt, behind_nat)
        pairs = (*known.pairs, fresh)
    else:
        pairs = tuple([replace(made, sa=sa, half=half) if pair is made else pair for pair in known.pairs])
    draft.children.put(sa.child, replace(known, pairs=pairs))
    if sa.asked is not None and sa.asked.also and sa.child not in draft.lenders:
        draft.lenders = (*draft.lenders, sa.child)
    theirs = [pair.attempt for pair in pairs if pair.attempt is not None and pair.attempt < 0]
    if len(theirs) > MAX_MAKING:
        first = next((number for number in theirs if attempts.may_be_another_members(draft, number)), theirs[0])
        attempts.abort(draft, first, Abandoned("it made way for newer ones of the same child"))
    if attempts.under_way(draft, attempt):
        draft.say(Resume(attempt))


def kernel_refused(draft: Draft, attempt: Attempt, error: IkeError, name: str | None) -> None:
    """What it waited for cannot stand: the pair goes, which undoes what stood of it. Nor may it be asked for again, as
    by the next process: an SA that stood would be added under its old keys."""
    mode = draft.quick_modes.get(attempt)
    if mode is None:
        return
    draft.quick_modes.put(attempt, replace(mode, child=mode.child or name, ending=True))
    attempts.drop_pair(draft, attempt)
    if not mode.ending:
        draft.say(Resume(attempt, error))


def _opened(known: ChildState, attempt: Attempt) -> PairState | None:
    """The pair that it is making."""
    for pair in known.pairs:
        if pair.attempt == attempt:
            return pair
    return None


def _asking(draft: Draft, attempt: Attempt, name: str) -> QuickModeState | None:
    """What asks for `name`; one that is not known, or began for another child, would wait for ever: it ends."""
    mode = draft.quick_modes.get(attempt)
    if mode is None:
        draft.say(Abort(attempt, Abandoned("it was given up")))
    elif mode.child not in (None, name):
        attempts.abort(draft, attempt, Abandoned(f"it began for {mode.child}, not for {name}"))
    return attempts.under_way(draft, attempt)


# -- the end


def abort_opening(draft: Draft, name: str, spi: Spi, error: IkeError) -> None:
    """The kernel has lost an SA of a pair that is being made: it is never added again."""
    for pair in draft.child(name).pairs:
        if pair.attempt is not None and spi in (*pair.sa.inbound_spis, *pair.sa.outbound_spis):
            attempts.drop_pair(draft, pair.attempt)
            attempts.abort(draft, pair.attempt, error)


def up(draft: Draft, attempt: Attempt, sa: IpsecSa) -> None:
    """It ended well."""
    mode = draft.quick_modes.get(attempt)
    pair = _opened(draft.child(sa.child), attempt)
    if mode is None:
        return
    if mode.ending or pair is None:  # it was faster than the order to end
        failed(draft, attempt, Abandoned("it was told to end"), spoken=True, sent=True)
        return
    draft.quick_modes.drop(attempt)
    stands = moves.at_home(draft, replace(pair, sa=sa, half=Half.BOTH, born=draft.now, attempt=None))
    clients.up(draft, sa.child, child.up(draft, sa.child, stands, attempt))
    informed.deleted_early(draft, mode.under, sa)
    _ended(draft, mode.under)


def failed(draft: Draft, attempt: Attempt, error: IkeError, *, spoken: bool, sent: bool) -> None:
    """It came to nothing. `spoken`: did any message of it come or go? `sent`: did one of ours leave?"""
    attempts.drop_pair(draft, attempt)
    mode = draft.quick_modes.drop(attempt)
    if mode is None:
        return
    if isinstance(error, NoAnswer):
        _distrust(draft, mode)
    _tell_failure(draft, mode, error, spoken=spoken, sent=sent)
    if mode.child is not None and mode.ours:
        _child_failed(draft, mode.child, attempt, mode.under, error)
    elif mode.child is not None and isinstance(error, KernelRefused):
        child.declined(draft, mode.child, error.finding)
    _ended(draft, mode.under)


def _child_failed(draft: Draft, name: str, attempt: Attempt, under: Cookies, error: IkeError) -> None:
    """Once more under a new ISAKMP SA where the old one's end was the cause; unless it was taken down meanwhile."""
    state, found = draft.child(name), draft.isakmp.get(under)
    if state.attempt != attempt:
        return
    gone = found is None or found.stage is Stage.LEAVING
    asked_for = state.wanted or state.standing
    if gone and asked_for and isinstance(error, PeerDeleted | Abandoned) and not state.again:
        draft.children.put(name, replace(state, attempt=None, again=True))
        draft.waiting = (*draft.waiting, name)
    else:
        child.failed(draft, name, error)


def _tell_failure(draft: Draft, mode: QuickModeState, error: IkeError, *, spoken: bool, sent: bool) -> None:
    """A Notify to a peer that waits for us, a Delete of an SPI that it has got."""
    if isinstance(error, PeerDeleted):
        return
    if error.notify is not None and spoken and draft.isakmp.get(mode.under):
        draft.say(Say(mode.under, (NotifyPayload(error.protocol, error.notify, error.spi),)))
    if mode.spi is not None and sent and not isinstance(error, PeerRefused):
        deletes.say_delete(draft, mode.spi, under=mode.under)


def _distrust(draft: Draft, mode: QuickModeState) -> None:
    """Unanswered: the peer may have lost the ISAKMP SA, unless it gave a sign of life lately, and those under which it
    has been silent for longer."""
    asked = draft.isakmp.get(mode.under)
    if asked is None or asked.heard + TRUSTED_FOR >= mode.born:
        return
    for under, found in isakmp.serving(draft):
        if found.heard <= asked.heard:
            draft.isakmp.put(under, replace(found, unresponsive=True))


def _ended(draft: Draft, under: Cookies) -> None:
    """What had to wait until the Quick Modes under one ISAKMP SA have ended."""
    informed.settle(draft, under)
    deletes.say_now(draft)
    isakmp.say_waiting_delete(draft, under)
