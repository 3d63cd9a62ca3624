"""Where the peer is: a new port of the NAT in front of it, and nothing else, moves what went by the former one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikevd.addresses import Endpoint, Path
from ikevd.errors import Said
from ikevd.peer.child_state import ChildState, Half
from ikevd.peer.exchange_facts import Opening, QuickModeUp
from ikevd.peer.exchange_state import Attempt
from ikevd.peer.message_facts import Heard, HeardDpd
from ikevd.peer.notices import r_u_there_ack
from ikevd.peer.path_facts import Mapped, Unmovable
from ikevd.sa.model import UdpEncapsulation
from tests.builders import ALICE, BOB
from tests.peer.mapped import ELSEWHERE, behind_nat, in_udp, path, ports, up
from tests.peer.records import A, B, ipsec, mode, ours, pair, peer, theirs, told

MOVED = (
    "record of A: what the peer sends comes from 198.51.100.1:40002 now, before from 198.51.100.1:40001: the NAT in "
    "front of it has made a new mapping; 1 IPsec SA pair went there, and what is sent does so from now on"
)


def test_a_message_from_another_port_takes_the_pairs_along() -> None:
    after, effects = told(peer(behind_nat(), lan=up(in_udp())), Heard(A, path(40002)))
    assert after.isakmp[A].path == path(40002)
    assert ports(after) == [40002]
    assert effects == ["follow A to 198.51.100.1:40002", MOVED]


def test_so_does_a_packet_and_the_isakmp_sa_with_them() -> None:
    before = peer(behind_nat(), lan=up(in_udp()))
    after, effects = told(before, Mapped("lan", ours(), Endpoint(BOB, 40002)))
    assert after.isakmp[A].path == path(40002)
    assert after.isakmp[A].heard == before.isakmp[A].heard, "a packet is no message"
    assert ports(after) == [40002]
    assert effects == ["follow A to 198.51.100.1:40002", MOVED]


@pytest.mark.parametrize("fact", [Heard(A, path(40002)), Mapped("lan", ours(1), Endpoint(BOB, 40002))])
def test_all_that_went_by_the_former_port_follows_and_nothing_else(fact: Heard | Mapped) -> None:
    apart = in_udp(4, 41000)
    before = peer(behind_nat(), behind_nat(B), lan=up(in_udp(1), in_udp(2)), dmz=up(in_udp(3), apart))
    after, _ = told(before, fact)
    assert [known.path.remote.port for known in after.isakmp.values()] == [40002, 40002]
    assert ports(after) == [40002, 40002, 40002, 41000]


def test_a_pair_outlives_its_isakmp_sa_and_still_follows() -> None:
    after, effects = told(peer(lan=up(in_udp())), Mapped("lan", ours(), Endpoint(BOB, 40002)))
    assert ports(after) == [40002]
    assert effects == []


def test_without_a_nat_in_front_of_the_peer_nothing_follows() -> None:
    before = peer(behind_nat(port=4500, remote=False), lan=up(in_udp(port=4500, behind_nat=False)))
    moved = path(4501)
    for fact in (Heard(A, moved), HeardDpd(A, r_u_there_ack(A, bytes(4)), moved), Mapped("lan", ours(), moved.remote)):
        after, effects = told(before, fact)
        assert (ports(after), after.isakmp[A].path) == ([4500], path(4500))
        assert effects == []


def test_nor_does_what_is_made_by_a_quick_mode_that_came_from_another_port() -> None:
    here = in_udp(1, 4500, attempt=Attempt(7), behind_nat=False)
    before = peer(behind_nat(port=4500, remote=False), lan=up(here), modes={7: mode()})
    after, _ = told(before, Heard(A, path(4501)), QuickModeUp(Attempt(7), here.sa))
    assert (ports(after), after.isakmp[A].path) == ([4500], path(4500))


def test_where_a_nat_is_in_front_of_us_the_peer_goes_to_port_4500_with_us() -> None:
    known = behind_nat(remote=False)
    before = Path(Endpoint(ALICE, 500), Endpoint(BOB, 500))
    after, _ = told(peer(replace(known, path=before)), Heard(A, path(4500)))
    assert after.isakmp[A].path == path(4500)


def test_a_pair_that_is_not_in_udp_stays_where_it_was_made() -> None:
    """As of AH, which no NAT lets pass: no port and no address of it moves, whatever its ISAKMP SA does."""
    plain = pair(1, behind_nat=True)
    before = peer(behind_nat(), lan=up(plain))
    for fact in (Heard(A, path(40002)), Mapped("lan", ours(), Endpoint(BOB, 40002))):
        after, _ = told(before, fact)
        assert after.children["lan"].pairs == (plain,)


@pytest.mark.parametrize(
    "now",
    [Endpoint(BOB, 40001), Endpoint(ELSEWHERE, 40001), Endpoint(ELSEWHERE, 40002)],
    ids=["the same place", "another address", "another address and port"],
)
def test_a_packet_moves_no_pair_but_to_another_port(now: Endpoint) -> None:
    after, _ = told(peer(behind_nat(), lan=up(in_udp())), Mapped("lan", ours(), now))
    assert [pair.sa for pair in after.children["lan"].pairs] == [in_udp().sa]


def test_a_packet_moves_no_pair_of_plain_esp_and_none_that_is_gone() -> None:
    before = peer(behind_nat(), lan=up(pair(1, behind_nat=True)))
    for spi in (ours(1), ours(9)):
        assert told(before, Mapped("lan", spi, Endpoint(BOB, 40002))) == (before, [])


def test_a_pair_knows_by_its_isakmp_sa_whether_a_nat_is_in_front_of_the_peer() -> None:
    for remote in (True, False):
        before = peer(behind_nat(remote=remote), lan=ChildState(), modes={7: mode(None)})
        after, _ = told(before, Opening(Attempt(7), ipsec(1, encap=UdpEncapsulation(4500, 40001)), Half.INBOUND))
        assert [made.behind_nat for made in after.children["lan"].pairs] == [remote]


def test_a_pair_that_was_made_by_a_port_that_is_past_goes_by_the_new_one() -> None:
    made = ipsec(1, encap=UdpEncapsulation(4500, 40001))
    half_made = in_udp(1, attempt=Attempt(7))
    before = peer(behind_nat(port=40002), lan=up(half_made), modes={7: mode()})
    after, _ = told(before, QuickModeUp(Attempt(7), made))
    assert ports(after) == [40002]


def test_a_pair_that_the_kernel_cannot_move_is_made_anew() -> None:
    before = peer(behind_nat(), lan=up(in_udp()))
    after, effects = told(before, Unmovable("lan", theirs(), Said("the kernel is locked down")))
    assert after.children["lan"].pairs == ()
    assert "say under A: delete d0000001" in effects
    assert "begin lan as 11 under A" in effects
