"""The times of a peer's records on the agenda of its session."""

from __future__ import annotations

from ikevd.negotiation.agenda import Agenda
from ikevd.peer.due import child_due, deletes_due, isakmp_due, turn_due
from ikevd.peer.state import PeerState

WAITING, DELETES = object(), object()
"""The keys of the children that wait for their turn, and of the Deletes that were said; those of ISAKMP SAs are their
cookies, those of children names."""


def arm(agenda: Agenda[object], before: PeerState, state: PeerState) -> None:
    """What changed is due at another time."""
    if before.isakmp is not state.isakmp:
        for cookies in before.isakmp.keys() | state.isakmp.keys():
            now = state.isakmp.get(cookies)
            if now is not before.isakmp.get(cookies):
                agenda.set(cookies, isakmp_due(now) if now else None)
    if before.children is not state.children:
        for name, child in state.children.items():
            if before.children.get(name) is not child:
                agenda.set(name, child_due(child))
    if before.deletes_said is not state.deletes_said:
        agenda.set(DELETES, deletes_due(state))
    if before.waiting or state.waiting:
        agenda.set(WAITING, turn_due(state))
