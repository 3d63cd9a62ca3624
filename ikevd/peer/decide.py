"""What follows from one fact about a peer: the entry to the rules of its life.

They stand in rooms: `isakmp`, the ISAKMP SAs; `succession`, how one follows another; `phase1`, ours; `child`, what is
wanted and what stands; `start`, when a child begins; `pairs`, how its pairs end; `quick_modes`, how each begins and
ends; `clients`, `contact` and `members`, who replaces whom; `informed`, what the peer says; `dpd` and `liveness`,
whether it lives; `moves`, `pace` and `roaming`, where it is; `ways`, where we are; `deletes`, what it is told;
`restart`; `reload`. Only the records that a fact names are looked at.
"""

from __future__ import annotations

from ikevd.errors import Abandoned, Said
from ikevd.peer import (
    attempts,
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
    start,
    succession,
    ways,
)
from ikevd.peer.draft import Draft
from ikevd.peer.due import child_due
from ikevd.peer.effects import Effect
from ikevd.peer.facts import (
    Acquired,
    BeganAnew,
    Carried,
    Contacted,
    Counted,
    Dismissed,
    Displaced,
    Doubted,
    Due,
    Ended,
    Expired,
    Fact,
    Heard,
    HeardDpd,
    Hinted,
    Informed,
    KernelDid,
    KernelRefused,
    Opening,
    Owed,
    PhaseOneFailed,
    PhaseOneUp,
    Placed,
    QuickModeBegan,
    QuickModeFailed,
    QuickModeUp,
    RekeyWanted,
    Reloaded,
    Reserved,
    Reset,
    Restarted,
    StrayEsp,
    Unplaced,
    Unwanted,
    Vanished,
    Wanted,
    Worn,
)
from ikevd.peer.path_facts import AddressGone, CameTwice, Mapped, Unmovable, WayFound
from ikevd.peer.state import PeerState
from ikevd.peer.volume_facts import SoftExpired, Spent, Used
from ikevd.policy.model import Connection

GONE_EARLY = "its IPsec SA is gone from the kernel before its time"


def decide(connection: Connection, state: PeerState, fact: Fact, now: float) -> tuple[PeerState, tuple[Effect, ...]]:
    """The state after `fact` and what is to be done, in this order. Raises nothing, whatever the peer says."""
    draft = Draft(connection, state, now)
    _learn(draft, fact)
    return draft.result, tuple(draft.effects)


def _learn(draft: Draft, fact: Fact) -> None:
    match fact:
        case Heard(under, path, last_blocks):
            isakmp.heard(draft, under, path, last_blocks)
            roaming.heard(draft, under, path)
        case CameTwice(under):
            roaming.came_twice(draft, under)
        case HeardDpd(under, said, path, last_blocks):
            members.answered(draft, under, said, path)
            roaming.answered(draft, under, said, path)
            if dpd.heard(draft, under, said, path, last_blocks):
                roaming.heard(draft, under, path)
        case QuickModeBegan(attempt, under):
            quick_modes.began(draft, attempt, under)
        case Reserved(attempt, name, spi):
            quick_modes.reserved(draft, attempt, name, spi)
        case Opening(attempt, sa, half):
            quick_modes.opening(draft, attempt, sa, half)
        case KernelDid(attempt):
            quick_modes.kernel_did(draft, attempt)
        case KernelRefused(attempt, error, named):
            quick_modes.kernel_refused(draft, attempt, error, named)
        case PhaseOneFailed(attempt, error):
            if phase1.failed(draft, attempt, error):
                succession.failed(draft, error)
                reload.not_followed(draft, error)
            if isakmp.usable(draft) is not None:  # else the next attempt waits for its time, or for a command
                quick_modes.begin(draft)
        case Unplaced(name, cause):
            child.placed(draft, name, cause)
        case Placed(name):
            child.placed(draft, name, None)
        case Ended(announce):
            _end(draft, announce=announce)
        case Dismissed(replaced):
            restart.dismissed(draft, replaced=replaced)
            if replaced:
                quick_modes.begin(draft)
        case _:
            _learn_and_begin(draft, fact)


def _learn_and_begin(draft: Draft, fact: Fact) -> None:
    """Facts after which something that waits may begin."""
    match fact:
        case Wanted(name):
            child.want(draft, name)
        case Unwanted(names, open):
            for name in names:
                _unwant(draft, name, open=open, by_command=True)
        case Reloaded():
            reload.reloaded(draft, fact)
        case RekeyWanted(names, anew):
            reload.rekey_wanted(draft, names, phase1=anew)
        case Reset():
            reload.reset(draft)
        case Displaced(name, by):
            clients.displaced(draft, name, by)
        case PhaseOneUp(attempt, sa) if phase1.up(draft, fact):
            members.met(draft, sa.cookies)
            contact.met(draft, fact)
            succession.adopted(draft, sa.cookies, ours=attempt is not None)
            reload.followed(draft, sa.cookies)
        case QuickModeUp(attempt, ipsec):
            quick_modes.up(draft, attempt, ipsec)
        case QuickModeFailed(attempt, error, spoken, sent):
            quick_modes.failed(draft, attempt, error, spoken=spoken, sent=sent)
        case Informed(under, payloads):
            payloads = members.its_own(payloads) if members.is_unproven(draft, under) else payloads
            informed.informed(draft, under, payloads, former_lives=fact.former_lives)
        case Contacted(under, former_lives):
            contact.heard(draft, under, former_lives=former_lives)
        case BeganAnew(before):
            contact.lost(draft, before)
        case Doubted(why):
            contact.doubt(draft, why)
        case Hinted(notify, under):
            hints.unproven(draft, notify, under)
        case StrayEsp(spi, times):
            hints.stray_esp(draft, spi, times)
        case Spent(under):
            succession.spent(draft, under)
        case Worn(under, why):
            isakmp.retire(draft, under, tell=True, cause=Abandoned(why))
        case Carried(under, at):
            liveness.carried(draft, under, at)
        case Due(names):
            _due(draft, names)
        case Restarted(revived):
            restart.restarted(draft, revived)
        case Owed(spis):
            deletes.owe(draft, spis)
        case _:
            _learn_of_machine(draft, fact)
    quick_modes.begin(draft)


def _learn_of_machine(draft: Draft, fact: Fact) -> None:
    """What the kernel tells of SAs, packets and addresses."""
    match fact:
        case Expired(name, spi):
            quick_modes.abort_opening(draft, name, spi, Abandoned("the lifetime of its IPsec SA ended"))
            pairs.over(draft, name, spi)
        case SoftExpired(name, spi):
            rekey.soft(draft, name, spi)
        case Vanished(name, spi):
            quick_modes.abort_opening(draft, name, spi, Abandoned(GONE_EARLY))
            pairs.vanished(draft, name, spi, Said(GONE_EARLY))
        case Unmovable(name, spi, cause):
            quick_modes.abort_opening(draft, name, spi, Abandoned(cause))
            pairs.vanished(draft, name, spi, cause)
        case Mapped(name, spi, now):
            moves.mapped(draft, pairs.standing(draft.child(name), spi), now)
            roaming.mapped(draft, pairs.standing(draft.child(name), spi), now)
        case Used(name, spi, used):
            rekey.used(draft, name, spi, used=used)
        case Counted(name, moved):
            idle.counted(draft, name, moved=moved)
        case Acquired(name, packet):
            start.acquired(draft, name, packet)
        case AddressGone(address, attempt):
            ways.gone(draft, address, attempt)
        case WayFound(anew):
            ways.found(draft, anew=anew)


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
    if announce:
        quick_modes.begin(draft)
    else:
        draft.deletes_to_send = ()


def _due(draft: Draft, names: tuple[str, ...] | None) -> None:
    isakmp.due(draft)
    liveness.due(draft)
    succession.due(draft)
    for name in draft.children if names is None else names:
        when = child_due(draft.child(name))
        if when is not None and when <= draft.now:
            child.due(draft, name)
    deletes.forget_old(draft)
