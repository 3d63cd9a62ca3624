"""The Quick Modes under way: which there are, and telling one to end."""

from __future__ import annotations

from ikevd.errors import IkeError
from ikevd.frozen import replace
from ikevd.peer.draft import Draft
from ikevd.peer.effects import Abort
from ikevd.peer.exchange_state import Attempt, QuickModeState
from ikevd.sa.model import Cookies


def under_way(draft: Draft, attempt: Attempt) -> QuickModeState | None:
    """None: it has ended, or was told to."""
    mode = draft.quick_modes.get(attempt)
    return mode if mode is not None and not mode.ending else None


def ours(draft: Draft, under: Cookies) -> dict[Attempt, QuickModeState]:
    """Those that we began under that ISAKMP SA, oldest first."""
    modes = draft.quick_modes.items()
    return {attempt: mode for attempt, mode in modes if mode.ours and mode.under == under and not mode.ending}


def busy(draft: Draft, under: Cookies) -> bool:
    """Is there any under that ISAKMP SA? One that was told to end has its last words to say."""
    return any(mode.under == under for _, mode in draft.quick_modes.items())


def may_be_another_members(draft: Draft, attempt: Attempt) -> bool:
    """Of a group: the ISAKMP SA of the Quick Mode has not shown yet where its peer is."""
    mode = draft.quick_modes.get(attempt)
    found = draft.isakmp.get(mode.under) if mode is not None else None
    return found is not None and found.unproven


def abort(draft: Draft, attempt: Attempt, error: IkeError) -> None:
    """It shall end; `QuickModeFailed` follows."""
    if mode := under_way(draft, attempt):
        draft.quick_modes.put(attempt, replace(mode, ending=True))
        draft.say(Abort(attempt, error))


def abort_under(draft: Draft, under: Cookies, error: IkeError) -> None:
    """All under one ISAKMP SA."""
    for attempt, mode in tuple(draft.quick_modes.items()):
        if mode.under == under:
            abort(draft, attempt, error)


def abort_child(draft: Draft, name: str, error: IkeError) -> None:
    """All of one child, whoever began them."""
    for attempt, mode in tuple(draft.quick_modes.items()):
        if mode.child == name:
            abort(draft, attempt, error)


def drop_pair(draft: Draft, attempt: Attempt) -> None:
    """What it has opened goes, which undoes it in the kernel."""
    mode = draft.quick_modes.get(attempt)
    if mode is None or mode.child is None:
        return
    child = draft.child(mode.child)
    pairs = tuple(pair for pair in child.pairs if pair.attempt != attempt)
    if len(pairs) < len(child.pairs):
        draft.children.put(mode.child, replace(child, pairs=pairs))
