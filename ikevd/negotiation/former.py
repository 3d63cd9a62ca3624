"""Does the former self of a peer that comes anew still live? Asked where `unique: keep` wants to know."""

from __future__ import annotations

from ikevd.negotiation.kernel_side import KernelSide
from ikevd.peer import clients, contact
from ikevd.peer.facts import Opening
from ikevd.peer.state import PeerState
from ikevd.peer.timing import LIVING
from ikevd.policy.model import Connection, Unique


async def lives(state: PeerState, bearing: contact.Bearing, kernel: KernelSide, now: float) -> bool:
    """Was it heard of within `LIVING` seconds, by IKE or ESP, besides what bears INITIAL-CONTACT?"""
    if contact.spoke(state, bearing, now):
        return True
    for child in state.children:
        if await carried(state, kernel, child):
            return True
    return False


async def check(connection: Connection, state: PeerState, opening: Opening, kernel: KernelSide, now: float) -> None:
    """What the peer holds from elsewhere stays its own while that lives; raises `InvalidId`."""
    sa = opening.sa
    if connection.unique is not Unique.KEEP or not clients.is_elsewhere(state, opening.attempt, sa):
        return
    if clients.spoke_elsewhere(state, sa, now) or await carried(state, kernel, sa.child):
        raise clients.kept(state, sa)


async def carried(state: PeerState, kernel: KernelSide, child: str) -> bool:
    """Did ESP of the child come within `LIVING` seconds?"""
    idle = await kernel.idle(state, child)
    return idle is not None and idle < LIVING
