"""Where a bug has kept a session from learning something: what it learns in place of that."""

from __future__ import annotations

from ikevd.errors import IkeError
from ikevd.negotiation.kernel_side import Again
from ikevd.negotiation.link_side import LinksAgain
from ikevd.negotiation.reports import report
from ikevd.negotiation.work import Ask, Happening, Retry
from ikevd.peer import facts, kernel_facts, lost
from ikevd.peer.effects import Effect
from ikevd.peer.state import PeerState

LATER = 5.0
"""Seconds after which what a bug has kept from being done at its time is tried again."""


def instead(
    before: PeerState, state: PeerState, happening: Happening | Retry, error: IkeError
) -> list[Happening | Retry]:
    """`before` and `state`: as `lost.without` has changed it."""
    match happening:
        case Ask(work):
            return [] if work.attempt is None else [kernel_facts.KernelRefused(work.attempt, error)]
        case Again() | LinksAgain():
            return []
    changed = (name for name, child in state.children.items() if before.children.get(name) is not child)
    return [*lost.instead(happening, error), *map(Again, changed)]


def not_done(connection: str, effect: Effect, bug: Exception) -> tuple[facts.Fact, ...]:
    """An effect could not be carried out."""
    report(f"in the session of {connection}: {type(effect).__name__} was not done", bug)
    return lost.not_done(effect, lost.error_of(bug))
