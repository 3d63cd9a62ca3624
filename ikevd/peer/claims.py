"""The peer says that an SA ends sooner than was agreed: RESPONDER-LIFETIME in a verified Informational message."""

from __future__ import annotations

from collections.abc import Sequence

from ikevd.exchanges import lifetimes
from ikevd.facts import Note
from ikevd.frozen import replace
from ikevd.lifetime_findings import ClaimedLife, ClaimedPairLife
from ikevd.peer import renewal
from ikevd.peer.child_state import PairState
from ikevd.peer.draft import Draft
from ikevd.peer.effects import Record
from ikevd.peer.isakmp_state import Stage
from ikevd.peer.rekey import soft_seconds
from ikevd.policy.lives import LEAST_SECONDS, Lifetime, shorter
from ikevd.policy.transforms import read_responder_lifetime
from ikevd.sa.model import Cookies, Spi
from ikevd.wire.payloads import NotifyPayload


def heard(draft: Draft, under: Cookies, claims: Sequence[NotifyPayload]) -> None:
    """What one message claims, of the ISAKMP SA and of pairs."""
    _of_isakmp(draft, under, [claim for claim in claims if lifetimes.claims(claim)])
    for claim in claims:
        if lifetimes.claims_of_pair(claim):
            _of_pair(draft, under, claim)


def _of_isakmp(draft: Draft, under: Cookies, claims: Sequence[NotifyPayload]) -> None:
    isakmp = draft.isakmp.get(under)
    if isakmp is None or isakmp.stage is Stage.LEAVING:
        return
    sa = lifetimes.claimed(isakmp.sa, claims)
    if sa.lifetime == isakmp.sa.lifetime:
        return
    expires = _end(draft, isakmp.born, sa.lifetime.seconds, isakmp.expires)
    draft.say(Record(under, Note(ClaimedLife(isakmp.sa.lifetime.seconds, sa.lifetime.seconds))))
    renew_at = isakmp.renew_at
    if renew_at is not None:
        renew_at = min(renew_at, renewal.first_at(sa, isakmp.born, expires))
    draft.isakmp.put(under, replace(isakmp, sa=sa, expires=expires, renew_at=renew_at))


def _of_pair(draft: Draft, under: Cookies, claim: NotifyPayload) -> None:
    """The kernel keeps its limits, the record ends the pair. The claim names the peer's SPI, or ours as Cisco's do."""
    spi = Spi.of(claim.protocol, claim.spi)
    for name, child in draft.children.items():
        for pair in child.pairs:  # written out: a peer may have a thousand children
            if spi not in (pair.sa.inbound, pair.sa.outbound):
                continue
            life = shorter(pair.sa.lifetime, read_responder_lifetime(claim.data, pair.sa.lifetime))
            expires = _end(draft, pair.born, life.seconds, pair.expires)
            if expires < pair.expires:
                draft.say(Record(under, Note(ClaimedPairLife(name, pair.sa.lifetime.seconds, life.seconds))))
                _put(draft, name, pair, replace(pair, expires=expires, rekey_at=_rekey_at(pair, life)))
            return


def _rekey_at(pair: PairState, life: Lifetime) -> float | None:
    if pair.rekey_at is None:
        return None
    return min(pair.rekey_at, pair.born + soft_seconds(replace(pair.sa, lifetime=life)))


def _put(draft: Draft, name: str, before: PairState, after: PairState) -> None:
    child = draft.child(name)
    draft.children.put(name, replace(child, pairs=tuple([after if pair is before else pair for pair in child.pairs])))


def _end(draft: Draft, born: float, seconds: int, before: float) -> float:
    """No later than it was, and no sooner than leaves time for a new one."""
    return min(before, max(born + seconds, draft.now + LEAST_SECONDS))
