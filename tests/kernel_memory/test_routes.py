"""The contract of `Routes` on the one in memory, and the octets of rtnetlink."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from ikevd.host.links import Route
from ikevd.host.routes import PeerRoute, Rule
from ikevd.kernel.memory_routes import MemoryRoutes
from ikevd.kernel.netlink import attribute
from ikevd.kernel.peer_route_messages import build_peer_route, build_rule, read_peer_route, read_rule
from ikevd.kernel.routes import build_route, read_route
from tests.kernel.contract_routes import GATEWAY, GATEWAY6, OWN, OWN6, THINGS, RouteContract


class MemoryRouteBench:
    def __init__(self) -> None:
        self.routes = MemoryRoutes((OWN, OWN6), GATEWAY, GATEWAY6)
        self.routes.link = "wire"

    def plant(self, route: PeerRoute) -> None:
        self.routes.taken.add(route.place)


class TestMemoryRoutes(RouteContract):
    @pytest.fixture
    def bench(self) -> MemoryRouteBench:
        return MemoryRouteBench()


@pytest.mark.parametrize("thing", THINGS, ids=str)
def test_each_is_read_as_it_is_built(thing: PeerRoute | Rule) -> None:
    if isinstance(thing, Rule):
        assert read_rule(build_rule(thing)) == thing
    else:
        index = 7 if thing.link is not None else None
        assert read_peer_route(build_peer_route(thing, index), lambda _: "wire") == thing


def test_routes_of_interfaces_and_of_others_are_none_of_these() -> None:
    routed = Route(ip_network("10.2.0.0/16"), "tun", 254, 0)
    assert read_peer_route(build_route(routed, 7), lambda _: "tun") is None
    (thing, *_) = (one for one in THINGS if isinstance(one, PeerRoute) and one.link)
    assert read_route(build_peer_route(thing, 7), lambda _: "wire") is None
    assert read_rule(build_rule(Rule(4, 220)).replace(attribute(21, bytes([206])), b"")) is None
