"""A start with much to take over: it is done in small steps, and what comes from the network waits for no other."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from ipaddress import ip_address
from itertools import pairwise

import pytest

from ikevd.host.policies import Action
from ikevd.negotiation.paced import APART, FEW, SPREAD
from ikevd.negotiation.placed import CHILDREN_IN_ONE_ROW
from ikevd.policy.child import Child, Start
from ikevd.policy.connection import Connection
from ikevd.policy.lives import Lifetime
from ikevd.store.codec import decode
from ikevd.store.interface import Placed
from tests.builders import ALICE, BOB, child, connection, mirrored
from tests.gateways import World, bring_up
from tests.negotiation.mortal import Machine
from tests.negotiation.turns import Turns
from tests.virtual_time import run

FIRST = ip_address("198.18.0.1")
DELETES = 3
"""Copies of one at the start, at most."""


def net(number: int, start: Start = Start.MANUAL) -> Child:
    """The `number`-th child of a hub."""
    remote = f"10.{100 + number // 250}.{number % 250}.0/24"
    return child(name=f"net{number}", reqid=0x696B0000 + number, remote=remote, start=start)


def spoke(number: int, start: Start = Start.MANUAL) -> Connection:
    """The hub's connection to the `number`-th spoke."""
    nets = (net(number, start),)
    return connection(name=f"spoke{number}", remote=FIRST + number, lifetime=Lifetime(600), children=nets)


@pytest.mark.long
def test_many_peers_whose_isakmp_sa_ended_meanwhile_are_restored_a_few_in_one_turn() -> None:
    async def story() -> None:
        world, spokes = World(), [spoke(number) for number in range(40)]
        hub = Machine(world, ALICE, *spokes)
        await hub.restart()
        for number, view in enumerate(spokes):
            await bring_up(world.gateway(FIRST + number, mirrored(view), seed=number), view.children[0].name)
        hub.kill()
        await asyncio.sleep(1000)
        sent = len(world.wire)
        with Turns(lambda: len(world.wire)) as turns:
            await hub.restart()
        assert len(world.wire) - sent >= len(spokes), "each hears Delete"
        assert turns.most <= FEW * DELETES

    run(story())


@pytest.mark.parametrize("away", [None, 1000.0], ids=["first start", "restart"])
def test_many_peers_with_start_auto_are_called_one_after_the_other(away: float | None) -> None:
    async def story() -> None:
        world, spokes = World(), [spoke(number, Start.ALWAYS) for number in range(40)]
        hub = Machine(world, ALICE, *spokes)
        if away is not None:
            await hub.restart()
            await asyncio.sleep(132)  # all wait for their next attempt
            hub.kill()
            await asyncio.sleep(away)
        now = asyncio.get_running_loop().time()
        await hub.restart()
        await asyncio.sleep(0.5)
        times = sorted(at for at, _, _ in world.wire if at >= now)
        assert len(times) == len(spokes)
        assert all(later - earlier > APART / 2 for earlier, later in pairwise(times))
        assert times[-1] - times[0] < SPREAD

    run(story())


@pytest.mark.parametrize("then", [120, 70, 50, pytest.param(3, marks=pytest.mark.long)])
def test_what_is_placed_for_a_peer_with_many_children_stands_in_several_rows(then: int) -> None:
    async def story() -> None:
        nets = tuple(net(number) for number in range(120))
        view = connection(children=nets)
        hub = Machine(World(), BOB, mirrored(view))
        with Turns(lambda: len(hub.disk.placed)) as turns:
            await hub.restart()
        assert turns.most <= FEW
        assert longest_row(hub) == CHILDREN_IN_ONE_ROW
        hub.connections = (mirrored(replace(view, children=nets[:then])),)
        await hub.restart()
        assert longest_row(hub) == min(then, CHILDREN_IN_ONE_ROW)
        rows = -(-then // CHILDREN_IN_ONE_ROW)
        assert len([name for name in hub.disk.placed if name.startswith("gates of ")]) == rows
        blocks = {one.reqid for one in hub.kernel.policies.values() if one.action is Action.BLOCK}
        assert blocks == {one.reqid for one in nets[:then]}

    run(story())


def longest_row(machine: Machine) -> int:
    """For how many children at most policies are placed in one row."""
    rows = (decode(Placed, row) for row in machine.disk.placed.values())
    return max(len({policy.reqid for policy in row.policies}) for row in rows)
