"""The life of one child: what is wanted, what stands, and when to try again."""

from __future__ import annotations

from ikevd.errors import Abandoned, Finding, IkeError, Said
from ikevd.frozen import replace
from ikevd.peer import deletes
from ikevd.peer.draft import Draft
from ikevd.peer.effects import Answer
from ikevd.peer.state import Attempt, ChildState, PairState
from ikevd.peer.timing import FLAPPING, OVERDUE, backoff
from ikevd.policy.model import Start
from ikevd.sa.model import Spi

MAX_PAIRS = 2
"""After a collision two pairs may carry one child; the newest outbound wins."""


def want(draft: Draft, name: str) -> None:
    """The operator, or the configuration at start, wants it up."""
    child = replace(draft.child(name), wanted=True, open=False, by_command=False)
    draft.children.put(name, child)
    if child.standing:
        draft.say(Answer(name, None))
    else:
        negotiate(draft, name)


def unwant(draft: Draft, name: str, *, open: bool, by_command: bool) -> None:
    """It goes down. Its Quick Modes were told to end, and what they have opened goes with them."""
    child = draft.child(name)
    draft.waiting = tuple(other for other in draft.waiting if other != name)
    opening = tuple(pair for pair in child.pairs if pair.attempt is not None)
    cause = Said("taken down by command")
    after = ChildState(pairs=opening, cause=cause, since=draft.now, open=open, unplaced=child.unplaced)
    draft.children.put(name, replace(after, by_command=by_command))
    for pair in child.standing:
        deletes.say_delete(draft, pair.sa.inbound, under=deletes.own(draft, pair), insist=True)
    draft.say(Answer(name, Abandoned(f"{name} was taken down")))


def negotiate(draft: Draft, name: str) -> None:
    """A Quick Mode, as soon as it is its turn; unless it stands, or one of ours is under way or waits."""
    child = draft.child(name)
    if child.standing or child.attempt is not None or name in draft.waiting:
        return
    draft.children.put(name, replace(child, retry_at=None))
    draft.waiting = (*draft.waiting, name)


def up(draft: Draft, name: str, pair: PairState, attempt: Attempt) -> None:
    """`pair` stands, by `attempt`, whoever began that. The newest win."""
    child = draft.child(name)
    standing = (*child.standing, pair)
    opening = tuple([other for other in child.pairs if other.attempt not in (None, attempt)])
    after = replace(
        child,
        attempt=None if child.attempt == attempt else child.attempt,
        again=False,
        pairs=(*standing[-MAX_PAIRS:], *opening),
        failures=0,
        retry_at=None,
        cause=None,
        since=child.since if child.standing else draft.now,
    )
    draft.children.put(name, after)
    for surplus in standing[:-MAX_PAIRS]:
        deletes.say_delete(draft, surplus.sa.inbound, under=deletes.own(draft, surplus))
    draft.say(Answer(name, None))


def failed(draft: Draft, name: str, error: IkeError) -> None:
    """Our attempt came to nothing."""
    _retry(draft, name, replace(draft.child(name), attempt=None), error.finding)
    draft.say(Answer(name, error))


def declined(draft: Draft, name: str, cause: Finding) -> None:
    """This machine could not do what the peer asked for."""
    draft.children.put(name, replace(draft.child(name), cause=cause))


def placed(draft: Draft, name: str, unplaced: Finding | None) -> None:
    """Its policies stand in the kernel, or why they do not."""
    child = draft.child(name)
    if child.unplaced != unplaced:
        draft.children.put(name, replace(child, unplaced=unplaced))


def deleted(draft: Draft, name: str, spi: Spi) -> None:
    """The peer deleted a pair."""
    if pair := standing_pair(draft.child(name), spi):
        quickly = draft.now - pair.born < FLAPPING
        _gone(draft, name, pair, Said("deleted by the peer"), quickly=quickly)


def over(draft: Draft, name: str, spi: Spi) -> None:
    """The lifetime of a pair ended."""
    if pair := standing_pair(draft.child(name), spi):
        deletes.say_delete(draft, pair.sa.inbound, under=deletes.own(draft, pair))
        _gone(draft, name, pair, Said("lifetime ended"))


def replaced(draft: Draft, name: str, pair: PairState, cause: Finding) -> None:
    """A pair gives way, though its time has not come."""
    deletes.say_delete(draft, pair.sa.inbound, under=deletes.own(draft, pair))
    _gone(draft, name, pair, cause)


def vanished(draft: Draft, name: str, spi: Spi, cause: str) -> None:
    """Somebody removed an SA of a pair from the kernel: what is wanted begins anew, by whatever command."""
    child = draft.child(name)
    if pair := standing_pair(child, spi):
        deletes.say_delete(draft, pair.sa.inbound, under=deletes.own(draft, pair), insist=True)
        quickly = draft.now - pair.born < FLAPPING
        _gone(draft, name, pair, Said(cause), quickly=quickly, persistent=child.wanted)


def due(draft: Draft, name: str) -> None:
    """Its time has come: to try again, or to end a pair of whose end nobody told."""
    child = draft.child(name)
    if child.retry_at is not None and child.retry_at <= draft.now:
        draft.children.put(name, replace(child, retry_at=None))
        if child.wanted:
            negotiate(draft, name)
    for pair in child.standing:
        if pair.expires + OVERDUE <= draft.now:
            over(draft, name, pair.sa.inbound)


def standing_pair(child: ChildState, spi: Spi) -> PairState | None:
    """`spi`: either of the two, as some Cisco releases name the other side's."""
    return next((pair for pair in child.standing if spi in (pair.sa.inbound, pair.sa.outbound)), None)


def _persistent(draft: Draft, name: str) -> bool:
    """Retry for ever (start: auto), or once per command?"""
    configured = draft.configured(name)
    return configured is not None and configured.start is Start.AUTO


def _retry(draft: Draft, name: str, child: ChildState, cause: Finding, *, persistent: bool = False) -> None:
    """After a failure; a pair that stands asks for nothing."""
    child = replace(child, cause=cause)
    if child.standing:
        draft.children.put(name, child)
    elif child.wanted and (persistent or _persistent(draft, name)):
        failures = child.failures + 1
        draft.children.put(name, replace(child, failures=failures, retry_at=draft.now + backoff(failures)))
    else:
        draft.children.put(name, replace(child, wanted=False))


def _gone(
    draft: Draft, name: str, pair: PairState, cause: Finding, *, quickly: bool = False, persistent: bool = False
) -> None:
    """`quickly`: so soon after its birth that it counts as a failure."""
    before = draft.child(name)
    child = replace(before, pairs=tuple(other for other in before.pairs if other is not pair))
    if child.standing:
        draft.children.put(name, replace(child, cause=None))
        return
    child = replace(child, cause=cause, since=draft.now)
    if not child.wanted or not (persistent or _persistent(draft, name)):
        draft.children.put(name, replace(child, wanted=False))
    elif quickly:
        _retry(draft, name, child, cause, persistent=persistent)
    else:
        draft.children.put(name, child)
        negotiate(draft, name)
