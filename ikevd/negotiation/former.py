"""Does the former self of a peer that comes anew still live? Asked where `unique: keep` wants to know."""

from __future__ import annotations

from ikevd.negotiation.arrivals import Arrivals
from ikevd.peer import clients, contact
from ikevd.peer.facts import Opening
from ikevd.peer.state import PeerState
from ikevd.peer.timing import LIVING
from ikevd.policy.model import Connection, Unique


async def lives(state: PeerState, bearing: contact.Bearing, arrivals: Arrivals, now: float) -> bool:
    """Was it heard of within `LIVING` seconds, by IKE or ESP, besides what bears INITIAL-CONTACT?"""
    return contact.spoke(state, bearing, now) or await arrivals.within(LIVING, state, contact.older(state, bearing))


async def check(connection: Connection, state: PeerState, opening: Opening, arrivals: Arrivals, now: float) -> None:
    """What the peer holds from elsewhere stays its own while that lives; raises `InvalidId`."""
    sa = opening.sa
    elsewhere = clients.elsewhere(state, opening.attempt, sa)
    if connection.unique is not Unique.KEEP or not elsewhere:
        return
    if clients.spoke_elsewhere(state, sa, now) or await arrivals.within(LIVING, state, elsewhere):
        raise clients.kept(state, sa)
