"""Two ikevd in one network namespace, whose connections have the same names."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from ikevd.host.policies import Action
from ikevd.kernel.memory import MemoryKernel
from ikevd.policy.child import Start
from ikevd.policy.settings import Listen, Shunt
from tests.builders import ALICE, BOB, child, connection, mirrored, selector
from tests.gateways import World
from tests.negotiation.guarded import LAN, Watched, both_up, of_children
from tests.negotiation.mortal import Machine
from tests.virtual_time import run

CAROL, DAVE = ALICE + 1, BOB + 1


PRINTER = Shunt("printer", selector("10.1.0.0/24"), selector("10.9.0.9/32"))


async def neighbours(kernel: MemoryKernel, *bypasses: Shunt) -> tuple[World, Watched, Watched]:
    """Alice and Carol have one kernel, and connections, children and reqids of one name, each to a peer of her own."""
    world = World()
    lan = child(local="10.7.0.0/24", remote="10.8.0.0/24", start=Start.ALWAYS)
    views = {ALICE: connection(children=(replace(LAN, start=Start.ALWAYS),))}
    views[CAROL] = connection(local=CAROL, remote=DAVE, children=(lan,))
    machines = []
    for here, view in views.items():
        machine = Watched(world, here, view, kernel=kernel)
        machine.settings = {"listen": Listen((here,)), "bypasses": bypasses}
        waits = replace(mirrored(view), children=tuple(replace(c, start=Start.MANUAL) for c in mirrored(view).children))
        assert view.remote is not None
        await Machine(world, view.remote, waits).restart()
        await machine.restart()
        machines.append(machine)
    await asyncio.sleep(10)
    assert len(kernel.sas) == 4
    return world, machines[0], machines[1]


@pytest.mark.parametrize("what", ["as it was", "changed", "gone", "without its store", "fought"])
def test_two_ikevd_with_connections_of_one_name_leave_each_others_sas_and_policies_alone(what: str) -> None:
    async def story() -> None:
        kernel = MemoryKernel(asyncio.get_running_loop().time)
        _, hers, carols = await neighbours(kernel)
        assert carols.gateway is not None
        mine = {name for name in kernel.sas if CAROL in (name.destination, kernel.sas[name].source)}
        theirs = {
            policy.id
            for policy in kernel.policies.values()
            if policy.template and CAROL in (policy.template.source, policy.template.destination)
        }
        carols.guarded = hers.guarded = frozenset(theirs)
        match what:
            case "changed":
                hers.connections = (replace(hers.connections[0], nat_keepalive=33.0),)
            case "gone":
                hers.connections = ()
            case "without its store":
                hers.disk.peers.clear()
                hers.disk.placed.clear()
        alice = await hers.restart()
        if what == "fought":
            kernel.remove_policy(next(one.id for one in kernel.policies.values() if one.id not in theirs))
        await asyncio.sleep(30)
        assert mine <= set(kernel.sas)
        assert len(mine) == 2
        assert {kernel.policies[name].action for name in theirs} == {Action.TUNNEL}
        assert carols.gateway.pairs == 1
        assert alice.troubles == carols.gateway.troubles == []
        if what == "gone":
            assert set(kernel.sas) == mine

    run(story())


def test_a_bypass_that_both_have_stays_until_one_of_them_starts_alone() -> None:
    async def story() -> None:
        kernel = MemoryKernel(asyncio.get_running_loop().time)
        _, hers, carols = await neighbours(kernel, PRINTER)
        printers = {name for name in kernel.policies if "10.9.0.9" in str(name)}
        assert len(printers) == 3
        hers.settings = {"listen": Listen((ALICE,))}
        for _ in range(2):
            alice = await hers.restart()
            await asyncio.sleep(30)
            assert printers <= kernel.policies.keys()
            assert ["bypasses that nobody wants any more stay" in text for text in alice.troubles] == [True]
        assert carols.gateway is not None
        await carols.gateway.engine.stop()
        carols.kill()
        alice = await hers.restart()
        assert not printers & kernel.policies.keys()
        assert alice.troubles == []

    run(story())


@pytest.mark.parametrize("up", [True, False], ids=["up", "down"])
def test_a_connection_that_has_moved_to_another_ikevd_keeps_its_policies_at_the_restart_of_the_first(up: bool) -> None:
    async def story() -> None:
        world, hers, _, _ = await both_up(connection(children=(LAN,)), listen=Listen((ALICE,)))
        if not up:
            assert hers.gateway is not None
            hers.gateway.session.unwant("lan")
            await asyncio.sleep(1)
        hers.kill()
        carols = Machine(world, CAROL, connection(local=CAROL, children=(LAN,)), kernel=hers.kernel)
        carols.settings = {"listen": Listen((CAROL,))}
        await carols.restart()
        moved = {name: one for name, one in hers.kernel.policies.items() if one.reqid == LAN.reqid}
        assert len(moved) == 3
        hers.connections = ()
        alice = await hers.restart()
        await asyncio.sleep(10)
        assert {name: one for name, one in hers.kernel.policies.items() if one.reqid == LAN.reqid} == moved
        assert not hers.kernel.sas
        assert alice.troubles == []

    run(story())


@pytest.mark.parametrize("up", [True, False], ids=["up", "down"])
def test_an_ikevd_that_listens_elsewhere_now_leaves_nothing_of_what_it_had_before(up: bool) -> None:
    async def story() -> None:
        _, hers, _, _ = await both_up(connection(children=(LAN,)), listen=Listen((ALICE,)))
        if not up:
            assert hers.gateway is not None
            hers.gateway.session.unwant("lan")
            await asyncio.sleep(1)
        hers.connections, hers.settings = (), {"listen": Listen((CAROL,))}
        await hers.restart()
        assert of_children(hers.kernel) == []
        assert not hers.kernel.sas

    run(story())
