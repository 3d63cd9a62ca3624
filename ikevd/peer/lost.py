"""A fact of which a bug let nothing be learnt: it costs what the fact tells of, and nothing else.

An exchange that the fact began, moved or ended has failed. Where even that cannot be learnt, its records go as they
are.
"""

from __future__ import annotations

from ikevd.errors import IkeError, InternalError
from ikevd.frozen import replace
from ikevd.peer.child_state import ChildState
from ikevd.peer.effects import Abort, BeginPhaseOne, BeginQuickMode, Effect, Resume
from ikevd.peer.exchange_facts import Opening, PhaseOneFailed, PhaseOneUp, QuickModeFailed, QuickModeUp, Reserved
from ikevd.peer.exchange_state import Attempt
from ikevd.peer.facts import Due, Fact
from ikevd.peer.kernel_facts import KernelRefused
from ikevd.peer.state import PeerState
from ikevd.peer.timing import LAST_RETRY

FAILED = PhaseOneFailed, QuickModeFailed


def error_of(bug: Exception) -> InternalError:
    """What an exchange ends with."""
    return InternalError(f"a fault of ikevd itself ended this negotiation: {type(bug).__name__}")


def instead(fact: object, error: IkeError) -> tuple[Fact, ...]:
    """What is learnt in its place."""
    match fact:
        case PhaseOneUp(attempt) if attempt is not None:
            return (PhaseOneFailed(attempt, error),)
        case Reserved(attempt) | Opening(attempt):
            return (KernelRefused(attempt, error),)
        case QuickModeUp(attempt):
            return (QuickModeFailed(attempt, error, spoken=True, sent=True),)
        case Due(names) if names is not None and len(names) > 1:
            return tuple(Due((name,)) for name in names)  # it is due to one of them
    return ()


def not_done(effect: Effect, error: IkeError) -> tuple[Fact, ...]:
    """What is learnt where an effect could not be carried out."""
    match effect:
        case BeginPhaseOne(attempt):
            return (PhaseOneFailed(attempt, error),)
        case BeginQuickMode(attempt):
            return (QuickModeFailed(attempt, error, spoken=False, sent=False),)
        case Resume(attempt) | Abort(attempt):
            return PhaseOneFailed(attempt, error), QuickModeFailed(attempt, error, spoken=True, sent=True)
    return ()


def without(state: PeerState, fact: object, now: float) -> PeerState:
    """The state, where nothing else is learnt in place of that fact: no record waits for what never comes."""
    match fact:
        case PhaseOneFailed(attempt) if attempt == state.phase1:
            return _all_later(replace(state, phase1=None, waiting=(), deletes_to_send=()), state.waiting, now)
        case QuickModeFailed(attempt) if attempt in state.quick_modes:
            return _without_quick_mode(state, attempt, now)
        case Due((name,)) if name in state.children:
            return _with(state, name, _without_what_is_over(state.children[name], now))
    return state


def _without_quick_mode(state: PeerState, attempt: Attempt, now: float) -> PeerState:
    name = state.quick_modes[attempt].child
    modes = {number: mode for number, mode in state.quick_modes.items() if number != attempt}
    state = replace(state, quick_modes=modes)
    if name is None or name not in state.children:
        return state
    known = state.children[name]
    pairs = tuple(pair for pair in known.pairs if pair.attempt != attempt)
    state = _with(state, name, replace(known, pairs=pairs))
    return _all_later(state, (name,), now) if known.attempt == attempt else state


def _without_what_is_over(known: ChildState, now: float) -> ChildState:
    """The kernel has no limit of time that would end them."""
    pairs = tuple(pair for pair in known.pairs if pair.attempt is not None or now < pair.expires)
    return known if len(pairs) == len(known.pairs) else replace(known, pairs=pairs)


def _all_later(state: PeerState, names: tuple[str, ...], now: float) -> PeerState:
    """What waited begins anew after the longest pause."""
    for name in names:
        if name in state.children:
            known = state.children[name]
            state = _with(state, name, replace(known, attempt=None, retry_at=now + LAST_RETRY))
    return state


def _with(state: PeerState, name: str, child: ChildState) -> PeerState:
    return replace(state, children={**state.children, name: child})
