"""What a verified Informational message of the peer means: refusals, Deletes, claims of a life."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ikevd.errors import Finding, PeerDeleted, PeerRefused, Said
from ikevd.exchanges import quick_mode
from ikevd.facts import Note
from ikevd.findings import IsakmpDeleted, Mentioned, PeerRefuses
from ikevd.frozen import replace
from ikevd.peer import attempts, claims, contact, deletes, dpd, flaps, hints, isakmp, notices, pairs
from ikevd.peer.child_state import PairState
from ikevd.peer.draft import Draft
from ikevd.peer.effects import Record
from ikevd.peer.exchange_state import Attempt
from ikevd.peer.isakmp_state import IsakmpState
from ikevd.peer.message_facts import Informed
from ikevd.peer.notices import Refusal
from ikevd.peer.state import PeerState
from ikevd.sa.model import Cookies, IpsecSa, Spi
from ikevd.wire.payloads import DeletePayload, Payload
from ikevd.wire.registry import NotifyType

MAX_HELD = 32
"""Of refusals and of Deletes whose Quick Mode is not known yet."""
UNREADABLE = (NotifyType.PAYLOAD_MALFORMED, NotifyType.INVALID_HASH_INFORMATION, NotifyType.INVALID_MESSAGE_ID)
"""What is said of a message that could not be read, whichever that was."""


def informed(
    draft: Draft,
    under: Cookies,
    payloads: Sequence[Payload],
    *,
    former_lives: bool = False,
    used_up: Collection[Spi] = (),
) -> None:
    """One message: refusals first, then what is deleted."""
    if draft.isakmp.get(under) is None:
        return
    said = notices.read(payloads)
    for refusal in said.refusals:
        if not hints.proven(draft, under, refusal):
            _refused(draft, under, refusal)
    for payload in said.dpd:
        dpd.told(draft, under, payload)
    if said.others:
        draft.say(Record(under, Note(Mentioned(said.others))))
    claims.heard(draft, under, said.lives)
    if said.contacted:
        contact.heard(draft, under, former_lives=former_lives)
    if said.deleted_ipsec:
        _deleted(draft, under, said.deleted_ipsec, used_up)
    for cookies in said.deleted_isakmp:
        if draft.isakmp.get(cookies):
            draft.say(Record(cookies, Note(IsakmpDeleted())))
            isakmp.retire(draft, cookies, tell=False, cause=PeerDeleted(IsakmpDeleted()))
            deletes.say_elsewhere(draft)


def ends_young(state: PeerState, fact: Informed, now: float) -> list[PairState]:
    """The pairs that it deletes so soon after their birth that it matters whether they were of use."""
    if not any(isinstance(payload, DeletePayload) for payload in fact.payloads):
        return []
    spis = set(notices.read(fact.payloads).deleted_ipsec)
    standing = (pair for child in state.children.values() for pair in child.standing if flaps.is_young(pair, now))
    return [pair for pair in standing if pair.sa.inbound in spis or pair.sa.outbound in spis]


def settle(draft: Draft, under: Cookies) -> None:
    """A Quick Mode under it has ended. A refusal without SPI (strongSwan's INVALID-ID-INFORMATION has none) belongs to
    what is left under way; early Deletes are kept for none."""
    found = draft.isakmp.get(under)
    if found is None:
        return
    if found.early_deletes and not attempts.busy(draft, under):
        found = _keep(draft, under, replace(found, early_deletes=()))
    modes = attempts.ours(draft, under)
    if found.refusals and not modes:
        _keep(draft, under, replace(found, refusals=()))
    elif modes and len(modes) <= len(found.refusals):
        _keep(draft, under, replace(found, refusals=found.refusals[1:]))
        _refuse(draft, next(iter(modes)), found.refusals[0])


def deleted_early(draft: Draft, under: Cookies, sa: IpsecSa) -> None:
    """The peer's Delete overtook the end of the Quick Mode that made `sa`."""
    found = draft.isakmp.get(under)
    if found is not None and sa.outbound in found.early_deletes:
        left = tuple(spi for spi in found.early_deletes if spi != sa.outbound)
        _keep(draft, under, replace(found, early_deletes=left))
        pairs.deleted(draft, sa.child, sa.outbound)


def _refused(draft: Draft, under: Cookies, refusal: Refusal) -> None:
    """It ends the Quick Mode with that SPI, or else the only one under way; otherwise it is kept. Unless the peer could
    not read a message: that may be a late copy of an exchange that it has forgotten (strongSwan knows three)."""
    modes, found = attempts.ours(draft, under), draft.isakmp.get(under)
    named = [key for key, mode in modes.items() if mode.spi is not None and mode.spi.octets == refusal.spi]
    counts = bool(named) or refusal.notify not in UNREADABLE
    draft.say(Record(under, Note(Mentioned((str(refusal.notify),), has_consequence=counts))))
    if not counts:
        return
    if named or len(modes) == 1:
        _refuse(draft, (named or list(modes))[0], refusal.notify)
    elif modes and found is not None:
        _keep(draft, under, replace(found, refusals=(*found.refusals, refusal.notify)[-MAX_HELD:]))


def _refuse(draft: Draft, attempt: Attempt, notify: NotifyType) -> None:
    """The peer refuses a Quick Mode of ours."""
    mode = draft.quick_modes.get(attempt)
    found = draft.isakmp.get(mode.under) if mode else None
    configured = draft.configured(mode.child) if mode and mode.child else None
    finding: Finding = Said(f"the peer refuses: {notify}")
    if found is not None and configured is not None:
        finding = PeerRefuses(str(notify), quick_mode.asked(found.sa, configured))
    attempts.abort(draft, attempt, PeerRefused(finding, notify))


def _deleted(draft: Draft, under: Cookies, spis: Sequence[Spi], used_up: Collection[Spi]) -> None:
    """A Delete may overtake message 3 of its Quick Mode: kept, bounded, until the Quick Modes under way end."""
    wanted, owners = set(spis), dict[Spi, str]()
    for name, state in draft.children.items():
        for pair in state.pairs:  # written out: a peer may have a thousand children
            if pair.attempt is None and (pair.sa.inbound in wanted or pair.sa.outbound in wanted):
                owners[pair.sa.inbound] = owners[pair.sa.outbound] = name
    for spi in spis:
        if spi in owners:
            pairs.deleted(draft, owners[spi], spi, used_up)
    unknown = tuple(spi for spi in spis if spi not in owners)
    found = draft.isakmp.get(under)
    if unknown and found is not None and attempts.busy(draft, under):
        _keep(draft, under, replace(found, early_deletes=(*found.early_deletes, *unknown)[-MAX_HELD:]))


def _keep(draft: Draft, under: Cookies, changed: IsakmpState) -> IsakmpState:
    draft.isakmp.put(under, changed)
    return changed
