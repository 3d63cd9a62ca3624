"""The life of one child: what is wanted, what stands, and when to try again.

`decide(state, fact, now)` returns the new state and what is to be done about it, and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ikevd.errors import Finding, Said
from ikevd.peer.timing import FLAPPING, backoff
from ikevd.sa.model import IpsecSa, Spi

MAX_PAIRS = 2
"""After a collision two pairs may carry one child; the newest outbound wins."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One SA pair with the time of its birth."""

    sa: IpsecSa
    born: float


@dataclass(frozen=True, slots=True)
class ChildState:
    """Where a child stands. Times are of the event loop's clock, in seconds."""

    persistent: bool
    """Retry for ever (start: auto), or once per command."""
    wanted: bool = False
    negotiating: bool = False
    """Is a Quick Mode of ours under way, or waiting for its ISAKMP SA?"""
    pairs: tuple[Pair, ...] = ()
    failures: int = 0
    retry_at: float | None = None
    cause: Finding | None = None
    """Why the last attempt failed, or why the last pair ended."""
    since: float = 0.0

    @property
    def name(self) -> str:
        """In one word: up, negotiating, retry (down until the next attempt) or down."""
        if self.pairs:
            return "up"
        return "negotiating" if self.negotiating else "down" if self.retry_at is None else "retry"


# -- facts ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wanted:
    """The operator, or the configuration at start, wants it up."""


@dataclass(frozen=True, slots=True)
class Unwanted:
    """The operator wants it down."""


@dataclass(frozen=True, slots=True)
class Due:
    """The retry timer fired."""


@dataclass(frozen=True, slots=True)
class Up:
    """A Quick Mode ended well, whoever began it."""

    sa: IpsecSa


@dataclass(frozen=True, slots=True)
class NotUp:
    """Our attempt failed."""

    cause: Finding


@dataclass(frozen=True, slots=True)
class Declined:
    """The peer's attempt failed on this machine."""

    cause: Finding


@dataclass(frozen=True, slots=True)
class Gone:
    """A pair came to its end: the peer deleted it, or the kernel says that its life is over."""

    spi: Spi
    """Either of its two SPIs: some Cisco releases name the other side's."""
    by_peer: bool


Event = Wanted | Unwanted | Due | Up | NotUp | Declined | Gone


# -- effects --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Negotiate:
    """Begin a Quick Mode."""


@dataclass(frozen=True, slots=True)
class Abort:
    """End every Quick Mode of the child in flight, whoever began it."""


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove a pair from the kernel and, unless the peer began it, tell the peer."""

    sa: IpsecSa
    tell: bool
    insist: bool = False
    """Tell even where an ISAKMP SA must be made for it; not at the end of a lifetime, which the peer sees itself."""


Decision = Negotiate | Abort | Remove


def decide(state: ChildState, event: Event, now: float) -> tuple[ChildState, tuple[Decision, ...]]:
    """What follows from one event."""
    match event:
        case Wanted():
            return _negotiate(replace(state, wanted=True))
        case Due():
            return _negotiate(replace(state, retry_at=None)) if state.wanted else (state, ())
        case Unwanted():
            return _down(state, now)
        case Up(sa):
            return _up(state, sa, now)
        case NotUp(cause):
            return _failed(replace(state, negotiating=False), cause, now), ()
        case Declined(cause):
            return replace(state, cause=cause), ()
        case Gone(spi, by_peer):
            return _gone(state, spi, by_peer, now)


def _negotiate(state: ChildState) -> tuple[ChildState, tuple[Decision, ...]]:
    if state.negotiating or state.pairs:
        return state, ()
    return replace(state, negotiating=True, retry_at=None), (Negotiate(),)


def _down(state: ChildState, now: float) -> tuple[ChildState, tuple[Decision, ...]]:
    removals = tuple(Remove(pair.sa, tell=True, insist=True) for pair in state.pairs)
    return ChildState(state.persistent, cause=Said("taken down by command"), since=now), (Abort(), *removals)


def _up(state: ChildState, sa: IpsecSa, now: float) -> tuple[ChildState, tuple[Decision, ...]]:
    pairs = (*state.pairs, Pair(sa, now))
    surplus = pairs[:-MAX_PAIRS]
    after = replace(
        state,
        pairs=pairs[-MAX_PAIRS:],
        negotiating=state.negotiating and not sa.initiator,
        failures=0,
        retry_at=None,
        cause=None,
        since=state.since if state.pairs else now,
    )
    return after, tuple(Remove(pair.sa, tell=True) for pair in surplus)


def _failed(state: ChildState, cause: Finding, now: float) -> ChildState:
    if state.pairs:
        return replace(state, cause=cause)
    if not state.wanted or not state.persistent:
        return replace(state, wanted=False, cause=cause)
    failures = state.failures + 1
    return replace(state, cause=cause, failures=failures, retry_at=now + backoff(failures))


def _gone(state: ChildState, spi: Spi, by_peer: bool, now: float) -> tuple[ChildState, tuple[Decision, ...]]:
    pair = next((p for p in state.pairs if spi in (p.sa.inbound, p.sa.outbound)), None)
    if pair is None:
        return state, ()
    left = tuple(p for p in state.pairs if p is not pair)
    cause = Said("deleted by the peer" if by_peer else "lifetime ended")
    after = replace(state, pairs=left, cause=None if left else cause, since=state.since if left else now)
    removal = Remove(pair.sa, tell=not by_peer)
    if left or not after.wanted or not after.persistent:
        return (after if left else replace(after, wanted=False)), (removal,)
    if by_peer and now - pair.born < FLAPPING:
        return _failed(after, cause, now), (removal,)
    renewed, begin = _negotiate(after)
    return renewed, (removal, *begin)
