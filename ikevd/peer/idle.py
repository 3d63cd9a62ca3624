"""A child without traffic ends after its `inactivity`, and waits as its start action says."""

from __future__ import annotations

from ikevd.frozen import replace
from ikevd.liveness_findings import NoTraffic
from ikevd.peer import pairs
from ikevd.peer.child_state import Idle
from ikevd.peer.draft import Draft
from ikevd.peer.effects import AskPackets
from ikevd.peer.timing import LOOKS


def reconsider(draft: Draft, name: str) -> None:
    """The file may have another word for it, which counts from now on."""
    child, seconds = draft.child(name), _patience(draft, name)
    if seconds is None or not child.standing:
        idle = None
    elif child.idle is None:
        idle = begun(draft, name)
    else:
        soon = min(child.idle.since + seconds, draft.now + seconds / LOOKS)
        idle = replace(child.idle, look_at=min(child.idle.look_at, max(soon, draft.now)))
    if idle != child.idle:
        draft.children.put(name, replace(child, idle=idle))


def begun(draft: Draft, name: str) -> Idle | None:
    """It comes up; None: it may be idle as long as it likes."""
    seconds = _patience(draft, name)
    return None if seconds is None else Idle(draft.now, draft.now + seconds / LOOKS)


def look(draft: Draft, name: str) -> None:
    """Its time may have come."""
    child, seconds = draft.child(name), _patience(draft, name)
    if child.idle is None or draft.now < child.idle.look_at:
        return
    if seconds is None or not child.standing:
        draft.children.put(name, replace(child, idle=None))
        return
    draft.children.put(name, replace(child, idle=replace(child.idle, look_at=draft.now + seconds / LOOKS)))
    draft.say(AskPackets(name))


def counted(draft: Draft, name: str, *, moved: bool) -> None:
    """`moved`: packets came or went since the kernel was last asked. A pair that is being made is waited for."""
    child, seconds = draft.child(name), _patience(draft, name)
    if child.idle is None or seconds is None or not child.standing:
        return
    if moved:
        draft.children.put(name, replace(child, idle=replace(child.idle, since=draft.now)))
    elif child.idle.since + seconds <= draft.now and len(child.standing) == len(child.pairs) and child.attempt is None:
        pairs.unused(draft, name, NoTraffic(seconds))


def _patience(draft: Draft, name: str) -> int | None:
    configured = draft.configured(name)
    return configured.inactivity if configured is not None else None
