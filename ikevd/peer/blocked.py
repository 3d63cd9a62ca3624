"""Is ESP blocked on the way? Packets leave and none ever comes, though the peer answers by IKE, and both sides speak
NAT traversal, but have found no NAT for which ESP would travel in UDP. `ikevd.peer.trial` tries that.

Looked for where dead peer detection looks, and only while no packet has come. Whether any has left is asked in place of
whether any came, at each second look: so an idle tunnel costs the end that asks whether its peer lives nothing more.
"""

from __future__ import annotations

from ikevd.frozen import replace
from ikevd.path_findings import UdpInVain
from ikevd.peer import isakmp
from ikevd.peer.draft import Draft
from ikevd.peer.effects import AskBalance
from ikevd.peer.isakmp_state import IsakmpState, Liveness
from ikevd.peer.one_way_state import OneWay, OneWayStage
from ikevd.peer.path_facts import Balance
from ikevd.peer.state import PeerState
from ikevd.peer.timing import (
    AFTERMATH,
    ENOUGH_PACKETS,
    JUDGED_EVERY,
    LEFT_ASKED_EVERY,
    ONE_WAY_FOR,
    ONE_WAY_FOR_PEERS,
)
from ikevd.policy.nat import Encap
from ikevd.wire.registry import Protocol


def is_time(draft: Draft, found: IsakmpState, live: Liveness) -> bool:
    """Shall the kernel be asked whether any packet has left? Not while the peer owes an answer."""
    every = LEFT_ASKED_EVERY * draft.connection.dpd.delay
    early = live.left_asked_at is not None and draft.now < live.left_asked_at + every
    return not (live.asked or early) and _may_be(draft, found)


def _may_be(draft: Draft, found: IsakmpState) -> bool:
    """Not where a packet has come, nor while that is looked at."""
    known = draft.one_way
    if known is not None and (known.look_at is not None or _is_settled(draft, known)):
        return False
    return _would_help(draft, found)


def ask(draft: Draft, found: IsakmpState) -> None:
    """Some have left, and none came: how many?"""
    if _may_be(draft, found):
        draft.say(AskBalance())


def came(draft: Draft, found: IsakmpState) -> None:
    """A packet has come through the pairs that stand: where none of them is in UDP, ESP passes from where the peer
    is."""
    there = found.path.remote.address
    pairs = (pair for _, child in draft.children.items() for pair in child.standing)
    if draft.esp_came_from != there and all(pair.sa.encap is None for pair in pairs):
        draft.esp_came_from = there


def due(draft: Draft) -> None:
    """Time to look again."""
    known = draft.one_way
    if known is not None and known.look_at is not None and known.look_at <= draft.now:
        draft.one_way = replace(known, look_at=draft.now + JUDGED_EVERY)
        draft.say(AskBalance(known.under))


def weigh(draft: Draft, counted: Balance) -> bool:
    """Has it been so for long enough, with an answer by IKE meanwhile? Notes since when, and when to look again, or
    that all doubt is gone. `counted`: through all pairs."""
    newest = next((found for _, found in isakmp.serving(draft)), None)
    if newest is None or counted.came or not counted.sent or not _would_help(draft, newest):
        _calm(draft, passes=counted.came > 0)
        return False
    known = draft.one_way or OneWay(draft.now)
    since = draft.now if known.look_at is None else known.since
    until = since + (ONE_WAY_FOR if newest.sa.initiator else ONE_WAY_FOR_PEERS)
    look_at = until if draft.now < until else draft.now + ONE_WAY_FOR
    draft.one_way = replace(known, since=since, look_at=look_at)
    return draft.now >= until and counted.sent >= ENOUGH_PACKETS and newest.heard >= since


def forges(state: PeerState) -> bool:
    """Shall our phase 1 that begins now make both sides believe in a NAT?"""
    known = state.one_way
    return known is not None and (known.helps or (known.attempt is not None and known.attempt == state.phase1))


def was_just_undone(draft: Draft) -> bool:
    """Did a trial come to nothing a moment ago? With what it made libreswan (4.10) deletes all that stood before."""
    known = draft.one_way
    return known is not None and isinstance(known.found, UdpInVain) and draft.now < known.since + AFTERMATH


def _is_settled(draft: Draft, known: OneWay) -> bool:
    """It helps, is being tried, or was tried of late."""
    tried_of_late = known.again_at is not None and draft.now < known.again_at
    match known.stage:
        case OneWayStage.HELPED | OneWayStage.TRYING:
            return True
        case OneWayStage.CALLING:
            return known.attempt == draft.phase1 or tried_of_late
        case _:
            return tried_of_late


def _would_help(draft: Draft, found: IsakmpState) -> bool:
    nat, live = found.sa.nat, found.liveness
    if draft.connection.encap is not Encap.AUTO or nat is None or nat.encapsulates:
        return False
    if draft.esp_came_from == found.path.remote.address or (live is not None and live.carried is not None):
        return False
    return isakmp.can_call(draft, found) and not _has_ah(draft)


def _has_ah(draft: Draft) -> bool:
    """AH does not travel in UDP."""
    return any(child.protocol == Protocol.AH for child in draft.connection.children)


def _calm(draft: Draft, *, passes: bool) -> None:
    """Nothing suggests it any more. `passes`: ESP comes, so that what was found out before is of no matter."""
    known = draft.one_way
    if known is not None:
        draft.one_way = None if passes or known.found is None else replace(known, look_at=None)
