"""Which routes follow the children of a peer, by its state alone."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from ikevd.addresses import Address
from ikevd.host.links import METRIC_6
from ikevd.host.routes import PeerRoute, Rule, WantedRoute
from ikevd.peer.child_state import ChildState, Half, PairState
from ikevd.peer.routes import desired_routes
from ikevd.peer.state import PeerState
from ikevd.policy.child import Child
from ikevd.policy.child_route import ChildRoute
from ikevd.policy.selectors import TrafficSelector
from tests.builders import ALICE, BOB, child, connection
from tests.peer.records import KEY, A, ipsec, isakmp

DOWN, AUTO = ChildState(), ChildRoute()


def wanted(one: Child, state: ChildState = DOWN, *, yields: bool = False) -> list[str]:
    """The networks."""
    return [str(found.to) for found in routes(one, state, yields=yields)]


def routes(one: Child, state: ChildState = DOWN, *, yields: bool = False) -> tuple[WantedRoute, ...]:
    peer = PeerState(KEY, children={one.name: state})
    return desired_routes(connection(children=(one,)), peer, lambda _: yields)


def led(route: ChildRoute = AUTO, **changes: Any) -> Child:
    return child(route=route, **changes)


def test_a_child_without_a_route_has_none() -> None:
    assert wanted(child()) == []


def test_a_child_that_is_down_and_blocked_has_its_route() -> None:
    assert wanted(led()) == ["10.2.0.0/24"]


def test_one_whose_traffic_may_leave_in_the_clear_has_none_while_it_is_down() -> None:
    assert wanted(led(fail_open=True)) == []
    assert wanted(led(), replace(DOWN, open=True)) == []


def test_one_whose_policies_are_a_backups_has_none() -> None:
    assert wanted(led(), yields=True) == []


def test_a_range_is_several_networks() -> None:
    hosts = TrafficSelector(ip_address("10.2.0.1"), ip_address("10.2.0.6"))
    assert wanted(replace(led(), remote=hosts)) == ["10.2.0.1/32", "10.2.0.2/31", "10.2.0.4/31", "10.2.0.6/32"]


def test_what_covers_the_peer_needs_a_table_of_its_own_where_the_peer_is_left_out() -> None:
    assert wanted(led(remote="0.0.0.0/0")) == []
    (found,) = routes(led(ChildRoute(table=220), remote="0.0.0.0/0"))
    assert found.beside == (PeerRoute(ip_network(BOB), 220, 0), Rule(4, 220))


def test_the_peer_alone_is_never_routed() -> None:
    assert wanted(led(ChildRoute(table=220), remote=f"{BOB}/32")) == []


def test_ipv6_has_the_metric_that_the_kernel_makes_of_none() -> None:
    (found,) = routes(led(local="fd00:1::/64", remote="fd00:2::/64"))
    assert (found.metric, found.peer, found.local) == (METRIC_6, BOB, ALICE)
    assert found.beside == ()


@pytest.mark.parametrize("places", [(BOB,), ("bob.example", BOB)], ids=["an address", "a name before it"])
def test_a_peer_of_several_places_has_its_route_while_it_is_down(places: tuple[Address | str, ...]) -> None:
    called = connection(children=(led(),), remote=None, places=places)
    (found,) = desired_routes(called, PeerState(KEY), lambda _: False)
    assert found.peer == BOB


def test_that_leads_to_where_it_was_seen_last() -> None:
    called = connection(children=(led(),), remote=None, places=(ALICE, "bob.example"))
    (found,) = desired_routes(called, PeerState(KEY, isakmp={A: isakmp(A)}), lambda _: False)
    assert found.peer == BOB


def test_what_a_client_asked_for_is_told_from_what_the_file_says() -> None:
    roads = led(remote="10.64.0.0/10", template=True)
    part = TrafficSelector.of(ip_network("10.64.7.0/24"))
    pair = PairState(replace(ipsec(1), remote_selector=part), A, Half.BOTH, born=1.0, expires=9e9, attempt=None)
    hub = connection(children=(roads,), remote=None)
    (found,) = desired_routes(hub, PeerState(KEY, children={"lan": ChildState(pairs=(pair,))}), lambda _: False)
    assert (str(found.to), str(found.inside)) == ("10.64.7.0/24", "10.64.0.0/10")
