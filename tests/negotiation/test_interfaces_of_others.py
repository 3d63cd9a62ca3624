"""Interfaces, addresses and routes that others take, change or had before: told, put back or left alone."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from ipaddress import ip_network

import pytest

from ikevd.host.links import FoundLink, Route
from ikevd.negotiation.contest import PUT_BACK, WITHIN
from ikevd.negotiation.link_side import LOOK_EVERY
from ikevd.policy.interface import InterfaceKind
from tests.gateways import reload
from tests.negotiation.mortal import tunnel
from tests.negotiation.route_based import (
    ADDRESS,
    INTERFACE,
    NETWORK,
    THROUGH,
    UNREACHABLE,
    cause,
    routed,
    stands,
)
from tests.virtual_time import run


def test_an_interface_that_somebody_removes_is_made_again_three_times_a_minute() -> None:
    async def story() -> None:
        _, hers, _, alice, _ = await tunnel(routed())
        alice.engine.start()
        for _ in range(PUT_BACK):
            assert await stands(hers, up=True)
            await asyncio.sleep(LOOK_EVERY)
            hers.links.take(["bob0"])
            await asyncio.sleep(LOOK_EVERY)
        assert await stands(hers, up=True)
        assert [said for said in alice.troubles if "the interface bob0 is gone" in said]
        await asyncio.sleep(LOOK_EVERY)
        hers.links.take(["bob0"])
        await asyncio.sleep(LOOK_EVERY)
        assert "more than 3 times in 60 s" in cause(alice)
        assert hers.links.links == {}
        assert hers.links.routes == [UNREACHABLE]
        await asyncio.sleep(WITHIN)
        assert await stands(hers, up=True)
        assert cause(alice) == ""
        assert alice.pairs == 1

    run(story())


def test_a_route_that_somebody_removes_is_set_again() -> None:
    async def story() -> None:
        _, hers, _, alice, _ = await tunnel(routed())
        alice.engine.start()
        assert await stands(hers, up=True)
        hers.links.routes.remove(THROUGH)
        hers.links.changed()
        await asyncio.sleep(LOOK_EVERY)
        assert await stands(hers, up=True)

    run(story())


def test_changes_of_this_machine_cost_a_look_each_five_seconds() -> None:
    async def story() -> None:
        _, hers, _, alice, _ = await tunnel(routed())
        alice.engine.start()
        assert await stands(hers, up=True)
        looks = 0

        def count() -> None:
            nonlocal looks
            looks += 1

        hers.links.looked = count
        for _ in range(300):
            hers.links.changed()
            await asyncio.sleep(0.1)
        assert looks <= 30 / LOOK_EVERY + 1

    run(story())


def test_an_if_id_that_is_taken_is_told_and_heals() -> None:
    async def story() -> None:
        _, hers, _, alice, _ = await tunnel(routed())
        hers.links.plant(FoundLink("other", 7, False, InterfaceKind.XFRM, 42, "", True, 1500))
        alice.engine.start()
        await asyncio.sleep(1)
        assert "another interface has that if_id already" in cause(alice)
        assert len([said for said in alice.troubles if "that if_id" in said]) == 1
        assert alice.pairs == 1
        hers.links.take(["other"])
        await asyncio.sleep(LOOK_EVERY)
        assert await stands(hers, up=True)
        assert cause(alice) == ""

    run(story())


def test_of_a_route_that_cannot_be_set_the_others_know_nothing() -> None:
    async def story() -> None:
        further = ip_network("10.3.0.0/16")
        _, hers, _, alice, _ = await tunnel(routed(replace(INTERFACE, routes=(NETWORK, further))))
        rival = Route(NETWORK, "eth0", 254, 0)
        hers.links.plant_route(rival)
        alice.engine.start()
        await asyncio.sleep(1)
        assert "another one to this network has that metric" in cause(alice)
        assert Route(further, "bob0", 254, 0) in hers.links.routes
        hers.links.routes.remove(rival)
        await asyncio.sleep(60)
        assert THROUGH in hers.links.routes
        assert cause(alice) == ""

    run(story())


def test_a_kernel_without_the_feature_is_told_what_to_do_and_the_tunnel_stands() -> None:
    async def story() -> None:
        _, hers, _, alice, _ = await tunnel(routed())
        hers.links.lacking.add(InterfaceKind.XFRM)
        alice.engine.start()
        await asyncio.sleep(1)
        assert "this kernel has none of that kind (module xfrm_interface)" in cause(alice)
        assert alice.pairs == 1
        hers.links.lacking.clear()
        await asyncio.sleep(60)
        assert await stands(hers, up=True)

    run(story())


def test_an_interface_that_was_made_for_it_is_adopted_and_outlives_it() -> None:
    async def story() -> None:
        _, hers, _, alice, _ = await tunnel(routed())
        made = FoundLink("bob0", 7, False, InterfaceKind.XFRM, 42, "by networkd", True, 1500)
        hers.links.plant(made)
        alice.engine.start()
        await asyncio.sleep(1)
        assert set(hers.links.routes) == {UNREACHABLE, THROUGH}
        alice.session.unwant("lan")
        await asyncio.sleep(1)
        assert hers.links.routes == [UNREACHABLE]
        assert (hers.links.links, cause(alice)) == ({"bob0": made}, "")
        await reload(alice)
        await asyncio.sleep(1)
        assert (hers.links.links, hers.links.routes, hers.links.addresses) == ({"bob0": made}, [], [ADDRESS])

    run(story())


def test_anothers_interface_of_that_name_is_left_alone() -> None:
    async def story() -> None:
        _, hers, _, alice, _ = await tunnel(routed())
        anothers = FoundLink("bob0", 7, False, None, 0, "", True, 1500)
        hers.links.plant(anothers)
        alice.engine.start()
        await asyncio.sleep(1)
        assert "somebody else has an interface of that name already" in cause(alice)
        await reload(alice)
        await alice.engine.stop()
        assert hers.links.links == {"bob0": anothers}

    run(story())


@pytest.mark.parametrize("kind", [InterfaceKind.XFRM, None], ids=["adopted", "another's"])
def test_an_address_that_stood_on_an_interface_that_is_not_ours_stays(kind: InterfaceKind | None) -> None:
    async def story() -> None:
        _, hers, _, alice, _ = await tunnel(routed())
        hers.links.plant(FoundLink("bob0", 7, False, kind, 42, "", True, 1500))
        hers.links.addresses.append(ADDRESS)
        alice.engine.start()
        await asyncio.sleep(1)
        await reload(alice)
        await asyncio.sleep(1)
        assert hers.links.addresses == [ADDRESS]

    run(story())


def test_a_connection_without_an_interface_asks_nothing_of_the_links_of_this_machine() -> None:
    async def story() -> None:
        _, hers, _, alice, _ = await tunnel()
        alice.engine.start()
        hers.links.changed()
        await asyncio.sleep(10)
        assert hers.links.done == []
        assert alice.session.state.unlinked is None

    run(story())
