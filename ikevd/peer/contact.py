"""Who begins anew: INITIAL-CONTACT (RFC 2407 section 4.6.3.3), as it is said and as it is obeyed.

It is said where nothing stands with the peer. Heard, always under an ISAKMP SA and proven there, it ends what is older
of that peer: what stood before message 1 of that ISAKMP SA was sent or came. So two phase 1s that overlap, as where
both ends call at once, never end each other, and an old ISAKMP SA ends nothing that is newer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ikevd.addresses import Address, Endpoint
from ikevd.contact_findings import BeginsAnew, FormerLives, Greeted, NotHeeded
from ikevd.errors import Abandoned, Finding, Said
from ikevd.exchanges.contact import initial_contact, says
from ikevd.facts import Note
from ikevd.frozen import replace
from ikevd.peer import clients, exchange_facts, isakmp, liveness, message_facts, pairs, rivals
from ikevd.peer.child_state import PairState
from ikevd.peer.draft import Draft
from ikevd.peer.effects import Record, Say, TellOthers
from ikevd.peer.isakmp_state import IsakmpState, Stage
from ikevd.peer.moves import place
from ikevd.peer.state import PeerState
from ikevd.peer.timing import ITS_TURN, LIVING
from ikevd.policy.connection import Connection, Unique
from ikevd.policy.identity import Identity
from ikevd.sa.model import Cookies

KEEP, LEAVING = Unique.KEEP, Stage.LEAVING
ANEW = Said("the peer has begun anew (INITIAL-CONTACT)")


# -- said


def holds(connection: Connection, state: PeerState, ours: Identity, address: Address | None) -> bool:
    """Does anything stand with this peer where we call ourselves `ours`? `address`: of the peer; None: wherever it
    is. What leaves was said Delete of."""
    for known in state.isakmp.values():
        there = address in (None, known.path.remote.address)
        if there and known.stage is not LEAVING and not known.retired and known.sa.local_id == ours:
            return True
    sas = (pair.sa for known in state.children.values() for pair in known.pairs)
    return any(
        address in (None, sa.remote) and (connection.local_id or Identity.of_address(sa.local)) == ours for sa in sas
    )


def met(draft: Draft, fact: exchange_facts.PhaseOneUp) -> None:
    """A phase 1 ended well: what is said and was heard besides."""
    under, found = fact.sa.cookies, draft.isakmp.get(fact.sa.cookies)
    if found is None or found.stage is LEAVING:
        return
    if fact.greets:
        draft.say(Say(under, (initial_contact(under),)))
        draft.say(Record(under, Note(Greeted())))
    if fact.sa.contacted:
        heard(draft, under, former_lives=fact.former_lives)


# -- heard


Bearing = exchange_facts.PhaseOneUp | message_facts.Informed | message_facts.Contacted


def bearing(connection: Connection, fact: object) -> Bearing | None:
    """The fact, if it holds INITIAL-CONTACT and the connection wants to know whether the peer's former self lives."""
    if connection.unique is not KEEP:
        return None
    match fact:
        case exchange_facts.PhaseOneUp(sa=sa) if sa.contacted:
            return fact
        case message_facts.Informed(payloads=payloads) if any(map(says, payloads)):
            return fact
        case message_facts.Contacted():
            return fact
    return None


def bearer_of(fact: Bearing) -> Cookies:
    """The ISAKMP SA under which it is said."""
    return fact.sa.cookies if isinstance(fact, exchange_facts.PhaseOneUp) else fact.under


def spoke(state: PeerState, fact: Bearing, now: float) -> bool:
    """Was anything authenticated heard of late but what bears the fact?"""
    match fact:
        case message_facts.Informed(under=bearer) | message_facts.Contacted(under=bearer):
            others = (known for under, known in state.isakmp.items() if under != bearer)
            return any(now < known.heard + LIVING for known in others)
    return clients.spoke(state, now)


def older(state: PeerState, fact: Bearing) -> Iterator[PairState]:
    """The pairs that stood before message 1 of what bears the fact."""
    if isinstance(fact, exchange_facts.PhaseOneUp):
        began = fact.began
    else:
        bearer = state.isakmp.get(fact.under)
        began = bearer.began if bearer is not None else None
    pairs = (pair for known in state.children.values() for pair in known.standing)
    return (pair for pair in pairs if began is not None and pair.born < began)


def heard(draft: Draft, under: Cookies, *, former_lives: bool) -> None:
    """The peer says it under that ISAKMP SA, which is proven."""
    found = draft.isakmp.get(under)
    if found is None or found.stage is LEAVING:
        return
    if draft.connection.unique is Unique.NEVER:
        draft.say(Record(under, Note(NotHeeded())))
        return
    if found.unproven:
        draft.isakmp.put(under, replace(found, greeted=True, former_lives=former_lives))
        return
    was = _former_self(draft, found.began)
    former = _place_of(was)
    if former is not None and (refusal := _refusal(draft, found, former, lives=former_lives)):
        draft.say(Record(under, Note(refusal)))
        isakmp.retire(draft, under, tell=True, cause=Abandoned(refusal))
        doubt(draft, f"a peer at {found.path.remote} begins anew under the same identity")
        return
    draft.say(Record(under, Note(BeginsAnew(len(was.pairs), len(was.isakmps)))))
    _end(draft, was, found.path.remote, later=0.0 if found.sa.initiator else ITS_TURN)
    if former is not None:
        rivals.replaced(draft, former, found.path.remote)
    if draft.connection.unique is Unique.REPLACE:
        draft.say(TellOthers(under))


def lost(draft: Draft, before: float) -> None:
    """The peer said it to another connection: the same holds for what it has with this one."""
    if draft.connection.unique is not Unique.REPLACE:
        return
    was = _former_self(draft, before)
    for under, _ in was.isakmps:
        draft.say(Record(under, Note(BeginsAnew(len(was.pairs), len(was.isakmps)))))
    _end(draft, was, None, later=ITS_TURN)


def doubt(draft: Draft, why: str) -> None:
    """Does the peer still live? Where it can be asked it is, at once, and goes if it stays silent."""
    for under in draft.isakmp:
        liveness.probe(draft, under, why)


def _refusal(draft: Draft, found: IsakmpState, former: Endpoint, *, lives: bool) -> Finding | None:
    """Why who begins anew is turned away."""
    if draft.connection.unique is KEEP and lives:
        return FormerLives(str(former), int(LIVING))
    return rivals.refusal(draft, former, found.path.remote)


class _FormerSelf(NamedTuple):
    """What a peer had before it began anew, the oldest first."""

    pairs: list[tuple[str, PairState]]
    isakmps: list[tuple[Cookies, IsakmpState]]


def _former_self(draft: Draft, before: float | None) -> _FormerSelf:
    """`before`: when the phase 1 of the bearer began; None: nobody knows, so nothing is older."""
    was = _FormerSelf([], [])
    if before is not None:
        for name, child in draft.children.items():
            was.pairs.extend([(name, pair) for pair in child.standing if pair.born < before])
        for under, known in draft.isakmp.items():
            if known.born < before and known.stage is not LEAVING:
                was.isakmps.append((under, known))
    return was


def _place_of(was: _FormerSelf) -> Endpoint | None:
    """Where the peer was before; None: nothing of it is older."""
    if was.isakmps:
        return was.isakmps[-1][1].path.remote
    return place(was.pairs[0][1].sa) if was.pairs else None


def _end(draft: Draft, was: _FormerSelf, now_at: Endpoint | None, *, later: float) -> None:
    """`now_at`: where the peer is, if that tells anything: what is elsewhere hears Delete, since it may be another
    machine that shows the same identity."""
    for name, pair in was.pairs:
        tell = now_at is not None and not rivals.same(place(pair.sa), now_at)
        pairs.lost_by_peer(draft, name, pair.sa.inbound, ANEW, later=later, tell=tell)
    for under, known in was.isakmps:
        tell = now_at is not None and not rivals.same(known.path.remote, now_at)
        isakmp.retire(draft, under, tell=tell, cause=Abandoned(ANEW))
