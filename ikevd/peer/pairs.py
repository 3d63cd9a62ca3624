"""How a pair of a child ends: the peer deletes it, its lifetime is over, it gives way, or somebody removes it."""

from __future__ import annotations

from collections.abc import Collection

from ikevd.errors import Finding, Said
from ikevd.frozen import replace
from ikevd.peer import blocked, deletes, flaps, rekey, start
from ikevd.peer.child_state import ChildState, PairState
from ikevd.peer.draft import Draft
from ikevd.peer.start import Anew
from ikevd.sa.model import Spi


def deleted(draft: Draft, name: str, spi: Spi, used_up: Collection[Spi] = ()) -> None:
    """The peer deleted a pair. Where that is because a trial of ours was undone, what stood begins anew. `used_up`: as
    in the fact."""
    child = draft.child(name)
    pair = standing(child, spi)
    if pair is not None and blocked.was_just_undone(draft):
        draft.children.put(name, replace(child, wanted=child.wanted or not child.by_command))
        _gone(draft, name, pair, Said("deleted by the peer"), action=Anew.RESTART)
    elif pair is not None and pair.sa.inbound in used_up:
        _used_up(draft, name, pair, Said("deleted by the peer"))
    elif pair is not None:
        _gone(draft, name, pair, Said("deleted by the peer"), quickly=flaps.is_young(pair, draft.now))


def over(draft: Draft, name: str, spi: Spi) -> None:
    """The lifetime of a pair ended, or its volume is used up."""
    child = draft.child(name)
    pair = standing(child, spi)
    if pair is not None and pair.leave_at is not None:
        rekey.leave(draft, name, pair)
    elif pair is not None:
        deletes.say_delete(draft, pair.sa.inbound, under=deletes.own(draft, pair))
        _used_up(draft, name, pair, Said("lifetime ended"))


def _used_up(draft: Draft, name: str, pair: PairState, cause: Finding) -> None:
    """Its life, or its volume, which may have lasted a moment only: then the next one is made a little later."""
    later = 0.0 if pair.expires <= draft.now else max(0.0, rekey.by_volume_at(pair) - draft.now)
    again = later > 0 and draft.child(name).wanted  # it would have been rekeyed, however it starts
    _gone(draft, name, pair, cause, action=Anew.RESTART if again else None, later=later)


def replaced(draft: Draft, name: str, pair: PairState, cause: Finding) -> None:
    """A pair gives way, though its time has not come."""
    deletes.say_delete(draft, pair.sa.inbound, under=deletes.own(draft, pair))
    _gone(draft, name, pair, cause)


def lost_by_peer(draft: Draft, name: str, spi: Spi, cause: Finding, *, later: float, tell: bool) -> None:
    """The peer has lost a pair with all that it had. What is wanted begins anew in `later` seconds, by whatever
    command. `tell`: somebody may still have it."""
    if pair := standing(draft.child(name), spi):
        if tell:
            deletes.say_delete(draft, pair.sa.inbound, under=deletes.own(draft, pair))
        _gone(draft, name, pair, cause, action=Anew.RESTART, later=later)


def vanished(draft: Draft, name: str, spi: Spi, cause: Finding) -> None:
    """An SA of a pair is gone from the kernel, or of no use: what is wanted begins anew, by whatever command."""
    if pair := standing(draft.child(name), spi):
        deletes.say_delete(draft, pair.sa.inbound, under=deletes.own(draft, pair), insist=True)
        _gone(draft, name, pair, cause, quickly=flaps.is_young(pair, draft.now), action=Anew.RESTART)


def lost(draft: Draft, name: str, cause: Finding, action: Anew | None) -> None:
    """All pairs go, since the peer is dead. `action`: None: by the child's start action."""
    child = draft.child(name)
    opening = tuple(pair for pair in child.pairs if pair.attempt is not None)
    wanted = child.wanted or (action is Anew.RESTART and not child.by_command)
    _wait_no_more(draft, name)
    start.anew(draft, name, replace(child, pairs=opening, wanted=wanted), cause, action=action)


def homeless(draft: Draft, name: str, pair: PairState, cause: Finding) -> None:
    """This machine has lost the address of a pair: what is wanted begins anew from another one, or waits for it."""
    child = draft.child(name)
    if child.wanted:
        draft.children.put(name, replace(child, way_lost=True))
    deletes.say_delete(draft, pair.sa.inbound, under=deletes.own(draft, pair), insist=child.wanted)
    _gone(draft, name, pair, cause, action=Anew.RESTART)


def unused(draft: Draft, name: str, cause: Finding) -> None:
    """All pairs go, since nothing passes through them."""
    child = draft.child(name)
    deletes.say_deletes(draft, child.standing)
    _wait_no_more(draft, name)
    start.anew(draft, name, replace(child, pairs=()), cause)


def standing(child: ChildState, spi: Spi) -> PairState | None:
    """`spi`: any of its SAs; of the peer's Deletes some Cisco releases name the other side's."""
    spis = ((pair, (*pair.sa.inbound_spis, *pair.sa.outbound_spis)) for pair in child.standing)
    return next((pair for pair, its in spis if spi in its), None)


def _gone(
    draft: Draft,
    name: str,
    pair: PairState,
    cause: Finding,
    *,
    quickly: bool = False,
    action: Anew | None = None,
    later: float = 0.0,
) -> None:
    """What follows where it had been replaced, where another pair carries on, and where none does."""
    before = draft.child(name)
    left = replace(before, pairs=tuple(other for other in before.pairs if other is not pair))
    child = flaps.gone(left, pair, draft.now, soon=quickly and pair is rekey.newest(before))
    if pair.leave_at is not None:
        draft.children.put(name, child)
    elif carries_on := rekey.carry_on(draft, name, replace(child, cause=None)):
        draft.children.put(name, carries_on)
    else:
        start.anew(draft, name, child, cause, quickly=quickly, action=action, later=later)


def _wait_no_more(draft: Draft, name: str) -> None:
    """For a pair in the place of one that is gone."""
    draft.waiting = tuple(other for other in draft.waiting if other != name)
