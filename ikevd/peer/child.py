"""The life of one child: what is wanted, what stands, and when its time has come."""

from __future__ import annotations

from ikevd.errors import Abandoned, Finding, IkeError, Said
from ikevd.frozen import replace
from ikevd.peer import deletes, idle, pairs, rekey, start
from ikevd.peer.child_state import ChildState, PairState
from ikevd.peer.draft import Draft
from ikevd.peer.effects import Answer
from ikevd.peer.exchange_state import Attempt
from ikevd.policy.child import Start

MAX_PAIRS = 2
"""That stand for one child. The oldest is received on until a third one stands: Linux sends by an older SA where it has
counted the soft limit of the newest."""


def want(draft: Draft, name: str) -> None:
    """The operator, or the configuration at start, wants it up."""
    configured = draft.configured(name)
    passive = configured is not None and configured.start is Start.PASSIVE
    child = replace(draft.child(name), wanted=not passive, open=False, by_command=False)
    draft.children.put(name, child)
    if child.carries:
        draft.say(Answer(name, None))
    elif passive:
        draft.say(Answer(name, Abandoned(f"only the peer brings {name} up (start: passive)")))
    else:
        start.negotiate(draft, name)


def unwant(draft: Draft, name: str, *, open: bool, by_command: bool) -> None:
    """It goes down. Its Quick Modes were told to end, and what they have opened goes with them."""
    child = draft.child(name)
    draft.waiting = tuple(other for other in draft.waiting if other != name)
    opening = tuple(pair for pair in child.pairs if pair.attempt is not None)
    cause = Said("taken down by command")
    after = ChildState(pairs=opening, cause=cause, since=draft.now, open=open, unplaced=child.unplaced)
    draft.children.put(name, replace(after, by_command=by_command))
    deletes.say_deletes(draft, child.standing)
    draft.say(Answer(name, Abandoned(f"{name} was taken down")))


def up(draft: Draft, name: str, pair: PairState, attempt: Attempt) -> PairState:
    """`pair` stands, by `attempt`, whoever began that. The newest win. The pair as it is known from now on."""
    child = draft.child(name)
    standing = rekey.take_over(draft, name, pair)
    opening = tuple([other for other in child.pairs if other.attempt not in (None, attempt)])
    after = replace(
        child,
        attempt=None if child.attempt == attempt else child.attempt,
        again=False,
        held=False,
        way_lost=False,
        idle=child.idle if child.standing else idle.begun(draft, name),
        pairs=(*standing[-MAX_PAIRS:], *opening),
        failures=0,
        retry_at=None,
        cause=None,
        since=child.since if child.carries else draft.now,
    )
    draft.children.put(name, after)
    for surplus in standing[:-MAX_PAIRS]:
        rekey.tell(draft, surplus)
    draft.say(Answer(name, None))
    return standing[-1]


def failed(draft: Draft, name: str, error: IkeError) -> None:
    """Our attempt came to nothing."""
    start.retry(draft, name, replace(draft.child(name), attempt=None), error.finding)
    draft.say(Answer(name, error))


def declined(draft: Draft, name: str, cause: Finding) -> None:
    """This machine could not do what the peer asked for."""
    draft.children.put(name, replace(draft.child(name), cause=cause))


def placed(draft: Draft, name: str, unplaced: Finding | None) -> None:
    """Its policies stand in the kernel, or why they do not."""
    child = draft.child(name)
    if child.unplaced != unplaced:
        draft.children.put(name, replace(child, unplaced=unplaced))


def due(draft: Draft, name: str) -> None:
    """Its time has come: to try again, to rekey, or to end a pair."""
    child = draft.child(name)
    if child.retry_at is not None and child.retry_at <= draft.now:
        draft.children.put(name, replace(child, retry_at=None))
        if child.wanted:
            start.negotiate(draft, name)
    for pair in child.standing:
        if pair.expires <= draft.now:
            pairs.over(draft, name, pair.sa.inbound)
    rekey.due(draft, name)
    idle.look(draft, name)
