"""This machine's own end: an address that goes away ends what used it, and its return, or another, brings that back."""

from __future__ import annotations

from collections.abc import Set

from ikevd.addresses import Address
from ikevd.errors import Abandoned, Finding
from ikevd.facts import Note
from ikevd.findings import Silence, SilentIdentity, Undelivered
from ikevd.frozen import replace
from ikevd.path_findings import LocalAddressGone, NameUnknown, NoLocalAddress, NoRoute
from ikevd.peer import isakmp, pairs, phase1, start
from ikevd.peer.child_state import ChildState
from ikevd.peer.draft import Draft
from ikevd.peer.effects import Record
from ikevd.peer.exchange_state import Attempt
from ikevd.peer.isakmp_state import Stage
from ikevd.peer.state import PeerState


def gone(draft: Draft, address: Address, attempt: Attempt | None) -> None:
    """Nothing can be said from there, so nobody is told now. `attempt`: our phase 1 that used it."""
    cause = LocalAddressGone(str(address))
    draft.one_way = draft.esp_came_from = None  # that was about the way from there
    if attempt is not None and attempt == draft.phase1:
        phase1.abort(draft, Abandoned(cause))
    for under, known in tuple(draft.isakmp.items()):
        if known.path.local.address == address and known.stage is not Stage.LEAVING:
            draft.say(Record(under, Note(cause)))
            isakmp.retire(draft, under, tell=False, cause=Abandoned(cause))
    for name, child in tuple(draft.children.items()):
        for pair in child.standing:
            if pair.sa.local == address:
                pairs.homeless(draft, name, pair, cause)


def found(draft: Draft, *, anew: bool) -> None:
    """What waited for nothing else waits no more; `anew`: nor does what failed for another cause."""
    for name, child in tuple(draft.children.items()):
        if _waits(child) or (anew and child.wanted and child.retry_at is not None):
            draft.children.put(name, replace(child, failures=0))
            start.negotiate(draft, name)


def is_down(state: PeerState) -> bool:
    """Does a child wait for its next attempt, with nothing of the peer standing?"""
    retries = any(child.wanted and child.retry_at is not None for child in state.children.values())
    return retries and not any(isakmp.stage is Stage.READY for isakmp in state.isakmp.values())


def in_use(state: PeerState) -> Set[Address]:
    """The addresses of this machine that the peer's SAs use."""
    of_messages = {isakmp.path.local.address for isakmp in state.isakmp.values() if isakmp.stage is not Stage.LEAVING}
    return of_messages | {pair.sa.local for child in state.children.values() for pair in child.standing}


def waits(state: PeerState) -> bool:
    """Does something wait only until this machine has a way to the peer?"""
    return bool(state.deletes_to_send) or any(map(_waits, state.children.values()))


def _waits(child: ChildState) -> bool:
    return child.retry_at is not None and child.wanted and _is_no_way(child.cause)


def _is_no_way(cause: Finding | None) -> bool:
    """Also where this machine could send nothing, so that nobody answered."""
    if isinstance(cause, SilentIdentity):
        cause = cause.silence
    if isinstance(cause, Silence):
        return any(isinstance(why, Undelivered) for why in cause.unreachable)
    return isinstance(cause, NoLocalAddress | LocalAddressGone | NoRoute | NameUnknown)
