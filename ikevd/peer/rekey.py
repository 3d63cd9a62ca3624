"""Rekeying of a child: when a pair is replaced by a new one, and how that takes over. Make before break.

The end that began the newest pair rekeys it, some time before its life is over; the other end does it later, if
nothing came. Both derive the jitter from the SPIs, so that the first is always well ahead. The initiator of the new
pair goes on sending through the old one for a while: a peer may install the new one only when message 3 comes
(strongSwan, Cisco). What is replaced is still received on, and then deleted: by the initiator of the new pair, or,
where that does not do it, by the other end. Until then it is there to carry on should the new one go.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

from ikevd.facts import Note
from ikevd.frozen import replace
from ikevd.lifetime_findings import SmallVolume
from ikevd.peer import attempts, deletes, flaps, isakmp
from ikevd.peer.child_state import ChildState, PairState
from ikevd.peer.draft import Draft
from ikevd.peer.effects import AskUse, Record
from ikevd.peer.timing import (
    DELETED_AFTER,
    DELETED_BY_PEER_AFTER,
    HEARD_BY_THEN,
    LAST_LOOK,
    LINGERS,
    LONGEST_PAIR_MARGIN,
    NOT_BOTH,
    PAIR_MARGIN,
    REKEY_BLOCKED,
    SOFT_VOLUME,
    SOFT_VOLUME_OF_PEERS,
    SOONEST_BY_PEER,
    SOONEST_BY_VOLUME,
    USED_AFTER,
    USED_SOON,
    VOLUME_JITTER,
    backoff,
)
from ikevd.policy.child import Child, Rekey
from ikevd.sa.model import IpsecSa, Spi

RESPONDER = 0.5, 0.25
"""Of the margin: the least share for the end that did not begin the pair, and how much jitter adds to it."""


def soft_seconds(sa: IpsecSa) -> float:
    """After so many seconds a pair is rekeyed by this end."""
    margin = min(PAIR_MARGIN * sa.lifetime.seconds, LONGEST_PAIR_MARGIN)
    least, spread = (1.0, 1.0) if sa.initiator else RESPONDER
    return sa.lifetime.seconds - margin * (least + spread * _jitter(sa))


def soft_kilobytes(sa: IpsecSa) -> int | None:
    """At this volume a pair is rekeyed by this end; None: volume does not matter."""
    if sa.lifetime.kilobytes is None:
        return None
    share = SOFT_VOLUME if sa.initiator else SOFT_VOLUME_OF_PEERS
    return int(sa.lifetime.kilobytes * (share - VOLUME_JITTER * _jitter(sa)))


def _jitter(sa: IpsecSa) -> float:
    """0 to 1, the same at both ends, and another one for each pair."""
    return ((sa.inbound ^ sa.outbound) & 0xFFFF) / 0x10000


# -- the old pair


def begin(draft: Draft, name: str) -> None:
    """The time of its newest pair has come: a Quick Mode for another one, in its turn."""
    child, pair = draft.child(name), newest(draft.child(name))
    if pair is None or child.attempt is not None or name in draft.waiting or not rekeys(draft, name, pair):
        _set(draft, name, None)
    elif _may_begin(draft, name):
        _set(draft, name, None)
        draft.waiting = (*draft.waiting, name)
    else:
        _set(draft, name, draft.now + REKEY_BLOCKED)


def now(draft: Draft, name: str) -> bool:
    """As `begin`, by command or since its settings have changed, whatever the file says of rekeying. False: none of
    its pairs stands, or only the peer says what for."""
    child, configured = draft.child(name), draft.configured(name)
    pair = newest(child)
    if pair is None or configured is None or is_peers(configured, pair):
        return False
    if child.attempt is None and name not in draft.waiting:
        _set(draft, name, None)
        draft.waiting = (*draft.waiting, name)
    return True


def use(draft: Draft, name: str) -> None:
    """Its newest pair carries what we send from now on, not only when the peer must have heard message 3."""
    child = draft.child(name)
    pair = newest(child)
    if pair is not None and pair.use_at is not None:
        draft.children.put(name, _used(child, draft.now))


def reconsider(draft: Draft, name: str) -> None:
    """Its newest pair is rekeyed in time, though the file asks for that only now, or the record is of an ikevd that did
    not rekey."""
    child, pair = draft.child(name), newest(draft.child(name))
    begins = child.attempt is not None or name in draft.waiting
    if pair is not None and pair.rekey_at is None and not begins and rekeys(draft, name, pair):
        _set(draft, name, max(pair.born + soft_seconds(pair.sa), draft.now))


def restarted(draft: Draft, name: str) -> None:
    """While no process ran the peer may have deleted the pair that is the newer one here: that is heard first."""
    child, soonest = draft.child(name), draft.now + HEARD_BY_THEN
    for old in child.standing:
        if old.delete_at is not None and old.delete_at < soonest:
            later = replace(old, delete_at=soonest, leave_at=min(soonest + LINGERS, old.expires))
            child = _changed(child, old, later)
    if child is not draft.child(name):
        draft.children.put(name, child)


def _ask_or_begin(draft: Draft, name: str, pair: PairState) -> None:
    """By option only what has carried a packet is rekeyed. What comes later is seen at the next look."""
    configured = draft.configured(name)
    if configured is None or configured.rekey is not Rekey.IF_USED:
        begin(draft, name)
        return
    left = pair.expires - draft.now
    _set(draft, name, draft.now + left / 2 if left > LAST_LOOK else None)
    draft.say(AskUse(name))


def used(draft: Draft, name: str, spi: Spi, *, used: bool) -> None:
    """The kernel has been asked. `spi`: our one of the pair."""
    pair = newest(draft.child(name))
    if used and pair is not None and pair.sa.inbound == spi:
        begin(draft, name)


def soft(draft: Draft, name: str, spi: Spi) -> None:
    """The kernel tells that the volume of a pair is nearly used up: it is rekeyed, unless it is too young for that.
    `spi`: either of the pair."""
    child, pair = draft.child(name), newest(draft.child(name))
    if pair is None or spi not in (pair.sa.inbound, pair.sa.outbound) or pair.rekey_at is None:
        return
    at, hurried = by_volume_at(pair), draft.now < by_volume_at(pair)
    if hurried and not child.hurried:
        _tell_of_small_volume(draft, name, pair)
    if hurried != child.hurried:
        draft.children.put(name, replace(child, hurried=hurried))
    if hurried:
        _set(draft, name, min(pair.rekey_at, at))
    else:
        begin(draft, name)


def by_volume_at(pair: PairState) -> float:
    """No sooner is a pair made in its place, however quickly its volume is used up."""
    return pair.born + (SOONEST_BY_VOLUME if pair.sa.initiator else SOONEST_BY_PEER)


def _tell_of_small_volume(draft: Draft, name: str, pair: PairState) -> None:
    total, soft_limit = pair.sa.lifetime.kilobytes, soft_kilobytes(pair.sa)
    if total is None or soft_limit is None:
        return
    seconds = max(draft.now - pair.born, 0.01)
    enough = ceil(soft_limit / seconds * 60 / SOFT_VOLUME)
    draft.say(Record(pair.under, Note(SmallVolume(name, total, round(seconds, 2), enough))))


def failed(draft: Draft, name: str, child: ChildState) -> ChildState:
    """A Quick Mode of ours came to nothing, and a pair of `child` stands. It is tried again, later each time."""
    pair = newest(child)
    if pair is None or pair.rekey_at is not None or not rekeys(draft, name, pair):
        return child
    failures = child.failures + 1
    return _timed(replace(child, failures=failures), draft.now + backoff(failures))


def carry_on(draft: Draft, name: str, child: ChildState) -> ChildState | None:
    """A pair of `child` is gone: another carries on, even one that it had replaced. None: there is none."""
    pair = newest(child) or next((old for old in reversed(child.standing) if old.delete_at is not None), None)
    if pair is None:
        return None
    again = replace(pair, delete_at=None, leave_at=None)
    if pair.rekey_at is None and child.attempt is None and name not in draft.waiting and rekeys(draft, name, pair):
        again = replace(again, rekey_at=max(pair.born + soft_seconds(pair.sa), draft.now + flaps.pause(child)))
    child = _changed(child, pair, again) if again != pair else child
    return _used(child, draft.now) if pair.use_at is not None else child


def again(draft: Draft, name: str) -> None:
    """The Quick Mode under way went down with the process before."""
    if newest(draft.child(name)) is not None:
        begin(draft, name)


# -- the new pair


def take_over(draft: Draft, name: str, pair: PairState) -> tuple[PairState, ...]:
    """`pair`, which a Quick Mode made just now, and those that stood before it."""
    before = draft.child(name)
    rekey_at = pair.born + soft_seconds(pair.sa) if rekeys(draft, name, pair) else None
    former = newest(before)
    use_at = _use_at(former, draft.now) if former is not None and pair.sa.initiator else None
    fresh = replace(pair, rekey_at=rekey_at, use_at=use_at)
    older = tuple([replace(old, rekey_at=None, use_at=None) for old in before.standing])
    return (*older, fresh) if use_at is not None else tuple(_left((*older, fresh), draft.now))


def due(draft: Draft, name: str) -> None:
    """Its times have come: the newest pair is used, one that was replaced goes, another Quick Mode begins."""
    for old in draft.child(name).standing:
        if old.leave_at is not None and old.leave_at <= draft.now:
            leave(draft, name, old)
        elif old.delete_at is not None and old.delete_at <= draft.now:
            _say_delete(draft, old)
            draft.children.put(name, _changed(draft.child(name), old, replace(old, delete_at=None)))
    child, pair = draft.child(name), newest(draft.child(name))
    if pair is not None and pair.use_at is not None and pair.use_at <= draft.now:
        draft.children.put(name, _used(child, draft.now))
    if pair is not None and pair.rekey_at is not None and pair.rekey_at <= draft.now:
        _ask_or_begin(draft, name, pair)


def leave(draft: Draft, name: str, pair: PairState) -> None:
    """Nothing is received any more on a pair that was replaced."""
    child = draft.child(name)
    tell(draft, pair)
    draft.children.put(name, replace(child, pairs=tuple([other for other in child.pairs if other is not pair])))


def tell(draft: Draft, pair: PairState) -> None:
    """The peer hears that a pair has gone, unless it was told when that had been replaced."""
    if pair.leave_at is None or pair.delete_at is not None:
        _say_delete(draft, pair)


def newest(child: ChildState) -> PairState | None:
    """That carries traffic both ways, or will soon; None: none does."""
    return next((pair for pair in reversed(child.pairs) if pair.attempt is None and pair.leave_at is None), None)


def rekeys(draft: Draft, name: str, pair: PairState) -> bool:
    """Does this end rekey that pair of it? Not where only the peer says for which selectors."""
    configured = draft.configured(name)
    return configured is not None and configured.rekey is not Rekey.NO and not is_peers(configured, pair)


def is_peers(configured: Child, pair: PairState) -> bool:
    """Did the peer say for which selectors? Those of a part of a template, or wider ones than ours."""
    return configured.template or pair.sa.asked is not None


def _may_begin(draft: Draft, name: str) -> bool:
    """Not while the peer makes a pair, unless that may be another member of its group; nor where no ISAKMP SA serves,
    and only the peer can make one."""
    theirs = any(
        mode.child == name and not mode.ours and not attempts.may_be_another_members(draft, attempt)
        for attempt, mode in draft.quick_modes.items()
    )
    return not theirs and (not draft.connection.anybody or isakmp.usable(draft) is not None)


def _use_at(former: PairState, now: float) -> float:
    """So late that a peer has heard message 3, even where it was lost once; but while `former` lasts."""
    after = USED_AFTER if former.sa.lifetime.kilobytes is None else USED_SOON
    return now + min(after, max(0.0, former.expires - now) / 3)


def _used(child: ChildState, now: float) -> ChildState:
    """The newest pair carries what we send, and no older one does."""
    pair = newest(child)
    used = [replace(other, use_at=None) if other is pair else other for other in child.standing]
    making = [other for other in child.pairs if other.attempt is not None]
    return replace(child, pairs=(*_left(tuple(used), now), *making))


def _left(standing: tuple[PairState, ...], now: float) -> Iterator[PairState]:
    """All but the last one are only received on, from here on."""
    *older, pair = standing
    for old in older:
        if old.leave_at is not None:
            yield old
            continue
        after = DELETED_AFTER if pair.sa.initiator else DELETED_BY_PEER_AFTER
        delete_at = now + after + (NOT_BOTH if _begun_by(pair.sa) < _begun_by(old.sa) else 0)
        yield replace(old, use_at=None, delete_at=delete_at, leave_at=min(delete_at + LINGERS, old.expires))
    yield pair


def _begun_by(sa: IpsecSa) -> Spi:
    """The SPI of the end that began its Quick Mode: both ends know it."""
    return sa.inbound if sa.initiator else sa.outbound


def _say_delete(draft: Draft, pair: PairState) -> None:
    deletes.say_delete(draft, pair.sa.inbound, under=deletes.own(draft, pair))


def _set(draft: Draft, name: str, rekey_at: float | None) -> None:
    draft.children.put(name, _timed(draft.child(name), rekey_at))


def _timed(child: ChildState, rekey_at: float | None) -> ChildState:
    """Its newest pair is rekeyed at that time."""
    pair = newest(child)
    if pair is None or pair.rekey_at == rekey_at:
        return child
    return _changed(child, pair, replace(pair, rekey_at=rekey_at))


def _changed(child: ChildState, pair: PairState, after: PairState) -> ChildState:
    return replace(child, pairs=tuple([after if other is pair else other for other in child.pairs]))
