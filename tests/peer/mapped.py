"""Records of a peer behind a NAT: the path of its ISAKMP SA, its pairs in UDP, and where both go."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

from ikevd.addresses import Endpoint, Path
from ikevd.peer.child_state import ChildState, PairState
from ikevd.peer.isakmp_state import IsakmpState
from ikevd.peer.state import PeerState
from ikevd.policy.nat import NatMethod
from ikevd.sa.model import Cookies, NatTraversal, UdpEncapsulation
from tests.builders import ALICE, BOB
from tests.peer.records import A, ipsec, isakmp, isakmp_sa, pair

ELSEWHERE = ip_address("203.0.113.9")
THERE = Path(Endpoint(ALICE, 4500), Endpoint(ELSEWHERE, 41000))
FURTHER = Path(Endpoint(ALICE, 4500), Endpoint(ip_address("203.0.113.10"), 41000))
"""Paths to other addresses of the peer's."""


def path(port: int) -> Path:
    return Path(Endpoint(ALICE, 4500), Endpoint(BOB, port))


def behind_nat(cookies: Cookies = A, port: int = 40001, *, remote: bool = True) -> IsakmpState:
    """An ISAKMP SA that went by that port of the NAT; not `remote`: the NAT is in front of us."""
    nat = NatTraversal(NatMethod.RFC_3947, local=not remote, remote=remote)
    return isakmp(cookies, sa=replace(isakmp_sa(cookies), nat=nat), path=path(port))


def in_udp(number: int = 1, port: int = 40001, **changes: object) -> PairState:
    made = ipsec(number, encap=UdpEncapsulation(4500, port))
    return replace(pair(number, sa=made, behind_nat=True), **changes)  # type: ignore[arg-type]


def ports(state: PeerState) -> list[int]:
    """Of the peer, pair by pair."""
    pairs = [pair for child in state.children.values() for pair in child.pairs]
    return [pair.sa.encap.remote_port if pair.sa.encap else 0 for pair in pairs]


def up(*pairs: PairState) -> ChildState:
    return ChildState(wanted=True, pairs=pairs, since=5.0)


def with_dpd(cookies: Cookies = A, *, dpd: bool = True) -> IsakmpState:
    known = behind_nat(cookies)
    return replace(known, sa=replace(known.sa, dpd=dpd))


def places(state: PeerState) -> list[str]:
    """Of the peer: ISAKMP SAs, then pairs."""
    paths = [str(known.path.remote) for known in state.isakmp.values()]
    sas = [pair.sa for child in state.children.values() for pair in child.pairs]
    return [*paths, *(f"{sa.remote}:{sa.encap.remote_port if sa.encap else 0}" for sa in sas)]
