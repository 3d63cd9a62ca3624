"""Who replaces whom: what a Quick Mode ends, and which ISAKMP SA its end is said under."""

from __future__ import annotations

from dataclasses import replace

from ikevd.addresses import Endpoint, Path
from ikevd.peer import clients
from ikevd.peer.child_state import ChildState, PairState
from ikevd.peer.exchange_facts import QuickModeUp
from ikevd.peer.exchange_state import Attempt
from ikevd.peer.facts import Displaced
from ikevd.peer.state import PeerState
from ikevd.sa.model import Cookies, IpsecSa, UdpEncapsulation
from tests.builders import ALICE, BOB, selector
from tests.peer.records import NOW, A, B, ipsec, isakmp, mode, opening, ours, pair, peer, told

FORMER, PRESENT = 40_001, 40_002
"""UDP ports of the NAT in front of the peer."""


def path(port: int) -> Path:
    return Path(Endpoint(ALICE, 4500), Endpoint(BOB, port))


def from_port(port: int, number: int, name: str = "lan", **changes: object) -> IpsecSa:
    """A pair whose Quick Mode the peer began from there."""
    return ipsec(number, name, initiator=False, encap=UdpEncapsulation(4500, port), **changes)


def stands(sa: IpsecSa, under: Cookies = A) -> PairState:
    return replace(pair(sa.inbound - ours(0), sa.child), sa=sa, under=under)


def about_to_stand(new: IpsecSa, *held: PairState, dmz: ChildState | None = None) -> PeerState:
    """The peer has two ISAKMP SAs, from the former port and from the present one; its Quick Mode -1 is about to end."""
    making = replace(opening(2, -1), sa=new, under=B)
    return peer(
        isakmp(A, path=path(FORMER)),
        isakmp(B, path=path(PRESENT)),
        lan=ChildState(pairs=(*held, making)),
        dmz=dmz,
        modes={-1: mode("lan", ours=False, under=B)},
    )


def standing(state: PeerState, name: str = "lan") -> list[int]:
    return [pair.sa.inbound - ours(0) for pair in state.children[name].standing]


def test_a_quick_mode_from_another_port_ends_the_former_self_and_says_so_to_the_former_port() -> None:
    new = from_port(PRESENT, 2)
    before = about_to_stand(new, stands(from_port(FORMER, 1)))
    after, effects = told(before, QuickModeUp(Attempt(-1), new))
    assert standing(after) == [2]
    assert effects[-2:] == ["say under A: delete d0000001", "say under A: delete ISAKMP SA A"]


def test_what_the_former_self_had_of_other_children_ends_as_well() -> None:
    new = from_port(PRESENT, 2)
    dmz = ChildState(pairs=(stands(from_port(FORMER, 3, "dmz")),))
    after, _ = told(about_to_stand(new, stands(from_port(FORMER, 1)), dmz=dmz), QuickModeUp(Attempt(-1), new))
    assert standing(after, "dmz") == []


def test_a_quick_mode_from_the_same_port_is_a_rekey_and_ends_nothing() -> None:
    new = from_port(PRESENT, 2)
    after, effects = told(about_to_stand(new, stands(from_port(PRESENT, 1))), QuickModeUp(Attempt(-1), new))
    assert standing(after) == [1, 2]
    assert effects == ["answer lan: up"]


def test_a_peer_without_a_nat_that_tries_esp_in_udp_beside_esp_has_not_moved() -> None:
    plain, new = ipsec(1, initiator=False), from_port(4500, 2)
    after, effects = told(about_to_stand(new, stands(plain)), QuickModeUp(Attempt(-1), new))
    assert (standing(after), effects) == ([1, 2], ["answer lan: up"])
    behind_a_nat = from_port(PRESENT, 2)
    assert standing(told(about_to_stand(behind_a_nat, stands(plain)), QuickModeUp(Attempt(-1), behind_a_nat))[0]) == [2]


def test_a_quick_mode_for_what_nobody_holds_ends_nothing() -> None:
    new = from_port(PRESENT, 2)
    dmz = ChildState(pairs=(stands(from_port(FORMER, 3, "dmz")),))
    after, effects = told(about_to_stand(new, dmz=dmz), QuickModeUp(Attempt(-1), new))
    assert (standing(after), standing(after, "dmz")) == ([2], [3])
    assert effects == ["answer lan: up"]


def test_our_own_quick_mode_shows_nothing_of_where_the_peer_has_moved() -> None:
    new = replace(from_port(PRESENT, 2), initiator=True)
    after, _ = told(about_to_stand(new, stands(from_port(FORMER, 1))), QuickModeUp(Attempt(-1), new))
    assert standing(after) == [1, 2]


def test_another_part_of_a_template_replaces_the_former_part() -> None:
    new = from_port(PRESENT, 2, remote_selector=selector("10.2.0.128/25"))
    after, effects = told(about_to_stand(new, stands(from_port(PRESENT, 1))), QuickModeUp(Attempt(-1), new))
    assert standing(after) == [2]
    assert "say under B: delete d0000001" in effects


def test_a_second_part_under_the_same_isakmp_sa_is_one_too_many() -> None:
    new = from_port(PRESENT, 2, remote_selector=selector("10.2.0.128/25"))
    held = from_port(PRESENT, 1)
    assert clients.other_part(about_to_stand(new, stands(held, under=B)), Attempt(-1), new) == held.remote_selector
    assert clients.other_part(about_to_stand(new, stands(held, under=A)), Attempt(-1), new) is None


def test_who_is_displaced_is_told_where_its_pair_leads() -> None:
    before = peer(
        isakmp(A, path=path(FORMER)),
        isakmp(B, path=path(PRESENT)),
        lan=ChildState(pairs=(stands(from_port(FORMER, 1)),)),
    )
    after, effects = told(before, Displaced("lan", "192.0.2.7:4500"))
    assert standing(after) == []
    assert effects == ["say under A: delete d0000001"]
    assert "192.0.2.7:4500 asks for the same" in str(after.children["lan"].cause)


def test_a_quick_mode_under_way_of_who_is_displaced_ends() -> None:
    making = opening(1, -1)
    before = peer(isakmp(A), lan=ChildState(pairs=(making,)), modes={-1: mode("lan", ours=False)})
    _, effects = told(before, Displaced("lan", "192.0.2.7:4500"))
    assert [effect.split(":")[0] for effect in effects] == ["abort -1"]


def test_a_peer_holds_what_it_has_and_what_it_asks_for() -> None:
    asked = ipsec().selectors
    assert clients.holds(peer(lan=ChildState(pairs=(pair(1),))), "lan", asked, Attempt(9))
    assert clients.holds(peer(modes={9: mode()}), "lan", asked, Attempt(9))
    assert not clients.holds(peer(lan=ChildState()), "lan", asked, Attempt(9))


def test_a_peer_spoke_if_an_authenticated_message_came_within_30_seconds() -> None:
    assert clients.spoke(peer(isakmp(A, heard=NOW - 29.9)), NOW)
    assert not clients.spoke(peer(isakmp(A, heard=NOW - 30)), NOW)
