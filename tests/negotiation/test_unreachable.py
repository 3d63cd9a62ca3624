"""`unreachable` routes: what is routed to an interface leaves in the clear at no moment, whatever replaces what, and
whoever else has the same network."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Network, ip_address

import pytest

from ikevd.host.links import LAST_METRIC, Route
from ikevd.host.policies import Direction
from ikevd.negotiation.link_side import LOOK_EVERY
from ikevd.policy.connection import Connection
from ikevd.policy.interface import Interface
from tests.builders import NO_DPD, child, connection
from tests.gateways import Gateway, reload
from tests.negotiation.mortal import Machine, tunnel
from tests.negotiation.route_based import INTERFACE, NETWORK, UNREACHABLE, everything, routed
from tests.virtual_time import run

HALVES = (IPv4Network("10.2.0.0/17"), IPv4Network("10.2.128.0/17"))
POLICY_BASED = connection(children=(child("10.1.0.0/24", str(NETWORK)),), dpd=NO_DPD)


def second(**changes: object) -> Connection:
    """Another connection to the same network, of lesser metric."""
    interface = Interface("carol0", 43, INTERFACE.kind, (), (NETWORK,), metric=50)
    children = (everything(interface, reqid=0x696B0001, **changes),)
    return connection(
        name="carol", remote=ip_address("203.0.113.7"), children=children, interface=interface, dpd=NO_DPD
    )


def leaks(machine: Machine) -> list[str]:
    """Filled with the moments in which a part of the network was neither routed by us nor covered by a policy."""
    found: list[str] = []

    def look(after: str) -> None:
        policies = [one.id for one in machine.kernel.policies.values() if one.id.direction is Direction.OUT]
        covering = [name.destination for name in policies if not name.if_id]
        covering += [route.to for route in machine.links.routes]
        networks = [one for one in covering if isinstance(one, IPv4Network)]
        found.extend(f"{half} after {after}" for half in HALVES if not any(map(half.subnet_of, networks)))

    delete, links_changed = machine.kernel.delete_policy, machine.links.changed

    async def delete_and_look(*what: object, **named: object) -> None:
        await delete(*what, **named)  # type: ignore[arg-type]
        look("a policy was removed")

    def changed_and_look() -> None:
        look(str(machine.links.done[-1]))
        links_changed()

    machine.kernel.delete_policy = delete_and_look  # type: ignore[method-assign]
    machine.links.changed = changed_and_look
    return found


async def by_reload(machine: Machine, gateway: Gateway, changed: Connection) -> None:
    await reload(gateway, changed)


async def by_restart(machine: Machine, gateway: Gateway, changed: Connection) -> None:
    machine.connections = (changed,)
    await machine.restart()


@pytest.mark.parametrize("change", [by_reload, by_restart])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (routed(), routed(replace(INTERFACE, routes=HALVES))),
        (routed(replace(INTERFACE, routes=HALVES)), routed()),
        (routed(), routed(replace(INTERFACE, table=100))),
        (POLICY_BASED, routed()),
        (routed(), POLICY_BASED),
    ],
    ids=["halves of a route", "whole of its halves", "another table", "route-based", "policy-based"],
)
def test_another_file_lets_nothing_leave_in_the_clear(
    before: Connection, after: Connection, change: Callable[..., object]
) -> None:
    async def story() -> None:
        _, hers, _, alice, _ = await tunnel(before)
        alice.engine.start()
        await asyncio.sleep(1)
        found = leaks(hers)
        await change(hers, alice, after)  # type: ignore[misc]
        await asyncio.sleep(30)
        assert found == []

    run(story())


async def both(mine: Connection, other: Connection) -> tuple[Machine, Gateway]:
    _, hers, _, alice, _ = await tunnel(mine)
    alice.engine.start()
    await asyncio.sleep(1)
    await reload(alice, mine, other)
    await asyncio.sleep(LOOK_EVERY)
    return hers, alice


def test_what_one_connection_wants_unreachable_another_that_is_open_leaves_so() -> None:
    async def story() -> None:
        hers, _ = await both(routed(fail_open=True), second())
        hers.links.done.clear()
        for _ in range(3):
            hers.links.changed()
            await asyncio.sleep(LOOK_EVERY)
        assert hers.links.done == []
        assert UNREACHABLE in hers.links.routes

    run(story())


def test_the_last_connection_that_wants_it_removes_it() -> None:
    async def story() -> None:
        hers, alice = await both(routed(), second())
        assert UNREACHABLE in hers.links.routes
        for session in list(alice.engine.sessions()):
            assert UNREACHABLE in hers.links.routes
            session.unwant("lan", in_clear=True)
            await asyncio.sleep(LOOK_EVERY)
        assert UNREACHABLE not in hers.links.routes

    run(story())


def test_it_outlives_one_of_the_connections_that_want_it() -> None:
    async def story() -> None:
        hers, alice = await both(routed(), second())
        await reload(alice, second())
        await asyncio.sleep(LOOK_EVERY)
        assert hers.links.routes == [Route(NETWORK, None, 254, LAST_METRIC)]
        await reload(alice)
        await asyncio.sleep(LOOK_EVERY)
        assert hers.links.routes == []

    run(story())
