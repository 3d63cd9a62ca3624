"""Members of a group, who all hold its key: a phase 1 from the place of one that lives may be its renewal, or another
member's, whose last message came from a forged address. So it touches nothing of what stands until its peer has shown
that it hears us there: it answers a question, or, where none is asked, goes on with message 3 of a Quick Mode of its
own, for which it must have heard message 2.
"""

from __future__ import annotations

from collections.abc import Sequence

from ikevd.addresses import Path
from ikevd.exchanges.contact import says
from ikevd.frozen import replace
from ikevd.peer import contact, dpd, isakmp, liveness, phase1, reload, succession
from ikevd.peer.draft import Draft
from ikevd.peer.exchange_state import Attempt
from ikevd.peer.isakmp_state import IsakmpState, Stage
from ikevd.peer.notices import is_dpd
from ikevd.peer.state import PeerState
from ikevd.policy.dpd import DpdMode
from ikevd.sa.model import Cookies
from ikevd.wire.payloads import DeletePayload, NotifyPayload, Payload
from ikevd.wire.registry import NotifyType, Protocol

WHY = "its phase 1 came from the place of a living member of its group"


def met(draft: Draft, under: Cookies) -> None:
    """A phase 1 has ended well."""
    found = draft.isakmp.get(under)
    if not draft.key.instance or found is None or found.stage is not Stage.READY:
        return
    others = [known for key, known in draft.isakmp.items() if key != under]
    ready = any(known.stage is Stage.READY for known in others)
    stands = ready or any(known.standing for _, known in draft.children.items())
    if not stands:
        return
    asks = draft.connection.dpd.mode is not DpdMode.OFF
    if asks and not found.sa.dpd and (not ready or any(known.sa.dpd for known in others)):
        isakmp.not_there(draft, under)  # who has renewed would still speak it
        return
    draft.isakmp.put(under, replace(found, unproven=True))
    liveness.probe(draft, under, WHY)


def is_unproven(draft: Draft, under: Cookies) -> bool:
    """Has its peer not shown yet that it is there?"""
    found = draft.isakmp.get(under)
    return found is not None and found.unproven


def joins(draft: Draft, under: Cookies, *, ours: bool) -> None:
    """It is who it shows itself to be: what stands is renewed by it. `ours`: we began its phase 1."""
    succession.adopted(draft, under, ours=ours)
    reload.followed(draft, under)


def answered(draft: Draft, under: Cookies, said: NotifyPayload, came: Path) -> bool:
    """A message of dead peer detection has come by that path. True: the answer that was missing, from where the
    question went."""
    found = draft.isakmp.get(under)
    if found is None or not found.unproven or said.type != NotifyType.R_U_THERE_ACK:
        return False
    if came.remote != found.path.remote or not dpd.is_new(dpd.liveness_of(found, draft.salt), said):
        return False
    _proven(draft, under, found)
    return True


def heard_us(draft: Draft, attempt: Attempt) -> bool:
    """Message 3 of a Quick Mode has come from there. True: of one that nobody asks, and that had not shown yet that it
    hears us."""
    mode = draft.quick_modes.get(attempt)
    found = draft.isakmp.get(mode.under) if mode and not mode.ours and not mode.ending else None
    if mode is None or found is None or not found.unproven or liveness.is_asked(found):
        return False
    _proven(draft, mode.under, found)
    return True


def _proven(draft: Draft, under: Cookies, found: IsakmpState) -> None:
    draft.isakmp.put(under, replace(found, unproven=False, greeted=False))
    phase1.say_waiting(draft, under)
    if found.greeted:
        contact.heard(draft, under, former_lives=found.former_lives)
    joins(draft, under, ours=found.sa.initiator)


def its_own(payloads: Sequence[Payload], under: Cookies) -> tuple[Payload, ...]:
    """What it may say before that: nothing of other SAs, which may be another's."""
    return tuple(payload for payload in payloads if _is_its_own(payload, under))


def must_wait(state: PeerState, under: Cookies, child: str) -> bool:
    """May a Quick Mode under that ISAKMP SA not yet touch what stands of the child?"""
    found, known = state.isakmp.get(under), state.children.get(child)
    if found is None or known is None or not found.unproven or not liveness.is_asked(found):
        return False
    return any(pair.under != under for pair in known.pairs)


def _is_its_own(payload: Payload, under: Cookies) -> bool:
    match payload:
        case DeletePayload(protocol=Protocol.ISAKMP, spis=spis):
            return all(spi == under.octets for spi in spis)
        case NotifyPayload():
            return says(payload) or is_dpd(payload)
    return False
