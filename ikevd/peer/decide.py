"""What follows from one fact about a peer: the entry to the rules of its life.

They stand in rooms: `isakmp`, the ISAKMP SAs; `succession`, how one follows another; `phase1`, ours; `child`, what is
wanted and what stands; `sharing`, what of it takes the pair of another child; `start`, when a child begins; `pairs`,
how its pairs end; `quick_modes`, how each begins and ends; `updown`, the programs that are run then; `clients`,
`contact` and `members`, who replaces whom; `informed`, what the peer says; `dpd` and `liveness`, whether it lives;
`blocked` and `trial`, whether ESP passes; `moves`, `pace` and `roaming`, where it is; `ways`, where we are; `deletes`,
what it is told; `restart`; `reload`. Only the records that a fact names are looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ikevd.errors import Abandoned, Said
from ikevd.peer import (
    attempts,
    blocked,
    child,
    clients,
    contact,
    deletes,
    dpd,
    hints,
    idle,
    informed,
    isakmp,
    liveness,
    members,
    moves,
    pairs,
    phase1,
    quick_modes,
    rekey,
    reload,
    restart,
    roaming,
    sharing,
    start,
    succession,
    trial,
    updown,
    ways,
)
from ikevd.peer.child_state import Half
from ikevd.peer.command_facts import Ended, RekeyWanted, Reloaded, Reset, Unwanted, Wanted
from ikevd.peer.draft import Draft
from ikevd.peer.due import child_due
from ikevd.peer.effects import Effect
from ikevd.peer.exchange_facts import (
    Opening,
    PhaseOneFailed,
    PhaseOneUp,
    QuickModeBegan,
    QuickModeFailed,
    QuickModeUp,
    Reserved,
)
from ikevd.peer.facts import BeganAnew, Dismissed, Displaced, Doubted, Due, Fact, Owed, Restarted
from ikevd.peer.hook_facts import HookEnded
from ikevd.peer.kernel_facts import (
    Acquired,
    Expired,
    KernelRefused,
    Linked,
    Placed,
    Unlinked,
    Unplaced,
    Vanished,
)
from ikevd.peer.message_facts import Contacted, Heard, HeardDpd, Hinted, Informed, StrayEsp, Worn
from ikevd.peer.path_facts import AddressGone, Balance, CameTwice, Mapped, Unmovable, WayFound
from ikevd.peer.state import PeerState
from ikevd.peer.volume_facts import Carried, Counted, SoftExpired, Spent, Used
from ikevd.policy.connection import Connection

OTHERWISE = (Ended, Reloaded, Dismissed)
"""After these the file may say otherwise of a program that has been run."""
GONE_EARLY = "its IPsec SA is gone from the kernel before its time"


def decide(
    connection: Connection, state: PeerState, fact: Fact, now: float, salt: bytes
) -> tuple[PeerState, tuple[Effect, ...]]:
    """The state after `fact` and what is to be done, in this order. Raises nothing, whatever the peer says. `salt`:
    what no peer knows, for numbers that none may guess."""
    draft = Draft(connection, state, now, salt)
    _learn(draft, fact)
    if type(fact) in OTHERWISE:
        updown.follow(draft, state.children, all_of_them=True)
    elif connection.hooked and draft.children.result is not state.children and type(fact) is not HookEnded:
        updown.follow(draft, state.children)
    return draft.result, tuple(draft.effects)


def _learn(draft: Draft, fact: Fact) -> None:
    if rule := _RULES.get(type(fact)):
        rule(draft, fact)
        if draft.lenders:
            sharing.follow(draft)
    else:
        _RULES_OF_WAITING[type(fact)](draft, fact)
        sharing.follow(draft)
        quick_modes.begin(draft)


def _unwant(draft: Draft, name: str, *, open: bool, by_command: bool) -> None:
    attempts.abort_child(draft, name, Abandoned("taken down by command"))
    child.unwant(draft, name, open=open, by_command=by_command)


def _end(draft: Draft, *, announce: bool) -> None:
    """Children first: their Deletes are said under the ISAKMP SAs."""
    cause = Abandoned("the connection was taken down")
    phase1.abort(draft, cause)
    for name in draft.children:
        before = draft.child(name)
        _unwant(draft, name, open=before.open, by_command=before.by_command)
    for under in draft.isakmp:
        isakmp.retire(draft, under, tell=True, cause=cause)
        isakmp.say_at_once(draft, under)
    if announce:
        quick_modes.begin(draft)
    else:
        draft.deletes_to_send = ()


def _due(draft: Draft, names: tuple[str, ...] | None) -> None:
    isakmp.due(draft)
    liveness.due(draft)
    blocked.due(draft)
    succession.due(draft)
    for name in draft.children if names is None else names:
        when = child_due(draft.child(name))
        if when is not None and when <= draft.now:
            child.due(draft, name)
    deletes.forget_old(draft)


# -- by kind of fact ----------------------------------------------------------------------------------------------


def _heard(draft: Draft, fact: Heard) -> None:
    isakmp.heard(draft, fact.under, fact.path, fact.last_blocks, lacks_ours=fact.lacks_ours)
    roaming.heard(draft, fact.under, fact.path)


def _heard_dpd(draft: Draft, fact: HeardDpd) -> None:
    proven = members.answered(draft, fact.under, fact.said, fact.path)
    roaming.answered(draft, fact.under, fact.said, fact.path)
    if dpd.heard(draft, fact):
        roaming.heard(draft, fact.under, fact.path)
    if proven:  # what waits may begin under it
        quick_modes.begin(draft)


def _opening(draft: Draft, fact: Opening) -> None:
    shown = fact.half is Half.BOTH and members.heard_us(draft, fact.attempt)
    quick_modes.opening(draft, fact.attempt, fact.sa, fact.half)
    if shown:
        quick_modes.begin(draft)


def _phase_one_failed(draft: Draft, fact: PhaseOneFailed) -> None:
    if phase1.failed(draft, fact.attempt, fact.error):
        if not trial.failed(draft, fact.attempt, fact.error):
            succession.failed(draft, fact.error)
        reload.not_followed(draft, fact.error)
    if isakmp.usable(draft) is not None:  # else the next attempt waits for its time, or for a command
        quick_modes.begin(draft)


def _phase_one_up(draft: Draft, fact: PhaseOneUp) -> None:
    if phase1.up(draft, fact):
        members.met(draft, fact.sa.cookies)
        if not members.is_unproven(draft, fact.sa.cookies):
            phase1.say_waiting(draft, fact.sa.cookies)
        contact.met(draft, fact)
        tried = trial.up(draft, fact)
        if not members.is_unproven(draft, fact.sa.cookies):
            members.joins(draft, fact.sa.cookies, ours=fact.attempt is not None and not tried)


def _informed(draft: Draft, fact: Informed) -> None:
    payloads = members.its_own(fact.payloads, fact.under) if members.is_unproven(draft, fact.under) else fact.payloads
    informed.informed(draft, fact.under, payloads, former_lives=fact.former_lives, used_up=fact.used_up)


def _dismissed(draft: Draft, fact: Dismissed) -> None:
    restart.dismissed(draft, replaced=fact.replaced)
    if fact.replaced:
        quick_modes.begin(draft)


def _restarted(draft: Draft, fact: Restarted) -> None:
    restart.restarted(draft, fact.revived)
    updown.restarted(draft)


def _unwanted(draft: Draft, fact: Unwanted) -> None:
    for name in fact.children:
        _unwant(draft, name, open=fact.open, by_command=True)


def _expired(draft: Draft, fact: Expired) -> None:
    quick_modes.abort_opening(draft, fact.child, fact.spi, Abandoned("the lifetime of its IPsec SA ended"))
    pairs.over(draft, fact.child, fact.spi)


def _vanished(draft: Draft, fact: Vanished) -> None:
    quick_modes.abort_opening(draft, fact.child, fact.spi, Abandoned(GONE_EARLY))
    pairs.vanished(draft, fact.child, fact.spi, Said(GONE_EARLY))


def _unmovable(draft: Draft, fact: Unmovable) -> None:
    quick_modes.abort_opening(draft, fact.child, fact.spi, Abandoned(fact.cause))
    pairs.vanished(draft, fact.child, fact.spi, fact.cause)


def _mapped(draft: Draft, fact: Mapped) -> None:
    moves.mapped(draft, pairs.standing(draft.child(fact.child), fact.spi), fact.now)
    roaming.mapped(draft, pairs.standing(draft.child(fact.child), fact.spi), fact.now)


Rule = Callable[[Draft, Any], None]
F = TypeVar("F")


def _on(kind: type[F], rule: Callable[[Draft, F], None]) -> tuple[type, Rule]:
    """Lets mypy see that a rule fits its kind of fact."""
    return kind, rule


_RULES: Mapping[type, Rule] = dict(
    (
        _on(Heard, _heard),
        _on(HeardDpd, _heard_dpd),
        _on(CameTwice, lambda draft, fact: roaming.came_twice(draft, fact.under)),
        _on(QuickModeBegan, lambda draft, fact: quick_modes.began(draft, fact.attempt, fact.under)),
        _on(Reserved, lambda draft, fact: quick_modes.reserved(draft, fact.attempt, fact.child, fact.spi)),
        _on(Opening, _opening),
        _on(KernelRefused, lambda draft, fact: quick_modes.kernel_refused(draft, fact.attempt, fact.error, fact.child)),
        _on(PhaseOneFailed, _phase_one_failed),
        _on(Unplaced, lambda draft, fact: child.placed(draft, fact.child, fact.cause)),
        _on(Placed, lambda draft, fact: child.placed(draft, fact.child, None)),
        _on(HookEnded, updown.ended),
        _on(Unlinked, lambda draft, fact: setattr(draft, "unlinked", fact.cause)),
        _on(Linked, lambda draft, fact: setattr(draft, "unlinked", None)),
        _on(Ended, lambda draft, fact: _end(draft, announce=fact.announce)),
        _on(Dismissed, _dismissed),
    )
)
"""A dict: a `match` of so many kinds takes longer than most of what it leads to."""
_RULES_OF_WAITING: Mapping[type, Rule] = dict(
    (
        # the operator
        _on(Wanted, lambda draft, fact: child.want(draft, fact.child)),
        _on(Unwanted, _unwanted),
        _on(Reloaded, reload.reloaded),
        _on(RekeyWanted, lambda draft, fact: reload.rekey_wanted(draft, fact.children, phase1=fact.phase1)),
        _on(Reset, lambda draft, _: reload.reset(draft)),
        _on(Displaced, lambda draft, fact: clients.displaced(draft, fact.child, fact.by)),
        # exchanges
        _on(PhaseOneUp, _phase_one_up),
        _on(QuickModeUp, lambda draft, fact: quick_modes.up(draft, fact.attempt, fact.sa)),
        _on(
            QuickModeFailed,
            lambda draft, fact: quick_modes.failed(draft, fact.attempt, fact.error, spoken=fact.spoken, sent=fact.sent),
        ),
        # the peer
        _on(Informed, _informed),
        _on(Contacted, lambda draft, fact: contact.heard(draft, fact.under, former_lives=fact.former_lives)),
        _on(BeganAnew, lambda draft, fact: contact.lost(draft, fact.before)),
        _on(Doubted, lambda draft, fact: contact.doubt(draft, fact.why)),
        _on(Hinted, lambda draft, fact: hints.unproven(draft, fact.notify, fact.under)),
        _on(StrayEsp, lambda draft, fact: hints.stray_esp(draft, fact.spi, fact.times)),
        _on(Spent, lambda draft, fact: succession.spent(draft, fact.under)),
        _on(Worn, lambda draft, fact: isakmp.retire(draft, fact.under, tell=True, cause=Abandoned(fact.why))),
        _on(Carried, liveness.carried),
        # time and processes
        _on(Due, lambda draft, fact: _due(draft, fact.children)),
        _on(Restarted, _restarted),
        _on(Owed, lambda draft, fact: deletes.owe(draft, fact.spis)),
        # SAs, packets and addresses of this machine
        _on(Expired, _expired),
        _on(SoftExpired, lambda draft, fact: rekey.soft(draft, fact.child, fact.spi)),
        _on(Vanished, _vanished),
        _on(Unmovable, _unmovable),
        _on(Mapped, _mapped),
        _on(Used, lambda draft, fact: rekey.used(draft, fact.child, fact.spi, used=fact.used)),
        _on(Counted, lambda draft, fact: idle.counted(draft, fact.child, moved=fact.moved)),
        _on(Balance, trial.counted),
        _on(Acquired, lambda draft, fact: start.acquired(draft, fact.child, fact.packet)),
        _on(AddressGone, lambda draft, fact: ways.gone(draft, fact.address, fact.attempt)),
        _on(WayFound, lambda draft, fact: ways.found(draft, anew=fact.anew)),
    )
)
"""Of facts after which something that waits may begin."""
