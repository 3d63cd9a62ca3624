"""The peer says that it does not know an ISAKMP SA (INVALID-COOKIE) or an SPI that we send to (INVALID-SPI).

Nobody has proven it where it comes in the clear: then the peer is asked once whether it lives or, where it cannot be
asked, a phase 1 is begun beside what stands. Nothing ends before a new authentication. Where the peer says it under an
ISAKMP SA, a Quick Mode makes a pair in the place of the one that it has lost.
"""

from __future__ import annotations

from ikevd.contact_findings import CalledAnew, LostAtPeer, StraySpi
from ikevd.facts import Note
from ikevd.peer import due, flaps, isakmp, liveness, phase1, rekey, start
from ikevd.peer.child_state import PairState
from ikevd.peer.draft import Draft
from ikevd.peer.effects import Record, Say
from ikevd.peer.isakmp_state import Stage
from ikevd.peer.notices import Refusal, invalid_spi
from ikevd.peer.state import PeerState
from ikevd.peer.timing import ASKED_AGAIN, CALLED_AGAIN, FLAPPING
from ikevd.policy.child import Start
from ikevd.sa.model import Cookies, Spi
from ikevd.wire.registry import NotifyType


def holder(state: PeerState, spi: Spi) -> str | None:
    """The child that sends to this SPI of the peer's."""
    for name, child in state.children.items():
        if any(pair.sa.outbound == spi for pair in child.standing):
            return name
    return None


def unproven(draft: Draft, notify: NotifyType, under: Cookies | None) -> None:
    """`under`: the ISAKMP SA that it names; None: it names an SPI that we send to."""
    asked = _newest(draft) if under is None else under
    found = draft.isakmp.get(asked) if asked is not None else None
    if under is not None and (found is None or found.stage is Stage.LEAVING or found.retired):
        return
    last = draft.hinted_at
    if last is not None and draft.now < last + ASKED_AGAIN:
        return
    if asked is not None and liveness.probe(draft, asked, f"{notify} came, which nothing proves"):
        draft.hinted_at = draft.now
    elif (last is None or last + CALLED_AGAIN <= draft.now) and _call(draft):
        draft.hinted_at = draft.now
        if asked is not None:
            draft.say(Record(asked, Note(CalledAnew(str(notify)))))


def proven(draft: Draft, under: Cookies, refusal: Refusal) -> bool:
    """An error notification that came under an ISAKMP SA. False: it is about something else."""
    if refusal.notify != NotifyType.INVALID_SPI or len(refusal.spi) != len(Spi(0).octets):
        return False
    spi = Spi.of(refusal.protocol, refusal.spi)
    for name, child in draft.children.items():
        for pair in child.standing:
            if pair.sa.outbound == spi:
                _replace(draft, under, name, pair)
                return True
    return False


def stray_esp(draft: Draft, spi: Spi, times: int) -> None:
    """The peer sends to an SPI that nobody has: it is told where that can be protected, else called if a child of it
    shall always be up. What was deleted a moment ago may be on its way. `times`: as in the fact."""
    if any(said.spi == spi for said in draft.deletes_said):
        return
    if under := isakmp.usable(draft):
        draft.say(Say(under, (invalid_spi(spi),), once=True))
        if times:
            draft.say(Record(under, Note(StraySpi(str(spi), times))))
    elif draft.hinted_at is None or draft.hinted_at + CALLED_AGAIN <= draft.now:
        for child in draft.connection.children:
            if child.start is Start.ALWAYS and draft.child(child.name).wanted:
                start.negotiate(draft, child.name)
                draft.hinted_at = draft.now


def serves(state: PeerState, now: float) -> bool:
    """Is there an ISAKMP SA to say something under?"""
    return any(due.serves(known) and due.lasts(known, now) for known in state.isakmp.values())


def _replace(draft: Draft, under: Cookies, name: str, pair: PairState) -> None:
    """Unless that is under way, or was done a moment ago: however often it says so, seldomer each time. Not
    where only the peer says for which selectors it is."""
    configured, child = draft.configured(name), draft.child(name)
    again_at = pair.born + max(FLAPPING, flaps.pause(child))
    if pair.leave_at is not None or draft.now < again_at or configured is None:
        return
    if rekey.is_peers(configured, pair):
        return
    draft.say(Record(under, Note(LostAtPeer(str(pair.sa.outbound), name))))
    if child.attempt is None and name not in draft.waiting:
        draft.children.put(name, flaps.gone(child, pair, draft.now, soon=True))
        draft.waiting = (*draft.waiting, name)


def _newest(draft: Draft) -> Cookies | None:
    return isakmp.usable(draft) or next(iter(draft.isakmp), None)


def _call(draft: Draft) -> bool:
    """A phase 1 of ours beside what stands."""
    return not draft.connection.anybody and phase1.renew(draft)
