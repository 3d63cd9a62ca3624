"""One ISAKMP SA follows another: a new one is made while the old one serves, and then the old one gives way. No child
notices."""

from __future__ import annotations

from collections.abc import Callable

from ikevd.errors import Finding, IkeError
from ikevd.facts import Note
from ikevd.frozen import replace
from ikevd.lifetime_findings import IsakmpRenewal, IsakmpReplaced, RenewalFailed
from ikevd.peer import attempts, isakmp, phase1, renewal
from ikevd.peer.draft import Draft
from ikevd.peer.effects import Record, Say
from ikevd.peer.isakmp_state import IsakmpState, Stage
from ikevd.peer.notices import delete_isakmp
from ikevd.peer.timing import LOOK_AGAIN, REPLACED_FOR, SOONEST, backoff
from ikevd.sa.model import Cookies


def adopted(draft: Draft, under: Cookies, *, ours: bool) -> None:
    """A phase 1 has ended well: when it is renewed, and who gives way to whom. `ours`: we began it."""
    new = draft.isakmp.get(under)
    if new is None or new.stage is not Stage.READY:
        return
    new = _timed(draft, under, new)
    for key, old in isakmp.serving(draft):
        if key == under:
            continue
        if ours and renewal.replaces(new, old):
            _give_way(draft, key, draft.now + REPLACED_FOR)
        elif renewal.crossed(new, old):
            mine, other = (new, old) if new.sa.initiator else (old, new)
            _give_way(draft, mine.sa.cookies, renewal.gives_way_at(mine, other, draft.now))


def reconsider(draft: Draft) -> None:
    """What stands is renewed in time, though its record is of an ikevd that did not renew, or the file lets us call the
    peer only now."""
    for under, found in tuple(draft.isakmp.items()):
        if found.stage is Stage.READY and not found.retired and found.renew_at is None:
            _timed(draft, under, found)


def failed(draft: Draft, error: IkeError) -> None:
    """A phase 1 of ours came to nothing: what it should have renewed is tried again, if it still serves."""
    under = isakmp.usable(draft)
    serving = draft.isakmp.get(under) if under is not None else None
    if under is None or serving is None or not serving.renewals or serving.renew_at is None:
        return
    pause = backoff(serving.renewals)
    _put(draft, under, replace(serving, renew_at=draft.now + pause))
    _note(draft, under, RenewalFailed(error.finding, round(pause), round(serving.expires - draft.now)))


def renew(draft: Draft) -> bool:
    """The operator wants it now, or its settings have changed. False: none serves."""
    under = isakmp.usable(draft)
    if under is not None:
        _renew(draft, under)
    return under is not None


def spent(draft: Draft, under: Cookies) -> None:
    """What may be sent under it is nearly used up."""
    found = draft.isakmp.get(under)
    if found is not None and found.renew_at is not None and not found.renewals:
        at = max(draft.now, found.born + SOONEST)
        _put(draft, under, replace(found, renew_at=min(found.renew_at, at)))


def due(draft: Draft) -> None:
    """The time has come to renew one, or to let one give way."""
    for under in draft.isakmp:
        if _is_due(draft, under, lambda found: found.renew_at):
            _renew(draft, under)
        if _is_due(draft, under, lambda found: found.retire_at):
            _retire(draft, under)


def _is_due(draft: Draft, under: Cookies, at: Callable[[IsakmpState], float | None]) -> bool:
    found = draft.isakmp.get(under)
    when = at(found) if found is not None and found.stage is Stage.READY else None
    return when is not None and when <= draft.now


def _timed(draft: Draft, under: Cookies, state: IsakmpState) -> IsakmpState:
    """It has the time of its first renewal, if we can call the peer."""
    if not isakmp.can_call(draft, state):
        return state
    at = max(renewal.first_at(state.sa, state.born, state.expires), draft.now)
    return _put(draft, under, replace(state, renew_at=at))


def _renew(draft: Draft, under: Cookies) -> None:
    """Only what serves, as long as it is there for somebody."""
    found = draft.isakmp[under]
    again = None if found.renew_at is None else renewal.later(draft.now, found.expires)
    begins = under == isakmp.usable(draft) and isakmp.is_wanted(draft, under) and phase1.renew(draft)
    _put(draft, under, replace(found, renew_at=again, renewals=found.renewals + begins))
    if begins:
        _note(draft, under, IsakmpRenewal(round(found.expires - draft.now)))


def _retire(draft: Draft, under: Cookies) -> None:
    """It gives way to what has taken its place, if that still stands."""
    found = draft.isakmp[under]
    others = [other for key, other in isakmp.serving(draft) if key != under]
    newer = next((other for other in others if renewal.replaces(other, found)), None)
    beside = next((other for other in others if renewal.crossed(other, found)), None)
    heir = newer or beside
    if heir is None:
        _put(draft, under, replace(found, retire_at=None))
    elif attempts.busy(draft, under):
        _put(draft, under, replace(found, retire_at=draft.now + LOOK_AGAIN))
    elif newer is None and _carries(draft, under):  # a peer may end with it what was made under it
        _put(
            draft,
            under,
            replace(found, retire_at=max(draft.now + REPLACED_FOR, renewal.later(draft.now, found.expires))),
        )
    else:
        _put(draft, under, replace(found, retired=True, renew_at=None, retire_at=None))
        _note(draft, under, IsakmpReplaced(str(heir.sa.cookies)))
        say_delete(draft, under)


def say_delete(draft: Draft, under: Cookies) -> None:
    """Of one that is retired, which goes on to answer."""
    draft.say(Say(under, (delete_isakmp(under),)))


def _carries(draft: Draft, under: Cookies) -> bool:
    """Was a pair that stands made under it?"""
    return any(pair.under == under for _, child in draft.children.items() for pair in child.standing)


def _give_way(draft: Draft, under: Cookies, at: float) -> None:
    found = draft.isakmp[under]
    if found.retire_at is None or at < found.retire_at:
        _put(draft, under, replace(found, retire_at=at))


def _put(draft: Draft, under: Cookies, changed: IsakmpState) -> IsakmpState:
    draft.isakmp.put(under, changed)
    return changed


def _note(draft: Draft, under: Cookies, finding: Finding) -> None:
    draft.say(Record(under, Note(finding)))
