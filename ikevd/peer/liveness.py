"""Does the peer live (RFC 3706)? What it says, authenticated, shows it, or a packet through an inbound SA; what we send
shows nothing."""

from __future__ import annotations

from ikevd.errors import Abandoned
from ikevd.facts import Note
from ikevd.frozen import replace
from ikevd.liveness_findings import Doubted, IsakmpLost, PeerDead
from ikevd.peer import attempts, blocked, deletes, dpd, isakmp, pairs
from ikevd.peer.draft import Draft
from ikevd.peer.due import lasts
from ikevd.peer.effects import AskTraffic, Record, Say
from ikevd.peer.isakmp_state import IsakmpState, Liveness, Stage
from ikevd.peer.notices import r_u_there
from ikevd.peer.start import Anew
from ikevd.peer.state import PeerState
from ikevd.peer.timing import CONFIRMING, LEAST_PAUSE, OUTLIVED, QUESTIONS, STAGGER, YOUNG
from ikevd.peer.volume_facts import Carried
from ikevd.policy.child import Child, Start
from ikevd.policy.connection import Connection
from ikevd.policy.dpd import Dpd, DpdMode
from ikevd.sa.model import Cookies

WHOLE_SECOND = 1.0
"""What the kernel counts in."""
SOONER = 0.1
"""So much before its time, rather than one question later."""
NEAR = 0.5
"""Of `Dpd.delay`."""


def begin(draft: Draft, under: Cookies) -> None:
    """An ISAKMP SA stands. A peer that did not announce dead peer detection is never asked."""
    found, wanted = draft.isakmp.get(under), draft.connection.dpd
    if found is not None and found.sa.dpd and wanted.mode is not DpdMode.OFF:
        dpd.put(draft, under, found, replace(dpd.liveness_of(found, draft.salt), look_at=draft.now + wanted.delay))


def reconsider(draft: Draft) -> None:
    """The file may say otherwise than when these ISAKMP SAs began."""
    for under, found in tuple(draft.isakmp.items()):
        live = found.liveness
        if live is None or live.look_at is None:
            begin(draft, under)
        elif draft.connection.dpd.mode is DpdMode.OFF:
            dpd.put(draft, under, found, replace(live, look_at=None, asked=0))
        elif live.look_at > draft.now + draft.connection.dpd.delay:
            dpd.put(draft, under, found, replace(live, look_at=draft.now + draft.connection.dpd.delay))


# -- asking -----------------------------------------------------------------------------------------------------------


def probe(draft: Draft, under: Cookies, why: str) -> bool:
    """Ask the peer at once whether it lives, unless it was asked already; `why` stands in the record. A sign of life is
    `IsakmpState.heard`; without one it is dead after `Dpd.timeout`. False: it cannot be asked, since it lacks dead peer
    detection, or that is off, or the ISAKMP SA is gone or leaves."""
    known = _asking(draft, under)
    if known is None:
        return False
    found, live = known
    if not live.asked:
        draft.say(Record(under, Note(Doubted(why))))
        _ask(draft, under, found, live)
    return True


def can_ask(state: PeerState, now: float) -> bool:
    """Is there an ISAKMP SA under which `probe` asks?"""
    known = state.isakmp.values()
    return any(found.stage is Stage.READY and lasts(found, now) and is_asked(found) for found in known)


def due(draft: Draft) -> None:
    """Time to look whether the peer has been silent for too long. The newest ISAKMP SA speaks for the peer, each former
    one for itself."""
    newest = _newest(draft)
    for under in draft.isakmp:
        known = _asking(draft, under)
        if known is None or known[1].look_at is None or draft.now < known[1].look_at:
            continue
        found, live = known
        pause = draft.now + _pause(draft.connection.dpd)
        if_left = blocked.is_time(draft, found, live)
        if newest is not None and under != newest and not found.unproven:
            _due_beside(draft, under, found, live, newest)
        elif not live.asked and _is_early(draft, when := _when(draft, found, live), if_left):
            _look(draft, under, found, live, when)
        elif _trying(draft, under):
            _look(draft, under, found, live, pause)
        else:
            live = replace(live, left_asked_at=draft.now if if_left else live.left_asked_at)
            _look(draft, under, found, live, pause)
            draft.say(AskTraffic(under, if_left))


def _due_beside(draft: Draft, under: Cookies, found: IsakmpState, live: Liveness, newest: Cookies) -> None:
    """A former one: whether the peer still has it shows only what comes under it."""
    newer = draft.isakmp.get(newest)
    outlived = newer is not None and found.heard < newer.born <= draft.now - OUTLIVED
    over = live.asked > 0 and _is_over(draft, live)
    if over and (newer is None or last_sign(newer)[0] < live.asked_at):  # the peer may be dead, which shows there
        _look(draft, under, found, live, draft.now + draft.connection.dpd.delay)
    elif over:
        draft.say(Record(under, Note(cause := IsakmpLost(live.asked, draft.now - live.asked_at))))
        isakmp.retire(draft, under, tell=True, cause=Abandoned(cause))
    elif live.asked or outlived:
        _ask(draft, under, found, live)
    else:
        _look(draft, under, found, live, draft.now + draft.connection.dpd.delay)


def _is_early(draft: Draft, when: float, if_left: bool) -> bool:
    """Before that time the kernel is asked only whether any packet has left, and not where it is near."""
    return draft.now < when and (not if_left or when < draft.now + draft.connection.dpd.delay * NEAR)


def carried(draft: Draft, fact: Carried) -> None:
    """What the kernel has counted, asked before the peer is, and before it is given up."""
    under, at = fact.under, fact.at
    known = _asking(draft, under)
    if known is None:
        return
    found, live = known
    if at is not None and not found.unproven and (not live.asked or at >= live.asked_at - WHOLE_SECOND):
        live = replace(isakmp.answered(draft, under, live), carried=at)
        blocked.came(draft, found)
    elif at is None and fact.left:
        blocked.ask(draft, found)
    when = _when(draft, found, live)
    if live.asked and _is_over(draft, live):
        _dead(draft, under, found, live)
    elif live.asked or draft.now >= when:
        _ask(draft, under, found, live)
    else:
        _look(draft, under, found, live, when)


def _is_over(draft: Draft, live: Liveness) -> bool:
    """Has the time passed in which the peer had to answer?"""
    return draft.now + SOONER >= live.asked_at + draft.connection.dpd.timeout


def _asking(draft: Draft, under: Cookies) -> tuple[IsakmpState, Liveness] | None:
    """The ISAKMP SA, where the peer may be asked under it."""
    found = draft.isakmp.get(under)
    if found is None or found.stage is not Stage.READY or found.retired or not lasts(found, draft.now):
        return None
    return (found, found.liveness) if found.liveness is not None and is_asked(found) else None


def is_asked(found: IsakmpState) -> bool:
    """Do both ends speak dead peer detection, and is it not off?"""
    return found.liveness is not None and found.liveness.look_at is not None


def _newest(draft: Draft) -> Cookies | None:
    """That may speak for the others."""
    for key, found in reversed(tuple(draft.isakmp.items())):
        if found.stage is Stage.READY and not (found.retired or found.unproven):
            return key
    return None


def _when(draft: Draft, found: IsakmpState, live: Liveness) -> float:
    """The peer is asked then, unless it shows itself before."""
    if found.unproven:
        return found.born
    wanted = draft.connection.dpd
    periodic = wanted.mode is DpdMode.PERIODIC
    since = max(found.born, live.asked_at) if periodic else last_sign(replace(found, liveness=live))[0]
    later = 0.0 if found.sa.initiator else STAGGER
    return since + wanted.delay + later + (CONFIRMING if _unconfirmed(found) else 0.0)


def last_sign(found: IsakmpState) -> tuple[float, str]:
    """When the peer showed last that it lives, and how: `IKE` or `ESP`."""
    carried = found.liveness.carried if found.liveness else None
    return (found.heard, "IKE") if carried is None or carried <= found.heard else (carried, "ESP")


def _unconfirmed(found: IsakmpState) -> bool:
    """May the peer still be waiting for our last message of phase 1?"""
    return not found.sa.initiator and found.heard == found.born


def _trying(draft: Draft, under: Cookies) -> bool:
    """Is a Quick Mode of ours under way that asks as much?"""
    return any(draft.now < mode.born + YOUNG for mode in attempts.ours(draft, under).values())


def _look(draft: Draft, under: Cookies, found: IsakmpState, live: Liveness, when: float) -> None:
    dpd.put(draft, under, found, replace(live, look_at=when))


def _ask(draft: Draft, under: Cookies, found: IsakmpState, live: Liveness) -> None:
    """Each question has a number of its own: the answer to any of them will do."""
    asked = replace(
        dpd.numbered(draft, under, live, proves=found.unproven and not live.asked),
        asked=live.asked + 1,
        asked_at=live.asked_at if live.asked else draft.now,
        look_at=draft.now + _pause(draft.connection.dpd),
    )
    dpd.put(draft, under, found, asked)
    draft.say(Say(under, (r_u_there(under, asked.number),), once=True))


def _pause(wanted: Dpd) -> float:
    return max(LEAST_PAUSE, wanted.timeout / QUESTIONS)


# -- a peer that is dead ----------------------------------------------------------------------------------------------


def _dead(draft: Draft, under: Cookies, found: IsakmpState, live: Liveness) -> None:
    """All goes that has shown no life since the first question. Where the peer spoke meanwhile under another ISAKMP SA,
    it has only lost this one, which ends no IPsec SA."""
    if found.unproven:
        isakmp.not_there(draft, under)
        return
    since, sign = last_sign(found)
    cause = PeerDead(live.asked, draft.now - live.asked_at, draft.now - since, sign)
    draft.say(Record(under, Note(cause)))
    known = draft.isakmp.items()
    ready = [key for key, other in known if other.stage is not Stage.LEAVING and not other.unproven]
    silent = [key for key in ready if key == under or _silent(draft, key, live.asked_at)]
    if silent == ready:
        _take_down(draft, under, cause)
    for key in silent:
        isakmp.retire(draft, key, tell=True, cause=Abandoned(cause))


def _silent(draft: Draft, under: Cookies, since: float) -> bool:
    found = draft.isakmp.get(under)
    return found is None or found.heard < since


def _take_down(draft: Draft, under: Cookies, cause: PeerDead) -> None:
    """Every child that stands. The peer is told, in case that only its own words are lost."""
    standing = [(name, state) for name, state in draft.children.items() if state.standing]
    spis = [pair.sa.inbound for _, state in standing for pair in state.standing]
    if spis:
        deletes.say_delete(draft, *spis, under=under)
    for name, _ in standing:
        pairs.lost(draft, name, cause, action_of(draft.connection, draft.configured(name)))


def action_of(connection: Connection, configured: Child | None) -> Anew | None:
    """What becomes of a child of a dead peer; None: by its start action. One that only the peer begins stays down."""
    if configured is None or configured.start is Start.PASSIVE or connection.remote is None:
        return Anew.CLEAR
    return Anew(connection.dpd.action.value) if connection.dpd.action else None
