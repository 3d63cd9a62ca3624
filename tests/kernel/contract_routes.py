"""What every `Routes` must do: a machine with 10.1.0.1 and fd00:1::1 on the side of its network, whose way to the peers
begins at `wire`, over 192.0.2.254 and 2001:db8::fe."""

from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Protocol

import pytest

from ikevd.errors import KernelRefused
from ikevd.host.links import METRIC_6
from ikevd.host.routes import PeerRoute, Routed, Routes, Rule, WantedRoute

HERE, PEER, GATEWAY = map(ip_address, ("192.0.2.1", "198.51.100.1", "192.0.2.254"))
HERE6, PEER6, GATEWAY6 = map(ip_address, ("2001:db8::1", "2001:db8:b::1", "2001:db8::fe"))
OWN, OWN6 = ip_address("10.1.0.1"), ip_address("fd00:1::1")
LAN, LAN6 = ip_network("10.1.0.0/24"), ip_network("fd00:1::/64")
WANTED = WantedRoute(ip_network("10.2.0.0/16"), PEER, HERE, (LAN,))
WANTED6 = WantedRoute(ip_network("fd00:2::/48"), PEER6, HERE6, (LAN6,), metric=METRIC_6)
ROUTE = PeerRoute(WANTED.to, 254, 0, "wire", GATEWAY, OWN)
ROUTE6 = PeerRoute(WANTED6.to, 254, METRIC_6, "wire", GATEWAY6, OWN6)
THINGS: list[Routed] = [
    PeerRoute(ip_network(PEER), 220, 0),
    PeerRoute(ip_network(PEER6), 220, METRIC_6),
    ROUTE,
    ROUTE6,
    replace(ROUTE, table=220, mtu=1380),
    replace(ROUTE6, table=1000, metric=7, mtu=1380),
    replace(ROUTE, to=ip_network("0.0.0.0/0"), table=220),
    replace(ROUTE, to=ip_network("10.5.0.0/16"), gateway=None, source=None),
    Rule(4, 220),
    Rule(6, 1000),
]


class RouteBench(Protocol):
    """That machine, and what happens to it from outside."""

    @property
    def routes(self) -> Routes: ...

    def plant(self, route: PeerRoute) -> None:
        """Another program sets a route."""


class RouteContract:
    """Routes and rules."""

    async def test_they_are_set_and_removed(self, bench: RouteBench) -> None:
        for thing in THINGS:
            await bench.routes.put(thing, instead=False)
            await bench.routes.put(thing, instead=False)
        assert await bench.routes.read() == {*THINGS}
        for thing in (*THINGS, *THINGS):
            await bench.routes.remove(thing)
        assert await bench.routes.read() == set()

    async def test_a_route_begins_as_the_way_to_the_peer_and_has_an_address_of_the_network(
        self, bench: RouteBench
    ) -> None:
        assert await bench.routes.resolve([WANTED, WANTED6]) == [ROUTE, ROUTE6]
        nowhere = replace(WANTED, within=(ip_network("10.9.0.0/16"),))
        assert await bench.routes.resolve([nowhere]) == [replace(ROUTE, source=None)]

    async def test_where_the_network_is_everything_the_source_is_that_which_the_way_has(
        self, bench: RouteBench
    ) -> None:
        everything = replace(WANTED, within=(ip_network("0.0.0.0/0"),))
        assert await bench.routes.resolve([everything]) == [replace(ROUTE, source=HERE)]

    async def test_of_sources_that_the_file_names_the_first_of_the_network_is_taken(self, bench: RouteBench) -> None:
        named = replace(WANTED, sources=(OWN6, ip_address("10.1.0.7"), OWN))
        assert await bench.routes.resolve([named]) == [replace(ROUTE, source=ip_address("10.1.0.7"))]

    async def test_a_gateway_of_another_ip_version_is_no_hop(self, bench: RouteBench) -> None:
        inner6 = replace(WANTED6, peer=PEER, local=HERE)
        assert await bench.routes.resolve([inner6]) == [replace(ROUTE6, gateway=None)]

    async def test_another_route_takes_the_place_of_ours_by_one_request(self, bench: RouteBench) -> None:
        await bench.routes.put(ROUTE, instead=False)
        await bench.routes.put(ROUTE6, instead=False)
        others = [replace(ROUTE, gateway=None, mtu=1400), replace(ROUTE6, mtu=1400)]
        for other in others:
            await bench.routes.put(other, instead=True)
        assert await bench.routes.read() == {*others}

    async def test_the_kernel_has_no_route_whose_source_is_not_ours(self, bench: RouteBench) -> None:
        with pytest.raises(KernelRefused, match=r"10\.1\.0\.7 is no address of this machine now; wanted one of its"):
            await bench.routes.put(replace(ROUTE, source=ip_address("10.1.0.7")), instead=False)

    async def test_somebody_elses_route_is_in_the_way_and_is_left_alone(self, bench: RouteBench) -> None:
        bench.plant(ROUTE)
        with pytest.raises(KernelRefused, match=r"somebody else's route .*`ip route show 10\.2\.0\.0/16 table 254`"):
            await bench.routes.put(ROUTE, instead=False)
        await bench.routes.remove(ROUTE)
        with pytest.raises(KernelRefused):
            await bench.routes.put(ROUTE, instead=False)
        assert await bench.routes.read() == set()

    async def test_somebody_elses_route_that_came_where_ours_stood_is_not_replaced(self, bench: RouteBench) -> None:
        for ours, other in ((ROUTE, replace(ROUTE, mtu=1400)), (ROUTE6, replace(ROUTE6, mtu=1400))):
            await bench.routes.put(ours, instead=False)
            await bench.routes.remove(ours)
            bench.plant(ours)
            with pytest.raises(KernelRefused, match="somebody else's route to this network"):
                await bench.routes.put(other, instead=True)
        assert await bench.routes.read() == set()

    async def test_where_routes_of_others_lead_is_known(self, bench: RouteBench) -> None:
        await bench.routes.put(ROUTE, instead=False)
        planted = replace(ROUTE, to=ip_network("10.7.0.0/16"))
        bench.plant(planted)
        assert await bench.routes.others([ip_network("10.0.0.0/13")]) >= {planted.to}
        assert ROUTE.to not in await bench.routes.others([ip_network("10.0.0.0/13")])
        assert planted.to not in await bench.routes.others([planted.to, ip_network("10.8.0.0/13")])
