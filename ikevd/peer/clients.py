"""Who replaces whom: a peer that has moved its former self, and a living peer nobody.

A second phase 1 ends nothing by itself, it may be a renewal. A Quick Mode from another address or port for what the
peer holds already shows that it has moved.
"""

from __future__ import annotations

from ikevd.addresses import Endpoint
from ikevd.errors import Abandoned, InvalidId, Said
from ikevd.facts import Note
from ikevd.findings import Traffic
from ikevd.peer import attempts, isakmp, pairs, rivals
from ikevd.peer.child_state import PairState
from ikevd.peer.draft import Draft
from ikevd.peer.effects import Record
from ikevd.peer.exchange_state import Attempt
from ikevd.peer.moves import place
from ikevd.peer.state import PeerState
from ikevd.peer.timing import LIVING
from ikevd.policy.selectors import Selectors, TrafficSelector
from ikevd.sa.model import IpsecSa
from ikevd.selector_findings import Held

NAT_PORT = 4500
"""Of NAT traversal (RFC 3947 section 4)."""


def up(draft: Draft, name: str, pair: PairState) -> None:
    """A Quick Mode of the peer has brought up `pair`, the newest of the child: what the peer held from another address
    or port was its former self's, and another part of a template it has given up."""
    others = [other for other in draft.child(name).standing if other is not pair]
    if pair.sa.initiator:
        return
    elsewhere = [place(other.sa) for other in others if _apart(other.sa, pair.sa)]
    if elsewhere and (refusal := rivals.refusal(draft, elsewhere[-1], place(pair.sa))):
        draft.say(Record(pair.under, Note(refusal)))
        pairs.replaced(draft, name, pair, refusal)
        isakmp.retire(draft, pair.under, tell=True, cause=Abandoned(refusal))
        return
    if elsewhere:
        rivals.replaced(draft, elsewhere[-1], place(pair.sa))
        _end_former(draft, pair)
    for other in others:
        if other.sa.selectors != pair.sa.selectors:
            pairs.replaced(draft, name, other, Said(f"the peer asks for {pair.sa.remote_selector} instead"))


def displaced(draft: Draft, name: str, by: str) -> None:
    """Another peer gets its selectors."""
    cause = f"silent for {LIVING:.0f} s, and {by} asks for the same networks"
    attempts.abort_child(draft, name, Abandoned(cause))
    for pair in draft.child(name).standing:
        pairs.replaced(draft, name, pair, Said(cause))


def holds(state: PeerState, name: str, selectors: Selectors, attempt: Attempt) -> bool:
    """Has the peer that pair of selectors? `attempt`: the last Quick Mode in which it asked for them."""
    known = state.children.get(name)
    pairs = known.pairs if known else ()
    return attempt in state.quick_modes or any(pair.sa.selectors == selectors for pair in pairs)


def spoke(state: PeerState, now: float) -> bool:
    """Did it say something, authenticated, of late? Not what may be another member's of its group."""
    return any(now < known.heard + LIVING and not known.unproven for known in state.isakmp.values())


def elsewhere(state: PeerState, attempt: Attempt, sa: IpsecSa) -> tuple[PairState, ...]:
    """The pairs by which the peer holds from another address or port what this Quick Mode makes."""
    standing = state.children[sa.child].standing if sa.child in state.children else ()
    return tuple(pair for pair in standing if _apart(pair.sa, sa) and pair.attempt != attempt)


def kept(state: PeerState, sa: IpsecSa) -> InvalidId:
    """Why it is not given to who asks for it from there."""
    asked = Traffic(str(sa.local_selector), str(sa.remote_selector))
    return InvalidId(Held(asked, where(state), int(LIVING), sa.suite.transport))


def spoke_elsewhere(state: PeerState, sa: IpsecSa, now: float) -> bool:
    """Did it say something, authenticated, of late, from another address or port than that pair leads to?"""
    return any(
        now < known.heard + LIVING for known in state.isakmp.values() if not rivals.same(known.path.remote, place(sa))
    )


def endpoint(state: PeerState) -> Endpoint | None:
    """Where the peer was heard last, by its newest ISAKMP SA, or else where its packets go."""
    heard = (known.path.remote for known in reversed(tuple(state.isakmp.values())))
    places = (place(pair.sa) for known in state.children.values() for pair in known.pairs)
    return next(heard, None) or next(places, None)


def where(state: PeerState) -> str:
    """That in words."""
    found = endpoint(state)
    if found is None:
        return "an unknown address"
    return str(found if found.port else found.address)


def other_part(state: PeerState, attempt: Attempt, sa: IpsecSa) -> TrafficSelector | None:
    """The part of a template that the peer holds under the ISAKMP SA under which it asks for another one: it has not
    come anew, it wants both, and a child has one."""
    mode, known = state.quick_modes.get(attempt), state.children.get(sa.child)
    for pair in known.pairs if mode and known else ():
        if mode and pair.under == mode.under and pair.attempt != attempt and pair.sa.selectors != sa.selectors:
            return pair.sa.remote_selector
    return None


def _apart(one: IpsecSa, other: IpsecSa) -> bool:
    """Do they lead to different places? Not where a peer without a NAT, whose port is not translated, has ESP in UDP
    beside plain ESP: it tries whether that passes."""
    ports = [sa.encap.remote_port for sa in (one, other) if sa.encap is not None and sa.encap.remote_port != NAT_PORT]
    if one.encap is not None and other.encap is not None:
        return place(one) != place(other)
    return one.remote != other.remote or bool(ports)


def _end_former(draft: Draft, pair: PairState) -> None:
    """All that is not from where the peer is now."""
    cause = f"the peer has moved to {pair.sa.remote}"
    for name, state in tuple(draft.children.items()):
        for other in state.standing:
            if _apart(other.sa, pair.sa):
                pairs.replaced(draft, name, other, Said(cause))
    now = draft.isakmp.get(pair.under)
    for under, known in tuple(draft.isakmp.items()):
        if now is not None and known.path.remote != now.path.remote:
            isakmp.retire(draft, under, tell=True, cause=Abandoned(cause))
