"""When a child begins: in its turn, and what follows by its start action where it failed, or where its pair went."""

from __future__ import annotations

from enum import Enum

from ikevd.errors import Finding
from ikevd.frozen import replace
from ikevd.peer.draft import Draft
from ikevd.peer.state import ChildState
from ikevd.peer.timing import backoff
from ikevd.policy.model import Start


class Anew(Enum):
    """What becomes of a child that is wanted and has no pair any more."""

    RESTART = "restart"
    """It begins again: at once or, after a failure, after a pause."""
    CLEAR = "clear"
    """It stays down until the operator or the peer brings it up."""


BY_START = {Start.ALWAYS: Anew.RESTART}
"""CLEAR for the others."""


def negotiate(draft: Draft, name: str) -> None:
    """A Quick Mode, as soon as it is its turn; unless it stands, or one of ours is under way or waits."""
    child = draft.child(name)
    if child.standing or child.attempt is not None or name in draft.waiting:
        return
    draft.children.put(name, replace(child, retry_at=None))
    draft.waiting = (*draft.waiting, name)


def retry(draft: Draft, name: str, child: ChildState, cause: Finding, action: Anew | None = None) -> None:
    """`child` has failed; one whose pair stands asks for nothing. `action`: None: by its start action."""
    child = replace(child, cause=cause)
    if child.standing:
        draft.children.put(name, child)
    elif child.wanted and (action or by_start(draft, name)) is Anew.RESTART:
        failures = child.failures + 1
        draft.children.put(name, replace(child, failures=failures, retry_at=draft.now + backoff(failures)))
    else:
        draft.children.put(name, replace(child, wanted=False))


def anew(
    draft: Draft, name: str, child: ChildState, cause: Finding, *, quickly: bool = False, action: Anew | None = None
) -> None:
    """The last pair of `child` has gone. `quickly`: so soon after its birth that it counts as a failure. `action`:
    None: by its start action."""
    child = replace(child, cause=cause, since=draft.now)
    if quickly:
        retry(draft, name, child, cause, action)
    elif child.wanted and (action or by_start(draft, name)) is Anew.RESTART:
        draft.children.put(name, child)
        negotiate(draft, name)
    else:
        draft.children.put(name, replace(child, wanted=False))


def by_start(draft: Draft, name: str) -> Anew:
    """As the configuration has it; a child that is gone from there begins no more."""
    configured = draft.configured(name)
    return BY_START.get(configured.start, Anew.CLEAR) if configured is not None else Anew.CLEAR
