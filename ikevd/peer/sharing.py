"""A pair that the peer asked for wider than a child of ours is (`AskedFor`): what other children have of it takes the
pair, too, as long as that stands. They borrow it, and make none of their own meanwhile."""

from __future__ import annotations

from collections.abc import Iterator

from ikevd.errors import Said
from ikevd.frozen import replace
from ikevd.peer import start
from ikevd.peer.child_state import ChildState, PairState
from ikevd.peer.draft import Draft
from ikevd.peer.effects import Answer
from ikevd.sa.model import Share


def follow(draft: Draft) -> None:
    """Let each child borrow what the pairs of the others lend it now. It has changed with them, or with the file."""
    if not (draft.lenders and draft.children.changed):
        return
    lent: dict[str, list[PairState]] = {}
    for lender in draft.lenders:
        for pair, share in _shares(draft.child(lender)):
            if _may_borrow(draft, share):
                lent.setdefault(share.child, []).append(_of(pair, share))
    draft.lenders = tuple([name for name in draft.lenders if any(_shares(draft.child(name)))])
    for name, child in tuple(draft.children.items()):
        borrowed = tuple(lent.get(name, ()))
        if borrowed != child.borrowed:
            _borrow(draft, name, replace(child, borrowed=borrowed), had=child.carries)


def _borrow(draft: Draft, name: str, child: ChildState, *, had: bool) -> None:
    """`had`: did it carry traffic before?"""
    if child.carries and not had:
        child = replace(child, since=draft.now, cause=None, failures=0, retry_at=None)
        draft.waiting = tuple([other for other in draft.waiting if other != name])
        draft.say(Answer(name, None))
    if had and not child.carries:
        start.anew(draft, name, child, Said("the pair of another child that carried it is gone"))
    else:
        draft.children.put(name, child)


def _shares(child: ChildState) -> Iterator[tuple[PairState, Share]]:
    return ((pair, share) for pair in child.pairs if pair.sa.asked for share in pair.sa.asked.also)


def _may_borrow(draft: Draft, share: Share) -> bool:
    """Not what the operator took down, nor where the file says otherwise now."""
    configured = draft.configured(share.child)
    if configured is None or draft.child(share.child).by_command:
        return False
    within = configured.local.meet(share.local), configured.remote.meet(share.remote)
    return within == (share.local, share.remote)


def _of(pair: PairState, share: Share) -> PairState:
    """The same SAs for the selectors of the child that borrows them."""
    sa = replace(pair.sa, child=share.child, local_selector=share.local, remote_selector=share.remote, asked=None)
    return replace(pair, sa=sa)
