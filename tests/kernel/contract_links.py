"""What every `Links` must do with interfaces, addresses and routes, ours and others'."""

from dataclasses import replace
from ipaddress import IPv4Address, ip_interface, ip_network
from typing import Protocol

import pytest

from ikevd.errors import KernelRefused
from ikevd.host.links import LAST_METRIC, METRIC_6, Link, LinkAddress, Links, Route, Thing
from ikevd.policy.interface import MAIN_TABLE, InterfaceKind

HERE, PEER = IPv4Address("192.0.2.1"), IPv4Address("198.51.100.1")
ADDRESSES = [LinkAddress("tun", ip_interface("169.254.7.1/30")), LinkAddress("tun", ip_interface("fd00:7::1/64"))]
ROUTES = [
    Route(ip_network("10.2.0.0/16"), "tun", MAIN_TABLE, 0),
    Route(ip_network("0.0.0.0/0"), "tun", 100, 50),
    Route(ip_network("fd00:2::/48"), "tun", MAIN_TABLE, METRIC_6),
    Route(ip_network("::/0"), "tun", 1000, 50),
]
UNREACHABLE = [
    Route(ip_network("10.2.0.0/16"), None, MAIN_TABLE, LAST_METRIC),
    Route(ip_network("fd00:2::/48"), None, MAIN_TABLE, LAST_METRIC),
]


class LinkBench(Protocol):
    """A kernel without interfaces of ours, and what happens to it from outside."""

    @property
    def links(self) -> Links: ...

    @property
    def kind(self) -> InterfaceKind:
        """Which it can make."""

    def plant(self, link: Link) -> None:
        """Another program makes such an interface."""

    def take(self, name: str) -> None:
        """Another program removes an interface."""


def link_of(bench: LinkBench, name: str = "tun", *, number: int = 42, up: bool = True, owner: str = "berlin") -> Link:
    """An interface of the kind that the kernel has."""
    ends = (HERE, PEER) if bench.kind is InterfaceKind.VTI else (None, None)
    return Link(name, bench.kind, number, owner, up, *ends)


async def put_all(bench: LinkBench, *things: Thing) -> None:
    """One after the other."""
    for thing in things:
        await bench.links.put(thing)


class LinkContract:
    """Interfaces, addresses, routes."""

    async def test_the_kernel_has_the_kind_and_no_trial_of_it_is_left(self, bench: LinkBench) -> None:
        assert bench.kind in await bench.links.kinds()
        assert bench.kind in await bench.links.kinds()
        assert (await bench.links.read("ikevd-trial")).links == []

    async def test_an_interface_is_made_goes_up_and_down_and_is_removed(self, bench: LinkBench) -> None:
        for up in (False, True, True, False):
            link = link_of(bench, up=up)
            await bench.links.put(link)
            for found in (await bench.links.read("tun"), await bench.links.read_ours()):
                (one,) = found.links
                assert one.stands_as(link)
        await bench.links.remove(link)
        await bench.links.remove(link)
        assert (await bench.links.read("tun")).links == []

    async def test_addresses_and_routes_are_set_and_removed(self, bench: LinkBench) -> None:
        await bench.links.put(link_of(bench))
        things: list[Thing] = [*ADDRESSES, *UNREACHABLE, *ROUTES]
        for thing in (*things, *things):
            await bench.links.put(thing)
        found = await bench.links.read("tun")
        assert set(found.addresses) >= set(ADDRESSES)
        assert set(found.routes) == {*ROUTES, *UNREACHABLE}
        assert set((await bench.links.read_ours()).routes) == {*ROUTES, *UNREACHABLE}
        for thing in (*things, *things):
            await bench.links.remove(thing)
        found = await bench.links.read("tun")
        assert not set(found.addresses) & set(ADDRESSES)
        assert found.routes == []

    async def test_routes_go_as_their_interface_goes_down_and_what_is_unreachable_stays(self, bench: LinkBench) -> None:
        await bench.links.put(link_of(bench))
        await put_all(bench, *ADDRESSES, *UNREACHABLE, *ROUTES)
        await bench.links.put(link_of(bench, up=False))
        found = await bench.links.read("tun")
        assert set(found.routes) == set(UNREACHABLE)
        assert ADDRESSES[0] in found.addresses
        for route in UNREACHABLE:
            await bench.links.remove(route)
        assert (await bench.links.read("tun")).routes == []

    async def test_through_an_interface_that_is_down_or_gone_nothing_is_routed(self, bench: LinkBench) -> None:
        for step in (None, link_of(bench, up=False)):
            if step is not None:
                await bench.links.put(step)
            with pytest.raises(KernelRefused, match=r"10\.2\.0\.0/16 through tun .* the interface is not up"):
                await bench.links.put(ROUTES[0])

    async def test_a_route_of_that_metric_is_in_the_way(self, bench: LinkBench) -> None:
        await bench.links.put(link_of(bench))
        await bench.links.put(replace(ROUTES[0], link=None))
        with pytest.raises(KernelRefused, match=r"another one to this network has that metric .*another `metric`"):
            await bench.links.put(ROUTES[0])

    async def test_one_of_another_number_takes_the_place_of_ours(self, bench: LinkBench) -> None:
        await bench.links.put(link_of(bench, number=42))
        await bench.links.put(link_of(bench, number=43))
        (found,) = (await bench.links.read("tun")).links
        assert found.stands_as(link_of(bench, number=43))

    async def test_an_interface_that_somebody_made_as_just_this_one_is_adopted_set_up_and_left(
        self, bench: LinkBench
    ) -> None:
        bench.plant(link_of(bench))
        (before,) = (await bench.links.read("tun")).links
        for up in (False, True, False):
            await bench.links.put(link_of(bench, up=up))
            (found,) = (await bench.links.read("tun")).links
            assert found.stands_as(link_of(bench, up=up))
        await put_all(bench, *ROUTES)
        for route in ROUTES:
            await bench.links.remove(route)
        await bench.links.remove(link_of(bench))
        stands = await bench.links.read("tun")
        assert (stands.links, stands.routes) == ([replace(before, up=True)], [])
        assert (await bench.links.read_ours()).links == []

    async def test_an_address_of_an_interface_that_is_adopted_stays(self, bench: LinkBench) -> None:
        bench.plant(link_of(bench))
        await put_all(bench, link_of(bench), *ADDRESSES)
        for address in ADDRESSES:
            await bench.links.remove(address)
        assert set((await bench.links.read("tun")).addresses) >= set(ADDRESSES)

    async def test_anothers_interface_is_neither_taken_nor_removed(self, bench: LinkBench) -> None:
        bench.plant(link_of(bench, number=7))
        with pytest.raises(KernelRefused, match="somebody else has an interface of that name already"):
            await bench.links.put(link_of(bench))
        await bench.links.remove(link_of(bench))
        (found,) = (await bench.links.read("tun")).links
        assert not found.ours
        assert (await bench.links.read_ours()).links == []

    async def test_nor_is_that_of_another_connection(self, bench: LinkBench) -> None:
        await bench.links.put(link_of(bench))
        with pytest.raises(KernelRefused, match="connection berlin of an ikevd has an interface of that name"):
            await bench.links.put(link_of(bench, owner="paris"))
        await bench.links.remove(link_of(bench, owner="paris"))
        assert len((await bench.links.read("tun")).links) == 1

    async def test_a_number_that_is_taken_is_told(self, bench: LinkBench) -> None:
        bench.plant(link_of(bench, "other"))
        with pytest.raises(KernelRefused, match=r"another interface has .* already \(`ip -d link show type"):
            await bench.links.put(link_of(bench))

    async def test_an_interface_that_another_program_removes_is_gone_with_what_stood_on_it(
        self, bench: LinkBench
    ) -> None:
        await bench.links.put(link_of(bench))
        await put_all(bench, *ADDRESSES, *ROUTES)
        bench.take("tun")
        found = await bench.links.read("tun")
        assert (found.links, found.addresses, found.routes) == ([], [], [])
