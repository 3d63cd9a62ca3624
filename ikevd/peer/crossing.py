"""Two Quick Modes for one child that cross, each begun by another end: they go one after the other, and never do three
pairs stand. One rule, which also works where only this end follows it.

Both ends know the SPI that the initiator of each has offered: the Quick Mode with the larger one goes first. Its
initiator lets the peer's wait, message 1 unheard, until its own has ended. The other end answers the first one and lets
its own wait at message 2, if the peer should answer it. So a peer that knows no rule meets nothing but a late message.
Then the second one is a rekeying as any other: it waits until the pair made first is used, and the oldest pair goes as
soon as the third one stands.
"""

from __future__ import annotations

from ikevd.peer import members
from ikevd.peer.child_state import ChildState
from ikevd.peer.exchange_state import Attempt, QuickModeState
from ikevd.peer.state import PeerState
from ikevd.sa.model import IpsecSa, Spi


def must_wait(state: PeerState, attempt: Attempt, sa: IpsecSa) -> bool:
    """May `attempt` not open its inbound SA yet? Where no pair carries the child, nothing waits."""
    child, mode = state.children.get(sa.child), state.quick_modes.get(attempt)
    if child is None or mode is None or mode.ending:
        return False
    if members.must_wait(state, mode.under, sa.child):
        return True
    if not child.carries:
        return False
    if len(child.standing) > 1 and child.standing[0].leave_at is None:
        return True
    others = [(number, other) for number, other in state.quick_modes.items() if other.child == sa.child]
    crossing = [(number, other) for number, other in others if other.ours != mode.ours and _counts(state, other)]
    if mode.ours:
        return any(_goes_before(child, number, mode.spi) for number, _ in crossing)
    return any(_is_first(child, number, other, mode, sa.outbound) for number, other in crossing)


def _counts(state: PeerState, other: QuickModeState) -> bool:
    """Not one that may be another member's of a group."""
    under = state.isakmp.get(other.under)
    return not other.ending and not (under is not None and under.unproven)


def _goes_before(child: ChildState, theirs: Attempt, ours: Spi | None) -> bool:
    """Is the peer's, which has a pair half made, the first one?"""
    return any(pair.attempt == theirs and pair.sa.outbound > (ours or 0) for pair in child.pairs)


def _is_first(child: ChildState, number: Attempt, ours: QuickModeState, mode: QuickModeState, theirs: Spi) -> bool:
    """Is ours the first one? Not one under another ISAKMP SA, which the peer may have lost."""
    made = any(pair.attempt == number for pair in child.pairs)
    return ours.under == mode.under and (made or (ours.spi is not None and ours.spi > theirs))
