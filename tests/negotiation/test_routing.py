"""Routes that follow policy-based tunnels, and survive processes; in virtual time."""

from __future__ import annotations

import asyncio
import errno
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from ikevd.host.routes import PeerRoute, Rule
from ikevd.negotiation.rounds import LOOK_EVERY
from ikevd.policy.child import Child
from ikevd.policy.child_route import ChildRoute
from ikevd.policy.connection import Connection
from tests.builders import ALICE, BOB, NO_DPD, child, connection
from tests.duet import Network
from tests.gateways import Gateway, World, bring_up, reload
from tests.negotiation.mortal import Machine, tunnel
from tests.negotiation.roaming import CLIENTS, client, hub, roads, two_nats
from tests.negotiation.test_backup import BACKUP, FIRST, site
from tests.virtual_time import run

AUTO = ChildRoute()
OWN, ROUTER = ip_address("10.1.0.1"), ip_address("192.0.2.254")
THERE = ip_network("10.2.0.0/24")
ROUTE = PeerRoute(THERE, 254, 0, "eth0", ROUTER, OWN)
POINTS = ["before routes put", "after routes put", "before routes read", "after routes remove", "after place"]


def led(route: ChildRoute | None = AUTO, **changes: Any) -> Connection:
    """Alice's view, with one child whose routes follow it."""
    return connection(children=(child(route=route, **changes),), dpd=NO_DPD)


async def routed(view: Connection | None = None) -> tuple[Machine, Gateway]:
    """Alice's machine, her tunnel up."""
    _, hers, _, alice, _ = await tunnel(view or led())
    prepare(hers)
    alice.engine.start()
    await asyncio.sleep(1)
    return hers, alice


def prepare(machine: Machine) -> None:
    """It has an address in its network, and a router before it."""
    machine.routes.own, machine.routes.gateway = (OWN,), ROUTER


def stands(machine: Machine) -> set[object]:
    return {*machine.routes.stands.values()}


def test_the_way_to_the_remote_network_begins_as_that_to_the_peer_with_an_address_that_the_tunnel_carries() -> None:
    async def story() -> None:
        hers, alice = await routed()
        assert stands(hers) == {ROUTE}
        assert alice.troubles == []

    run(story())


def test_while_the_tunnel_is_down_and_its_block_stands_its_route_does_too() -> None:
    async def story() -> None:
        hers, alice = await routed()
        alice.session.unwant("lan")
        await asyncio.sleep(5)
        assert stands(hers) == {ROUTE}
        assert [kind for kind, _ in hers.routes.done] == ["put"], "it was never away"

    run(story())


def test_it_goes_where_the_traffic_may_leave_in_the_clear_and_comes_back_with_the_tunnel() -> None:
    async def story() -> None:
        hers, alice = await routed(led(fail_open=True))
        alice.session.unwant("lan")
        await asyncio.sleep(5)
        assert stands(hers) == set()
        await bring_up(alice)
        await asyncio.sleep(5)
        assert stands(hers) == {ROUTE}

    run(story())


def test_down_open_takes_it_away() -> None:
    async def story() -> None:
        hers, alice = await routed()
        alice.session.unwant("lan", in_clear=True)
        await asyncio.sleep(5)
        assert stands(hers) == set()

    run(story())


def test_a_table_of_its_own_has_a_rule_and_leaves_the_peer_out_of_what_covers_it() -> None:
    async def story() -> None:
        everything = ip_network("0.0.0.0/0")
        hers, _ = await routed(led(ChildRoute(table=220), remote="0.0.0.0/0"))
        aside, rule = PeerRoute(ip_network(BOB), 220, 0), Rule(4, 220)
        route = PeerRoute(everything, 220, 0, "eth0", ROUTER, OWN)
        assert [thing for _, thing in hers.routes.done] == [aside, route, rule]
        hers.routes.done.clear()
        assert hers.gateway is not None
        await hers.gateway.engine.stop()
        assert [thing for _, thing in hers.routes.done] == [rule, route, aside]

    run(story())


def test_another_way_to_the_peer_is_another_route() -> None:
    async def story() -> None:
        hers, _ = await routed()
        hers.routes.link, hers.routes.gateway = "lte0", None
        hers.routes.changed()
        await asyncio.sleep(2 * LOOK_EVERY)
        assert stands(hers) == {replace(ROUTE, link="lte0", gateway=None)}

    run(story())


def test_while_there_is_no_way_to_the_peer_what_stands_is_left_alone() -> None:
    async def story() -> None:
        hers, alice = await routed()
        hers.routes.link = None
        hers.routes.changed()
        await asyncio.sleep(2 * LOOK_EVERY)
        assert stands(hers) == {ROUTE}
        assert alice.troubles == []

    run(story())


def test_a_route_that_somebody_removes_is_put_back() -> None:
    async def story() -> None:
        hers, _ = await routed()
        hers.routes.take(ROUTE.place)
        await asyncio.sleep(2 * LOOK_EVERY)
        assert stands(hers) == {ROUTE}

    run(story())


def test_a_route_that_cannot_be_set_is_told_once_and_set_as_soon_as_it_can() -> None:
    async def story() -> None:
        _, hers, _, alice, _ = await tunnel(led())
        prepare(hers)
        hers.routes.taken.add(ROUTE.place)
        alice.engine.start()
        await asyncio.sleep(200)
        (told,) = alice.troubles
        assert "somebody else's route to this network has that metric" in told
        assert alice.session.route_problem == told.removeprefix("bob: ")
        assert alice.pairs == 1
        hers.routes.taken.clear()
        hers.routes.changed()
        await asyncio.sleep(LOOK_EVERY)
        assert stands(hers) == {ROUTE}
        assert alice.session.route_problem is None

    run(story())


def test_a_source_that_is_no_address_of_this_machine_yet_is_told() -> None:
    async def story() -> None:
        _, hers, _, alice, _ = await tunnel(led(ChildRoute((OWN,))))
        alice.engine.start()
        await asyncio.sleep(1)
        assert "10.1.0.1 is no address of this machine now" in alice.troubles[0]
        prepare(hers)
        await asyncio.sleep(10)
        assert stands(hers) == {ROUTE}

    run(story())


# -- from one process, or file, to the next


@pytest.mark.parametrize("how", ["kill -9", "hand over"])
def test_another_process_goes_on_and_touches_nothing(how: str) -> None:
    async def story() -> None:
        hers, alice = await routed()
        if how == "hand over":
            assert await alice.engine.hand_over()
        hers.routes.done.clear()
        await hers.restart()
        await asyncio.sleep(2 * LOOK_EVERY)
        assert stands(hers) == {ROUTE}
        assert hers.routes.done == []

    run(story())


def test_what_a_killed_process_left_and_the_file_wants_no_more_goes() -> None:
    async def story() -> None:
        hers, _ = await routed(led(ChildRoute(table=220)))
        hers.connections = (led(None),)
        await hers.restart()
        await asyncio.sleep(5)
        assert stands(hers) == set()
        assert not [name for name in hers.disk.placed if name.startswith("route ")]

    run(story())


def test_without_a_store_it_is_known_by_its_mark() -> None:
    async def story() -> None:
        hers, _ = await routed()
        hers.connections, hers.disk = (), type(hers.disk)()
        await hers.restart()
        await asyncio.sleep(5)
        assert stands(hers) == set()

    run(story())


def test_but_where_another_ikevd_may_have_put_it_it_stays() -> None:
    async def story() -> None:
        hers, _ = await routed()
        hers.connections, hers.disk = (), type(hers.disk)()
        hers.settings = {"remove_unknown": False}
        await hers.restart()
        await asyncio.sleep(5)
        assert stands(hers) == {ROUTE}

    run(story())


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("passes", [1, 2, 3])
def test_whoever_is_killed_in_between_leaves_the_rest_to_the_next(point: str, passes: int) -> None:
    async def story() -> None:
        _, hers, _, alice, _ = await tunnel(led(ChildRoute(table=220)))
        prepare(hers)
        hers.kill_at(point, passes)
        alice.engine.start()
        await asyncio.sleep(10)
        alice = await hers.restart()
        await asyncio.sleep(5)
        assert stands(hers) == {replace(ROUTE, table=220), Rule(4, 220)}
        hers.connections = ()
        await hers.restart()
        await asyncio.sleep(20)
        assert stands(hers) == set()

    run(story())


def test_a_stop_that_takes_all_down_leaves_nothing() -> None:
    async def story() -> None:
        hers, alice = await routed(led(ChildRoute(table=220)))
        await alice.engine.stop()
        await asyncio.sleep(10)
        assert stands(hers) == set()

    run(story())


def test_what_could_not_be_removed_at_a_stop_goes_at_the_next_start() -> None:
    async def story() -> None:
        hers, alice = await routed()
        hers.routes.stuck = errno.EBUSY
        await alice.engine.stop()
        assert stands(hers) == {ROUTE}
        hers.routes.stuck, hers.connections = 0, ()
        await hers.restart()
        await asyncio.sleep(5)
        assert stands(hers) == set()

    run(story())


def test_a_reload_sets_and_removes_it_and_no_tunnel_notices() -> None:
    async def story() -> None:
        hers, alice = await routed(led(None))
        assert stands(hers) == set()
        before = dict(hers.kernel.sas)
        await reload(alice, led())
        await asyncio.sleep(1)
        assert stands(hers) == {ROUTE}
        await reload(alice, led(ChildRoute(metric=7)))
        await asyncio.sleep(1)
        assert stands(hers) == {replace(ROUTE, metric=7)}
        await reload(alice)
        await asyncio.sleep(1)
        assert stands(hers) == set()
        assert before
        await alice.engine.stop()

    run(story())


@pytest.mark.parametrize("other", [ChildRoute(metric=7), ChildRoute(table=220)], ids=["metric", "table"])
def test_another_place_is_filled_before_the_former_one_is_emptied(other: ChildRoute) -> None:
    async def story() -> None:
        hers, alice = await routed()
        hers.routes.done.clear()
        await reload(alice, led(other))
        await asyncio.sleep(5)
        kinds = [kind for kind, _ in hers.routes.done]
        assert kinds == sorted(kinds), "put comes before remove"
        assert ROUTE not in stands(hers)

    run(story())


def test_what_stands_serves_on_while_another_one_cannot_be_set() -> None:
    async def story() -> None:
        hers, alice = await routed()
        await reload(alice, led(ChildRoute((ip_address("10.1.0.7"),), metric=7)))
        await asyncio.sleep(30)
        assert stands(hers) == {ROUTE}
        (told,) = alice.troubles
        assert "10.1.0.7 is no address of this machine now" in told
        hers.routes.own = (OWN, ip_address("10.1.0.7"))
        hers.routes.changed()
        await asyncio.sleep(2 * LOOK_EVERY)
        assert stands(hers) == {replace(ROUTE, metric=7, source=ip_address("10.1.0.7"))}

    run(story())


# -- of many peers, and of two


def reverse() -> Child:
    return replace(roads(), route=ChildRoute())


async def a_hub(count: int) -> tuple[Machine, list[Gateway]]:
    """A hub, and so many of its clients with their tunnels."""
    world = World(Network(nat=two_nats()))
    machine = Machine(world, BOB, hub(reverse(), group_key=True, dpd=NO_DPD))
    prepare(machine)
    machine.boot().engine.start()
    views = [replace(client(where, f"10.3.{n}.0/24"), dpd=NO_DPD) for n, where in enumerate(CLIENTS[:count])]
    clients = [world.gateway(view.local, view, seed=n) for n, view in enumerate(views) if view.local]
    for each in clients:
        await bring_up(each)
    await asyncio.sleep(1)
    return machine, clients


def to(*numbers: int) -> set[object]:
    return {replace(ROUTE, to=ip_network(f"10.3.{n}.0/24")) for n in numbers}


def test_each_peer_of_a_template_has_the_route_to_its_own_part_while_its_tunnel_stands() -> None:
    async def story() -> None:
        machine, clients = await a_hub(3)
        assert stands(machine) == to(0, 1, 2)
        clients[1].session.end()
        await asyncio.sleep(5)
        assert stands(machine) == to(0, 2)

    run(story())


def test_a_peer_that_asks_for_what_another_route_leads_to_has_its_tunnel_and_no_route() -> None:
    async def story() -> None:
        world = World(Network(nat=two_nats()))
        machine = Machine(world, BOB, hub(reverse(), group_key=True, dpd=NO_DPD))
        prepare(machine)
        dmz = (ip_network("10.3.0.128/25"), 254, 0)
        machine.routes.taken.add(dmz)
        hub_gateway = machine.boot()
        hub_gateway.engine.start()
        here = world.gateway(CLIENTS[0], replace(client(CLIENTS[0], "10.3.0.0/24"), dpd=NO_DPD))
        await bring_up(here)
        await asyncio.sleep(60)
        assert (stands(machine), here.pairs) == (set(), 1)
        (told,) = hub_gateway.troubles
        assert "asks for 10.3.0.0/24, and another route of this machine leads to 10.3.0.128/25" in told
        machine.routes.taken.clear()
        machine.routes.changed()
        await asyncio.sleep(2 * LOOK_EVERY)
        assert stands(machine) == to(0)

    run(story())


def test_after_a_kill_the_routes_of_all_peers_are_what_they_were() -> None:
    async def story() -> None:
        machine, clients = await a_hub(3)
        machine.routes.done.clear()
        await machine.restart()
        await asyncio.sleep(10)
        assert stands(machine) == to(0, 1, 2)
        assert machine.routes.done == []
        clients[0].session.end()
        await asyncio.sleep(5)
        assert stands(machine) == to(1, 2)

    run(story())


def test_of_a_peer_that_left_while_no_process_ran_the_route_goes() -> None:
    async def story() -> None:
        machine, _ = await a_hub(2)
        machine.kill()
        machine.kernel.flush_sas()
        await machine.restart()
        await asyncio.sleep(30)
        assert stands(machine) == set()

    run(story())


def test_a_peer_whose_part_is_its_own_address_has_no_route_which_would_lead_its_tunnel_into_itself() -> None:
    async def story() -> None:
        world = World()
        everywhere = replace(reverse(), remote=child(remote="0.0.0.0/0").remote)
        machine = Machine(world, BOB, hub(everywhere, dpd=NO_DPD))
        prepare(machine)
        machine.boot().engine.start()
        await bring_up(world.gateway(ALICE, client(ALICE, f"{ALICE}/32")))
        await asyncio.sleep(1)
        assert stands(machine) == set()

    run(story())


def test_of_a_backup_and_its_first_the_one_that_carries_has_the_route() -> None:
    async def story() -> None:
        here = await site(BACKUP)
        machine = here.machine
        prepare(machine)
        views = [replace(view, children=(replace(view.children[0], route=ChildRoute()),)) for view in (FIRST, BACKUP)]
        await reload(here.alice, *views)
        await asyncio.sleep(5)
        assert stands(machine) == {ROUTE}
        here.die(BOB)
        machine.routes.gateway = ip_address("192.0.2.253")
        await asyncio.sleep(60)
        assert stands(machine) == {replace(ROUTE, gateway=ip_address("192.0.2.253"))}
        assert [session.route_problem for session in here.alice.engine.sessions()] == [None, None]

    run(story())
