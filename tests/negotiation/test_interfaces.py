"""Route-based connections: the interface follows the tunnel, survives processes, and heals; in virtual time."""

from __future__ import annotations

import asyncio
import errno
from dataclasses import replace
from ipaddress import ip_interface, ip_network

import pytest

from ikevd.host.links import LAST_METRIC, FoundLink, LinkAddress, Route
from ikevd.host.policies import Action, Direction, PolicyId
from ikevd.negotiation.contest import PUT_BACK, WITHIN
from ikevd.negotiation.link_side import LOOK_EVERY
from ikevd.observe.words import say
from ikevd.policy.child import Child, Start
from ikevd.policy.connection import Connection
from ikevd.policy.interface import Interface, InterfaceKind, bearing
from tests.builders import NO_DPD, child, connection
from tests.gateways import Gateway, bring_up, reload
from tests.negotiation.mortal import Machine, tunnel
from tests.virtual_time import run

NETWORK = ip_network("10.2.0.0/16")
ADDRESS = LinkAddress("bob0", ip_interface("169.254.7.1/30"))
THROUGH, UNREACHABLE = Route(NETWORK, "bob0", 254, 0), Route(NETWORK, None, 254, LAST_METRIC)
EVERYTHING = ip_network("0.0.0.0/0")
OUT = PolicyId(EVERYTHING, EVERYTHING, 0, 0, 0, Direction.OUT, 42)
INTERFACE = Interface("bob0", 42, InterfaceKind.XFRM, (ADDRESS.address,), (NETWORK,))


def everything(interface: Interface = INTERFACE, **changes: object) -> Child:
    """0.0.0.0/0 === 0.0.0.0/0, of that interface."""
    if_id, mark = bearing(interface)
    return child("0.0.0.0/0", "0.0.0.0/0", if_id=if_id, mark=mark, **changes)


def routed(interface: Interface = INTERFACE, **changes: object) -> Connection:
    return connection(children=(everything(interface, **changes),), interface=interface, dpd=NO_DPD)


async def stands(machine: Machine, *, up: bool) -> bool:
    """All of it, and nothing else."""
    await asyncio.sleep(1)
    links = machine.links
    found = [(link.name, link.ours, link.owner, link.number, link.up) for link in links.links.values()]
    if found != [("bob0", True, "bob", 42, up)] or (up and links.addresses != [ADDRESS]):
        return False
    return set(links.routes) == ({UNREACHABLE, THROUGH} if up else {UNREACHABLE})


def cause(gateway: Gateway) -> str:
    """Why the interface does not stand."""
    found = gateway.session.state.unlinked
    return say(found) if found else ""


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


# -- another file ------------------------------------------------------------------------------------------------------


def test_other_routes_and_addresses_are_a_difference_of_which_the_tunnel_sees_nothing() -> None:
    async def story() -> None:
        _, hers, _, alice, _ = await tunnel(routed())
        alice.engine.start()
        assert await stands(hers, up=True)
        sas = set(hers.kernel.sas)
        other = replace(
            INTERFACE, routes=(NETWORK, ip_network("10.3.0.0/16")), addresses=(ip_interface("169.254.7.5/30"),)
        )
        await reload(alice, routed(other))
        await asyncio.sleep(1)
        assert [str(one.address) for one in hers.links.addresses] == ["169.254.7.5/30"]
        assert {str(route.to) for route in hers.links.routes if route.link} == {"10.2.0.0/16", "10.3.0.0/16"}
        await reload(alice, routed())
        assert await stands(hers, up=True)
        assert set(hers.kernel.sas) == sas

    run(story())


def test_a_connection_that_leaves_takes_its_interface_with_it() -> None:
    async def story() -> None:
        _, hers, _, alice, _ = await tunnel(routed())
        alice.engine.start()
        assert await stands(hers, up=True)
        await reload(alice)
        await asyncio.sleep(1)
        assert (hers.links.links, hers.links.routes, hers.links.addresses) == ({}, [], [])

    run(story())


def test_a_connection_may_get_an_interface_and_lose_it_again() -> None:
    async def story() -> None:
        _, hers, _, alice, _ = await tunnel(connection(children=(child("0.0.0.0/0", "0.0.0.0/0"),), dpd=NO_DPD))
        alice.engine.start()
        await reload(alice, routed(start=Start.ALWAYS))
        await asyncio.sleep(30)
        assert await stands(hers, up=True)
        await reload(alice, connection(children=(child("0.0.0.0/0", "0.0.0.0/0"),), dpd=NO_DPD))
        await asyncio.sleep(1)
        assert (hers.links.links, hers.links.routes, hers.links.addresses) == ({}, [], [])

    run(story())


def test_another_name_is_another_interface() -> None:
    async def story() -> None:
        _, hers, _, alice, _ = await tunnel(routed())
        alice.engine.start()
        assert await stands(hers, up=True)
        await reload(alice, routed(replace(INTERFACE, name="tun7")))
        await asyncio.sleep(1)
        assert list(hers.links.links) == ["tun7"]
        assert {route.link for route in hers.links.routes} == {"tun7", None}
        assert alice.troubles == []

    run(story())


def test_what_the_kernel_does_not_remove_is_tried_again() -> None:
    async def story() -> None:
        _, hers, _, alice, _ = await tunnel(routed())
        alice.engine.start()
        assert await stands(hers, up=True)
        hers.links.stuck = errno.EBUSY
        await reload(alice)
        await asyncio.sleep(1)
        assert "is still there" in alice.troubles[-1]
        hers.links.stuck = 0
        await asyncio.sleep(5)
        assert (hers.links.links, hers.links.routes) == ({}, [])

    run(story())


# -- what others do ----------------------------------------------------------------------------------------------------


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
