"""Which routes may not be set: what a peer chose is its own, and no route is the way to another peer."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from ikevd.host.route_claims import MAX_SPARED, Claims
from ikevd.host.routes import PeerRoute, Rule, WantedRoute

PEER, OTHER = ip_address("198.51.100.1"), ip_address("203.0.113.2")
LAN, DMZ = ip_network("10.1.0.0/24"), ip_network("10.9.0.0/16")
CLIENTS = ip_network("10.0.0.0/8")
OTHERS = (LAN, DMZ, ip_network("10.1.0.1/32"), CLIENTS, ip_network("172.16.0.0/12"), ip_network("fd00:1::/64"))


def asked(to: str, inside: str = "10.0.0.0/8") -> WantedRoute:
    return WantedRoute(ip_network(to), PEER, None, (LAN,), inside=ip_network(inside))


def given(to: str, table: int = 254) -> WantedRoute:
    return WantedRoute(ip_network(to), PEER, None, (LAN,), table=table)


@pytest.mark.parametrize(
    "to", ["10.1.0.53/32", "10.1.0.0/25", "10.1.0.0/24", "10.0.0.0/9", "10.9.3.0/24", "10.8.0.0/15"]
)
def test_a_peer_gets_no_route_to_what_another_route_leads_to(to: str) -> None:
    told = Claims(OTHERS, ()).admit(asked(to))
    assert isinstance(told, str)
    assert f"the peer at {PEER} asks for {to}, and another route of this machine leads to 10." in told


def test_it_does_to_what_only_a_route_to_all_of_the_networks_of_peers_covers() -> None:
    assert Claims(OTHERS, ()).admit(asked("10.7.0.0/24")) == asked("10.7.0.0/24")


def test_what_the_file_says_stands_beside_routes_of_others() -> None:
    assert Claims(OTHERS, ()).admit(given("10.9.3.0/24")) == given("10.9.3.0/24")


def test_ip_versions_are_told_apart() -> None:
    other = replace(asked("fd00:1::/80", "fd00::/16"), within=())
    assert isinstance(Claims(OTHERS, ()).admit(other), str)
    assert Claims(OTHERS, ()).admit(replace(other, to=ip_network("fd00:2::/80"))) == replace(
        other, to=ip_network("fd00:2::/80")
    )


@pytest.mark.parametrize(
    "wanted", [asked("203.0.113.0/24", "0.0.0.0/0"), given("203.0.113.0/24")], ids=["asked", "given"]
)
def test_no_route_of_table_main_is_the_way_to_another_peer(wanted: WantedRoute) -> None:
    told = Claims((), (PEER, OTHER)).admit(wanted)
    assert isinstance(told, str)
    assert "would be the way to 203.0.113.2 too" in told


def test_in_a_table_of_its_own_other_peers_are_left_out() -> None:
    found = Claims((), (OTHER, PEER, OTHER)).admit(given("0.0.0.0/0", 220))
    assert isinstance(found, WantedRoute)
    aside = [PeerRoute(ip_network(peer), 220, 0) for peer in (PEER, OTHER)]
    assert found.beside == (*aside, Rule(4, 220))


def test_not_more_of_them_than_a_table_should_have() -> None:
    peers = [ip_address("203.0.113.0") + number for number in range(MAX_SPARED + 1)]
    assert isinstance(Claims((), peers).admit(given("0.0.0.0/0", 220)), str)
