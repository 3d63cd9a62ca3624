"""The contract of `Routes` on Linux."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network

import pytest

from ikevd.host.routes import PeerRoute
from ikevd.kernel.peer_routes import LinuxRoutes
from tests.kernel.contract_routes import ROUTE, WANTED, RouteBench, RouteContract
from tests.kernel.namespaces import Namespace

pytestmark = pytest.mark.kernel


class LinuxRouteBench:
    def __init__(self, namespace: Namespace) -> None:
        self.namespace = namespace
        self.routes = LinuxRoutes()
        namespace.ip(
            "link add wire type dummy",
            "link add lan type dummy",
            "addr add 192.0.2.1/24 dev wire",
            "addr add 2001:db8::1/64 dev wire nodad",
            "addr add 10.1.0.1/24 dev lan",
            "addr add fd00:1::1/64 dev lan nodad",
            "link set wire up",
            "link set lan up",
            "route add default via 192.0.2.254",
            "route add default via 2001:db8::fe",
        )
        with namespace.entered():
            self.routes.open()

    def plant(self, route: PeerRoute) -> None:
        self.namespace.ip(f"route add {route.to} via {route.gateway} metric {route.metric}")


@pytest.fixture
def linux(namespace: Namespace) -> Iterator[LinuxRouteBench]:
    with (bench := LinuxRouteBench(namespace)).routes:
        yield bench


class TestLinuxRoutes(RouteContract):
    @pytest.fixture
    def bench(self, linux: LinuxRouteBench) -> RouteBench:
        return linux


async def test_without_a_way_to_the_peer_or_with_another_end_there_is_no_route(linux: LinuxRouteBench) -> None:
    linux.namespace.ip("addr del 192.0.2.1/24 dev wire")
    assert await linux.routes.resolve([WANTED]) == [None]
    linux.namespace.ip("addr add 192.0.2.1/24 dev wire")
    assert await linux.routes.resolve([WANTED]) == [None]


async def test_a_route_goes_with_its_interface_and_that_is_no_failure(linux: LinuxRouteBench) -> None:
    await linux.routes.put(ROUTE, instead=False)
    linux.namespace.ip("link del wire")
    await linux.routes.remove(ROUTE)
    assert await linux.routes.read() == set()


async def test_iproute2_shows_it_as_meant(linux: LinuxRouteBench) -> None:
    await linux.routes.put(ROUTE, instead=False)
    shown = linux.namespace.run("ip", "route", "get", "10.2.0.1")
    assert "10.2.0.1 via 192.0.2.254 dev wire src 10.1.0.1" in shown


async def test_networks_and_addresses_of_this_machine_are_somebodys(linux: LinuxRouteBench) -> None:
    linux.namespace.ip("route add unreachable 10.6.0.0/16")
    found = await linux.routes.others([ip_network("0.0.0.0/0"), ip_network("::/0")])
    for mine in ("192.0.2.0/24", "192.0.2.1/32", "10.1.0.0/24", "10.1.0.1/32", "fd00:1::/64", "fd00:1::1/128"):
        assert ip_network(mine) in found
    assert ip_network("10.6.0.0/16") not in found, "it leads nowhere"
