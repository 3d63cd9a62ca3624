"""The times of a peer's records on the agenda of its session."""

from __future__ import annotations

from enum import Enum

from ikevd.negotiation.agenda import Agenda
from ikevd.peer.due import child_due, deletes_due, isakmp_due, one_way_due, turn_due
from ikevd.peer.state import PeerState


class Subject(Enum):
    """What of a peer is there once, as a key of the agenda; those of ISAKMP SAs are their cookies, those of children
    names."""

    WAITING = "children that wait for their turn"
    DELETES = "Deletes that were said"
    ONE_WAY = "packets that only leave"
    KEEPALIVE = "the mapping of the NAT in front of us"


def arm(agenda: Agenda[object], before: PeerState, state: PeerState, earliest: float = 0.0) -> None:
    """What changed is due at another time, but not before `earliest`."""

    def at(key: object, when: float | None) -> None:
        agenda.set(key, None if when is None else max(when, earliest))

    if before.isakmp is not state.isakmp:
        for cookies in before.isakmp.keys() | state.isakmp.keys():
            now = state.isakmp.get(cookies)
            if now is not before.isakmp.get(cookies):
                at(cookies, isakmp_due(now) if now else None)
    if before.children is not state.children:
        for name, child in state.children.items():
            if before.children.get(name) is not child:
                at(name, child_due(child))
    if before.deletes_said is not state.deletes_said:
        at(Subject.DELETES, deletes_due(state))
    if before.one_way is not state.one_way:
        at(Subject.ONE_WAY, one_way_due(state))
    if before.waiting or state.waiting:
        at(Subject.WAITING, turn_due(state))
