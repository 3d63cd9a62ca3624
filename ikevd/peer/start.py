"""When a child begins: in its turn, and what follows by its start action where it failed, or where its pair went."""

from __future__ import annotations

from enum import Enum
from hashlib import blake2b

from ikevd.errors import Finding
from ikevd.frozen import replace
from ikevd.host.events import Packet
from ikevd.liveness_findings import TrafficAsks
from ikevd.peer import rekey
from ikevd.peer.child_state import ChildState
from ikevd.peer.draft import Draft
from ikevd.peer.state import PeerKey
from ikevd.peer.timing import SPREAD, backoff
from ikevd.policy.child import Child, Start


class Anew(Enum):
    """What becomes of a child that is wanted and has no pair any more."""

    RESTART = "restart"
    """It begins again: at once or, after a failure, after a pause."""
    HOLD = "hold"
    """The next packet for it begins it again; after a failure, no sooner than after a pause."""
    CLEAR = "clear"
    """It stays down until the operator or the peer brings it up."""


BY_START = {Start.ALWAYS: Anew.RESTART, Start.ON_DEMAND: Anew.HOLD}
"""CLEAR for the others."""


def negotiate(draft: Draft, name: str) -> None:
    """A Quick Mode, as soon as it is its turn; unless it stands, or one of ours is under way or waits."""
    child = draft.child(name)
    if child.carries or child.attempt is not None or name in draft.waiting:
        return
    draft.children.put(name, replace(child, retry_at=None))
    draft.waiting = (*draft.waiting, name)


def has_trap(configured: Child, child: ChildState) -> bool:
    """Shall the first packet for it begin it, while no pair stands? Not once the operator has taken it down, and not
    where that packet may leave in the clear."""
    shut = not (child.by_command or child.open or configured.fail_open)
    return shut and (configured.start is Start.ON_DEMAND or child.held)


def acquired(draft: Draft, name: str, packet: Packet | None) -> None:
    """A packet has met its trap. What comes while it pauses after a failure counts when the pause is over."""
    child, configured = draft.child(name), draft.configured(name)
    if configured is None or child.carries or not has_trap(configured, child):
        return
    draft.children.put(name, replace(child, wanted=True))
    if child.retry_at is None:
        ends = (str(packet.source), str(packet.destination), packet.protocol, packet.port) if packet else ()
        draft.asked[name] = TrafficAsks(name, *ends)
        negotiate(draft, name)


def retry(draft: Draft, name: str, child: ChildState, cause: Finding, action: Anew | None = None) -> None:
    """`child` has failed; what a pair carries is rekeyed later. `action`: None: by its start action."""
    child, action = replace(child, cause=cause), action or _action(draft, name, child)
    if child.carries:
        draft.children.put(name, rekey.failed(draft, name, child))
    elif action is Anew.HOLD or (action is Anew.RESTART and child.wanted):
        failures, wanted = child.failures + 1, action is Anew.RESTART
        retry_at = draft.now + pause(draft.key, name, failures)
        draft.children.put(name, replace(child, wanted=wanted, failures=failures, retry_at=retry_at))
    else:
        draft.children.put(name, replace(child, wanted=False))


def pause(key: PeerKey, name: str, failures: int) -> float:
    """Seconds after so many failures in a row: up to a quarter less than `backoff`, so that what failed together does
    not call together again; by the names alone, the same in every process."""
    seed = f"{key.connection}/{name}/{failures}/{key.identity}/{key.instance}".encode()
    share = blake2b(seed, digest_size=1).digest()[0] / 255
    return backoff(failures) * (1 - SPREAD * share)


def anew(
    draft: Draft,
    name: str,
    child: ChildState,
    cause: Finding,
    *,
    quickly: bool = False,
    action: Anew | None = None,
    later: float = 0.0,
) -> None:
    """The last pair of `child` has gone. `quickly`: so soon after its birth that it counts as a failure. `action`:
    None: by its start action. `later`: seconds until it begins."""
    held = child.held if action is None else action is Anew.HOLD
    child = replace(child, cause=cause, since=draft.now, held=held, idle=None)
    action = action or _action(draft, name, child)
    if quickly:
        failures = max(child.failures, child.flaps.number - 1) if child.flaps else child.failures
        retry(draft, name, replace(child, failures=failures), cause, action)
    elif later and (action is Anew.HOLD or (child.wanted and action is Anew.RESTART)):
        wanted = action is Anew.RESTART
        draft.children.put(name, replace(child, wanted=wanted, retry_at=draft.now + later))
    elif child.wanted and action is Anew.RESTART:
        draft.children.put(name, child)
        negotiate(draft, name)
    else:
        draft.children.put(name, replace(child, wanted=False))


def _action(draft: Draft, name: str, child: ChildState) -> Anew:
    """As the configuration has it; a child that is gone from there begins no more."""
    configured = draft.configured(name)
    if configured is None:
        return Anew.CLEAR
    if child.way_lost:
        return Anew.RESTART
    return Anew.HOLD if child.held else BY_START.get(configured.start, Anew.CLEAR)
