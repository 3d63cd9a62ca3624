"""The times of a peer's records on the agenda of its session."""

from __future__ import annotations

from enum import Enum

from ikevd.negotiation.agenda import Agenda
from ikevd.peer.due import child_due, deletes_due, isakmp_due, one_way_due, turn_due
from ikevd.peer.state import PeerState


class Subject(Enum):
    """What of a peer is there once, as a key of the agenda; those of ISAKMP SAs are their cookies, those of children
    names."""

    __hash__ = object.__hash__  # there is one of each, and that of `Enum` takes longer

    WAITING = "children that wait for their turn"
    DELETES = "Deletes that were said"
    ONE_WAY = "packets that only leave"
    KEEPALIVE = "the mapping of the NAT in front of us"


def arm(agenda: Agenda[object], before: PeerState, state: PeerState, earliest: float = 0.0) -> None:
    """What changed is due at another time, but not before `earliest`."""
    if before.isakmp is not state.isakmp:
        for cookies, isakmp in state.isakmp.items():
            if before.isakmp.get(cookies) is not isakmp:
                _set(agenda, cookies, isakmp_due(isakmp), earliest)
        for cookies in before.isakmp:
            if cookies not in state.isakmp:
                agenda.set(cookies, None)
    if before.children is not state.children:
        for name, child in state.children.items():
            if before.children.get(name) is not child:
                _set(agenda, name, child_due(child), earliest)
    if before.deletes_said is not state.deletes_said:
        _set(agenda, Subject.DELETES, deletes_due(state), earliest)
    if before.one_way is not state.one_way:
        _set(agenda, Subject.ONE_WAY, one_way_due(state), earliest)
    if before.waiting or state.waiting:
        _set(agenda, Subject.WAITING, turn_due(state), earliest)


def _set(agenda: Agenda[object], key: object, when: float | None, earliest: float) -> None:
    agenda.set(key, None if when is None else max(when, earliest))
