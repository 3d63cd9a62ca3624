"""Where the peer is: what it sends moves the path, as far as a NAT in front of it explains that.

A message that is authenticated proves its content, never where it came from: whoever hears it can send a copy from
another port before it arrives. So without a NAT in front of the peer nothing moves (RFC 3947 section 4). Behind one the
newest port counts, for all that went by the former one: the peer sends IKE and ESP from the same port. An address
counts once the peer has answered there (`roaming`).

The path of an ISAKMP SA moves with all that went by the former one: other ISAKMP SAs, exchanges under way, and the
ports of pairs, which the kernel changes in place, so that sequence numbers and replay window go on. A packet of ESP in
UDP from another port (XFRM_MSG_MAPPING) counts as much as a message. Whether a NAT is in front of the peer stands in
the record of the pair, which may outlive its ISAKMP SA.
"""

from __future__ import annotations

from ikevd.addresses import Endpoint, Path
from ikevd.facts import Note
from ikevd.frozen import replace
from ikevd.path_findings import PeerMoved
from ikevd.peer import pace
from ikevd.peer.child_state import PairState
from ikevd.peer.draft import Draft
from ikevd.peer.effects import Follow, Record
from ikevd.peer.isakmp_state import IsakmpState
from ikevd.sa.model import Cookies, IpsecSa, UdpEncapsulation


def heard(draft: Draft, under: Cookies, before: Path) -> None:
    """An authenticated message under that ISAKMP SA has come by another path than the last one."""
    isakmp = draft.isakmp.get(under)
    if isakmp is not None and _behind_nat(isakmp):
        draft.say(Follow(under, isakmp.path))
        _follow(draft, before.remote, isakmp.path.remote)


def mapped(draft: Draft, pair: PairState | None, now: Endpoint) -> None:
    """A packet of the peer has come by the pair, from another port."""
    if pair is None or not pair.behind_nat or pair.sa.encap is None or pair.sa.remote != now.address:
        return
    if now != place(pair.sa) and pace.admit(draft, place(pair.sa), now):
        _follow(draft, place(pair.sa), now)


def admit(draft: Draft, isakmp: IsakmpState, came: Path) -> bool:
    """Does an authenticated message that has come by that path move its ISAKMP SA at once? An address counts once the
    peer has answered there, and so does a port of the NAT in front of it that changes too often, which is noted."""
    known = isakmp.path.remote
    if came.remote.address != known.address:
        return False
    if not _behind_nat(isakmp):
        return came.remote == known or came.local != isakmp.path.local  # both go to port 4500
    return came.remote == known or pace.admit(draft, known, came.remote)


def arrive(draft: Draft, under: Cookies, there: Path, *, answered: bool) -> None:
    """The peer has shown that it is there; not `answered`: since it lacks dead peer detection, by a second message."""
    found = draft.isakmp.get(under)
    if found is not None:
        draft.isakmp.put(under, replace(found, roaming=None))
        if pace.admit(draft, found.path.remote, there.remote, answered=answered):
            _follow(draft, found.path.remote, there.remote)


def at_home(draft: Draft, pair: PairState) -> PairState:
    """A pair that has just been made, as its ISAKMP SA has the peer by now."""
    isakmp = draft.isakmp.get(pair.under)
    return pair if isakmp is None or not pair.behind_nat else _at(pair, isakmp.path.remote)


def is_behind_nat(draft: Draft, under: Cookies) -> bool:
    """Has phase 1 found a NAT in front of the peer?"""
    isakmp = draft.isakmp.get(under)
    return isakmp is not None and _behind_nat(isakmp)


def place(sa: IpsecSa) -> Endpoint:
    """Where the packets of a pair go; port 0: as ESP."""
    return Endpoint(sa.remote, sa.encap.remote_port if sa.encap else 0)


def _follow(draft: Draft, before: Endpoint, now: Endpoint) -> None:
    """All that went to the one place goes to the other."""
    if before == now:
        return
    pace.moved(draft)
    moved = _pairs_follow(draft, before, now)
    for under, isakmp in tuple(draft.isakmp.items()):
        if isakmp.path.remote == before and _behind_nat(isakmp):
            path = Path(isakmp.path.local, now)
            draft.isakmp.put(under, replace(isakmp, path=path))
            draft.say(Follow(under, path))
    there = [under for under, isakmp in draft.isakmp.items() if isakmp.path.remote == now]
    if there:
        draft.say(Record(there[-1], Note(PeerMoved(str(before), str(now), moved))))


def _pairs_follow(draft: Draft, before: Endpoint, now: Endpoint) -> int:
    """How many there are."""
    count = 0
    for name, child in tuple(draft.children.items()):
        pairs = tuple([_at(p, now) if p.behind_nat and place(p.sa) == before else p for p in child.pairs])
        if pairs != child.pairs:
            draft.children.put(name, replace(child, pairs=pairs))
            count += sum(after is not pair for after, pair in zip(pairs, child.pairs, strict=True))
    return count


def _at(pair: PairState, now: Endpoint) -> PairState:
    encap = pair.sa.encap
    if encap is None or place(pair.sa) == now:
        return pair
    encap = UdpEncapsulation(encap.local_port, now.port)
    sa = replace(pair.sa, remote=now.address, encap=encap)
    if sa.suite.transport:  # its traffic is that of the peer itself
        sa = replace(sa, remote_selector=sa.remote_selector.at(now.address))
    return replace(pair, sa=sa)


def _behind_nat(isakmp: IsakmpState) -> bool:
    return isakmp.sa.nat is not None and isakmp.sa.nat.remote
