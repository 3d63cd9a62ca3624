"""The peer, behind a NAT, may have another address: it is asked there once, and traffic stays on the old path until it
answers. One that lacks dead peer detection has moved with the second message that comes from there.

Whoever hears a message can send a copy of it from elsewhere before it arrives. But it cannot answer a question; and
what comes from the old address meanwhile ends the doubt. Nor can the peer itself answer for a place where it is not:
the number of the question is one that only the question tells.
"""

from __future__ import annotations

from ikevd.addresses import Endpoint, Path
from ikevd.facts import Note
from ikevd.frozen import replace
from ikevd.path_findings import PeerElsewhere
from ikevd.peer import dpd, isakmp, moves, pace, succession
from ikevd.peer.child_state import PairState
from ikevd.peer.draft import Draft
from ikevd.peer.effects import Record, Say
from ikevd.peer.isakmp_state import Roaming, Stage
from ikevd.peer.notices import r_u_there
from ikevd.peer.timing import ASK_AGAIN
from ikevd.sa.model import Cookies
from ikevd.wire.payloads import NotifyPayload
from ikevd.wire.registry import NotifyType

MAX_WRONG = 8
"""Answers to one question: an old one may come late, but nobody tries many numbers."""


def heard(draft: Draft, under: Cookies, came: Path) -> None:
    """An authenticated message, which is no copy of an old one, has come by that path."""
    found = draft.isakmp.get(under)
    if found is None or found.unproven or came.remote == found.path.remote or not moves.is_behind_nat(draft, under):
        return
    known = found.roaming
    if known is not None and known.path == came and known.number is None:
        moves.arrive(draft, under, came, answered=False)
    elif known is None or known.path != came or draft.now >= known.at + ASK_AGAIN:
        _ask(draft, under, came)


def answered(draft: Draft, under: Cookies, said: NotifyPayload, came: Path) -> None:
    """R-U-THERE-ACK has come by that path."""
    found = draft.isakmp.get(under)
    asked = found.roaming if found is not None else None
    if found is None or asked is None or asked.number is None or said.type != NotifyType.R_U_THERE_ACK:
        return
    if dpd.number_of(said) != asked.number or asked.wrong >= MAX_WRONG:
        if came == asked.path and asked.wrong < MAX_WRONG:
            draft.isakmp.put(under, replace(found, roaming=replace(asked, wrong=asked.wrong + 1)))
        return
    if came == asked.path:
        moves.arrive(draft, under, came, answered=True)
        isakmp.heard(draft, under, came, ())
    elif _is_home(found.path, asked.path, came):  # somebody has carried the question to where it always was
        came_twice(draft, under)


def _is_home(known: Path, asked: Path, came: Path) -> bool:
    """Another port of the old address is as good as the known one, unless it is the port that is in doubt."""
    moved_within = known.remote.address == asked.remote.address
    return came.remote == known.remote if moved_within else came.remote.address == known.remote.address


def came_twice(draft: Draft, under: Cookies) -> None:
    """What came from elsewhere has come from the old address, too."""
    found = draft.isakmp.get(under)
    if found is not None and found.roaming is not None:
        draft.isakmp.put(under, replace(found, roaming=None))


def mapped(draft: Draft, pair: PairState | None, now: Endpoint) -> None:
    """A packet of the peer has come by the pair, from there: as good as a message, but for a peer that cannot be asked.
    Such a one moves by its messages alone, since of packets the kernel does not tell what the old address still sends.
    """
    if pair is None or not pair.behind_nat or pair.sa.encap is None or now == moves.place(pair.sa):
        return
    before = moves.place(pair.sa)
    for under, found in reversed(tuple(draft.isakmp.items())):
        ready = found.stage is Stage.READY and not (found.retired or found.unproven)
        if ready and found.path.remote.address == before.address:
            if found.sa.dpd:
                heard(draft, under, Path(found.path.local, now))
            return


def _ask(draft: Draft, under: Cookies, there: Path) -> None:
    found = draft.isakmp.get(under)
    if found is None or (pace.flaps(draft) and not found.sa.dpd) or not pace.admit_question(draft):
        return
    number, live = None, dpd.liveness_of(found, draft.salt)
    if found.sa.dpd and dpd.reach(live) < dpd.TOO_NEAR:  # a new one counts from the beginning
        succession.spent(draft, under)
        return
    if found.sa.dpd:
        live = dpd.numbered(draft, under, live, proves=True)
        number = live.number
        found = dpd.put(draft, under, found, live)
        draft.say(Say(under, (r_u_there(under, number),), once=True, to=there))
    draft.isakmp.put(under, replace(found, roaming=Roaming(there, number, draft.now)))
    if not pace.flaps(draft):
        draft.say(
            Record(under, Note(PeerElsewhere(str(there.remote), str(found.path.remote), asked=number is not None)))
        )
