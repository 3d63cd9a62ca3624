"""Route-based connections: the interface follows the tunnel and survives processes; in virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from ikevd.host.links import FoundLink
from ikevd.host.policies import Action, Direction
from ikevd.negotiation.link_side import LOOK_EVERY
from ikevd.policy.child import Start
from ikevd.policy.interface import InterfaceKind, bearing
from tests.gateways import bring_up
from tests.negotiation.mortal import tunnel
from tests.negotiation.route_based import (
    INTERFACE,
    NETWORK,
    OUT,
    THROUGH,
    UNREACHABLE,
    cause,
    routed,
    stands,
)
from tests.virtual_time import run


def test_the_interface_follows_the_tunnel() -> None:
    async def story() -> None:
        _, hers, _, alice, _ = await tunnel(routed())
        alice.engine.start()
        assert await stands(hers, up=True)
        alice.session.unwant("lan")
        assert await stands(hers, up=False)
        await bring_up(alice)
        assert await stands(hers, up=True)
        assert alice.troubles == []

    run(story())


def test_its_mtu_follows_the_way_to_the_peer() -> None:
    async def story() -> None:
        _, hers, _, alice, _ = await tunnel(routed())
        alice.engine.start()
        assert await stands(hers, up=True)
        assert hers.links.links["bob0"].mtu == 1438
        hers.links.path = 1400
        hers.links.changed()
        await asyncio.sleep(LOOK_EVERY)
        assert await stands(hers, up=True)
        assert hers.links.links["bob0"].mtu == 1326

    run(story())


def test_while_no_tunnel_stands_its_networks_are_unreachable() -> None:
    async def story() -> None:
        _, hers, _, alice, _ = await tunnel(routed())
        alice.session.unwant("lan")
        alice.engine.start()
        assert await stands(hers, up=False)

    run(story())


def test_what_a_routing_daemon_is_to_lead_somewhere_is_unreachable_too_and_never_routed() -> None:
    async def story() -> None:
        interface = replace(INTERFACE, routes=(), unreachable=(NETWORK,))
        _, hers, _, alice, _ = await tunnel(routed(interface))
        alice.engine.start()
        await asyncio.sleep(1)
        assert hers.links.links["bob0"].up
        assert hers.links.routes == [UNREACHABLE]

    run(story())


def test_but_not_where_its_traffic_may_leave_in_the_clear() -> None:
    async def story() -> None:
        _, hers, _, alice, _ = await tunnel(routed(fail_open=True))
        alice.engine.start()
        await asyncio.sleep(1)
        assert hers.links.routes == [THROUGH]
        alice.session.unwant("lan")
        await asyncio.sleep(1)
        assert hers.links.routes == []

    run(story())


def test_down_open_makes_them_reachable_by_another_route() -> None:
    async def story() -> None:
        _, hers, _, alice, _ = await tunnel(routed())
        alice.engine.start()
        alice.session.unwant("lan", in_clear=True)
        await asyncio.sleep(1)
        assert hers.links.routes == []

    run(story())


def test_a_packet_can_begin_the_tunnel_since_the_interface_is_up_for_it() -> None:
    async def story() -> None:
        _, hers, _, alice, _ = await tunnel(routed(start=Start.ON_DEMAND))
        alice.session.end()
        await asyncio.sleep(1)
        alice.engine.start()
        await asyncio.sleep(1)
        assert alice.pairs == 0
        assert await stands(hers, up=True)
        assert not hers.kernel.send(OUT)
        await asyncio.sleep(1)
        assert alice.pairs == 1
        assert hers.kernel.send(OUT)

    run(story())


@pytest.mark.parametrize("kind", InterfaceKind)
def test_policies_and_sas_are_for_what_passes_the_interface_alone(kind: InterfaceKind) -> None:
    async def story() -> None:
        interface = replace(INTERFACE, kind=kind)
        _, hers, _, alice, _ = await tunnel(routed(interface))
        alice.engine.start()
        await asyncio.sleep(1)
        if_id, mark = bearing(interface)
        policies = [policy for policy in hers.kernel.policies.values() if policy.action is not Action.BYPASS]
        assert {(policy.id.if_id, policy.id.mark) for policy in policies} == {(if_id, mark)}
        assert {sa.if_id for sa in hers.kernel.sas.values()} == {if_id}
        (out,) = (policy.id for policy in policies if policy.id.direction is Direction.OUT)
        assert hers.kernel.send(out)

    run(story())


@pytest.mark.parametrize("how", ["kill -9", "hand over"])
def test_another_process_goes_on_and_touches_nothing(how: str) -> None:
    async def story() -> None:
        _, hers, _, alice, _ = await tunnel(routed())
        alice.engine.start()
        assert await stands(hers, up=True)
        if how == "hand over":
            assert await alice.engine.hand_over()
        hers.links.done.clear()
        alice = await hers.restart()
        await asyncio.sleep(2 * LOOK_EVERY)
        assert await stands(hers, up=True)
        assert hers.links.done == []
        assert alice.pairs == 1

    run(story())


def test_the_stop_of_a_daemon_that_takes_all_down_leaves_nothing() -> None:
    async def story() -> None:
        _, hers, _, alice, _ = await tunnel(routed())
        alice.engine.start()
        assert await stands(hers, up=True)
        await alice.engine.stop()
        assert (hers.links.links, hers.links.routes, hers.links.addresses) == ({}, [], [])

    run(story())


def test_a_stop_in_the_middle_of_making_it_leaves_nothing_either() -> None:
    async def story() -> None:
        _, hers, _, alice, _ = await tunnel(routed())
        hers.links.takes = 1.3
        alice.engine.start()
        await asyncio.sleep(0.3)
        await alice.engine.stop()
        await asyncio.sleep(5)
        assert (hers.links.links, hers.links.routes, hers.links.addresses) == ({}, [], [])

    run(story())


@pytest.mark.parametrize("point", ["before links put", "after links put", "after links remove", "before links read"])
@pytest.mark.parametrize("passes", [1, 2, 3, 4])
def test_whoever_is_killed_while_it_is_made_leaves_the_rest_to_the_next(point: str, passes: int) -> None:
    async def story() -> None:
        _, hers, _, alice, _ = await tunnel(routed())
        alice.session.unwant("lan")
        hers.kill_at(point, passes)
        await hers.restart()
        await asyncio.sleep(30)
        alice = await hers.restart()
        await bring_up(alice)
        assert await stands(hers, up=True)
        hers.connections = ()
        await hers.restart()
        await asyncio.sleep(20)
        assert (hers.links.links, hers.links.routes, hers.links.addresses) == ({}, [], [])

    run(story())


def test_what_a_lost_store_knew_of_is_removed_too() -> None:
    async def story() -> None:
        _, hers, _, alice, _ = await tunnel(routed())
        alice.engine.start()
        assert await stands(hers, up=True)
        anothers = FoundLink("paris0", 7, False, InterfaceKind.XFRM, 43, "", True, 1500)
        hers.links.plant(anothers)
        hers.connections = ()
        hers.disk = type(hers.disk)()
        await hers.restart()
        await asyncio.sleep(1)
        assert list(hers.links.links.values()) == [anothers]
        assert hers.links.routes == []

    run(story())


# -- in another network namespace


IN_RED = replace(INTERFACE, namespace="red")


def test_a_namespace_that_is_gone_is_told_and_the_interface_is_there_soon_after_it_has_come_back() -> None:
    async def story() -> None:
        _, hers, _, alice, _ = await tunnel(routed(IN_RED))
        hers.links.gone.add("red")
        alice.engine.start()
        await asyncio.sleep(3 * LOOK_EVERY)
        assert "no network namespace red" in cause(alice)
        assert len(alice.troubles) == 1
        hers.links.gone.clear()
        await asyncio.sleep(LOOK_EVERY)
        assert [link.namespace for link in hers.links.links.values()] == ["red"]
        assert cause(alice) == ""

    run(story())


def test_what_goes_there_is_seen_though_nobody_tells_it() -> None:
    async def story() -> None:
        _, hers, _, alice, _ = await tunnel(routed(IN_RED))
        alice.engine.start()
        await asyncio.sleep(1)
        hers.links.changed = lambda: None
        hers.links.take(["bob0"])
        await asyncio.sleep(LOOK_EVERY)
        assert hers.links.links["bob0"].up

    run(story())
