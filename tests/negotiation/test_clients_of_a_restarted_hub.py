"""A hub whose process is another one, or whose kernel is slow, while its clients come from anywhere."""

from __future__ import annotations

import asyncio
import errno
from dataclasses import replace

import pytest

from ikevd.errors import PeerRefused
from ikevd.host.policies import Action, Direction, PolicyId
from tests.builders import BOB, selector
from tests.duet import Network
from tests.gateways import World, bring_up
from tests.negotiation.guarded import out
from tests.negotiation.mortal import Machine
from tests.negotiation.roaming import CLIENTS, client, hub, networks, reborn, roads, two_nats
from tests.virtual_time import run


def test_after_a_restart_each_client_is_who_it_was_and_a_new_one_is_another() -> None:
    async def story() -> None:
        world = World(Network(nat=two_nats()))
        machine = Machine(world, BOB, hub(roads(), group_key=True))
        machine.boot()
        clients = [world.gateway(where, client(where, f"10.3.{n}.0/24"), seed=n) for n, where in enumerate(CLIENTS)]
        for each in clients[:3]:
            await bring_up(each)
        await asyncio.sleep(1)
        bob = await machine.restart()
        assert bob.pairs == 3
        await reborn(world, clients[0], seed=50)
        await bring_up(clients[3])
        await asyncio.sleep(20)
        instances = sorted(s.state.key.instance for s in bob.engine.sessions() if s.state.key.identity)
        assert instances == [1, 2, 3, 4]
        assert [each.pairs for each in clients[1:4]] == [1] * 3

    run(story())


def test_after_a_restart_a_network_is_still_that_of_its_holder() -> None:
    async def story() -> None:
        world = World(Network(nat=two_nats()))
        machine = Machine(world, BOB, hub(roads(), group_key=True))
        machine.boot()
        first, second = [
            world.gateway(where, client(where, "10.3.7.0/24"), seed=n) for n, where in enumerate(CLIENTS[:2])
        ]
        await bring_up(first)
        await asyncio.sleep(1)
        bob = await machine.restart()
        with pytest.raises(PeerRefused):
            await bring_up(second)
        assert bob.pairs == first.pairs == 1

    run(story())


def test_a_client_that_was_heard_right_before_a_restart_keeps_its_network() -> None:
    """That is stored once a minute only."""

    async def story() -> None:
        world = World(Network(nat=two_nats()))
        machine = Machine(world, BOB, hub(*networks(2), group_key=True))
        machine.boot()
        view = client(CLIENTS[0], "10.3.0.0/24")
        other = replace(view.children[0], name="dmz", reqid=0x696B0009, local=selector("10.3.1.0/24"))
        first = world.gateway(CLIENTS[0], replace(view, children=(*view.children, other)))
        second = world.gateway(CLIENTS[1], client(CLIENTS[1], "10.3.0.0/24"), seed=1)
        await bring_up(first)
        await asyncio.sleep(61)
        await bring_up(first, "dmz")
        await asyncio.sleep(50)
        first.session.unwant("dmz")
        await asyncio.sleep(5)
        bob = await machine.restart()
        with pytest.raises(PeerRefused):
            await bring_up(second)
        assert bob.pairs == first.pairs == 1

    run(story())


# -- policies that are missing


def tunnels(machine: Machine) -> set[PolicyId]:
    """Selectors of which packets leave through a tunnel."""
    return {one.id for one in out(machine.kernel.policies.values()).values() if one.action is Action.TUNNEL}


async def hub_with_a_client(kind: str) -> tuple[Machine, set[PolicyId]]:
    """And what leaves for that client."""
    world = World(Network(nat=two_nats()))
    machine = Machine(world, BOB, hub(*((roads(),) if kind == "template" else networks(1)), group_key=True))
    await machine.restart()
    await bring_up(world.gateway(CLIENTS[0], client(CLIENTS[0], "10.3.0.0/24")))
    await asyncio.sleep(1)
    assert len(tunnels(machine)) == 1
    return machine, tunnels(machine)


@pytest.mark.parametrize("kind", ["template", "configured"])
@pytest.mark.parametrize("away", [0, 300])
def test_policies_of_a_client_that_were_flushed_while_no_process_ran_stand_as_soon_as_one_does(
    kind: str, away: int
) -> None:
    async def story() -> None:
        machine, before = await hub_with_a_client(kind)
        all_of_them = machine.kernel.policies
        machine.kill()
        await asyncio.sleep(away)
        machine.kernel.flush_policies()
        bob = await machine.restart()
        assert bob.pairs == 1
        assert tunnels(machine) == before
        assert machine.kernel.policies == all_of_them

    run(story())


@pytest.mark.parametrize("direction", list(Direction))
def test_one_that_somebody_removed_right_before_a_kill_stands_again(direction: Direction) -> None:
    async def story() -> None:
        machine, _ = await hub_with_a_client("configured")
        before = machine.kernel.policies
        machine.kernel.remove_policy(
            next(name for name in before if name.direction is direction and before[name].action is Action.TUNNEL)
        )
        machine.kill()
        await machine.restart()
        assert machine.kernel.policies == before

    run(story())


def test_what_the_kernel_refused_for_a_client_is_asked_for_by_the_next_process_too() -> None:
    async def story() -> None:
        machine, before = await hub_with_a_client("configured")
        machine.kernel.fail("put_policy", errno.ENOMEM, 1)
        machine.kernel.remove_policy(next(iter(before)))
        await asyncio.sleep(0.6)
        assert not tunnels(machine), "refused, and to be tried again"
        await machine.restart()
        assert tunnels(machine) == before

    run(story())


# -- a kernel that is slow


class SlowMachine(Machine):
    """A call of the kernel takes twice as many seconds."""

    seconds = 0.0

    def pause(self) -> float:
        """See `Machine.pause`."""
        return self.seconds


def test_two_silent_clients_that_ask_for_each_others_network_at_once_do_not_wait_for_one_another_for_ever() -> None:
    async def story() -> None:
        world = World(Network(nat=two_nats()))
        machine = SlowMachine(world, BOB, hub(*networks(2), group_key=True))
        bob, both = machine.boot(), []
        for n, where in enumerate(CLIENTS[:2]):
            view = client(where, f"10.3.{n}.0/24")
            others = replace(view.children[0], name="other", reqid=0x696B0009, local=selector(f"10.3.{1 - n}.0/24"))
            both.append(world.gateway(where, replace(view, children=(*view.children, others)), seed=n))
            await bring_up(both[n])
        await asyncio.sleep(40)
        machine.seconds = 40
        asking = [asyncio.ensure_future(bring_up(both[0], "other"))]
        await asyncio.sleep(35)
        asking.append(asyncio.ensure_future(bring_up(both[1], "other")))
        await asyncio.sleep(1000)
        machine.seconds = 0
        await asyncio.sleep(1000)
        await asyncio.gather(*asking, return_exceptions=True)
        for each in both:
            each.session.unwant("other")
            each.session.unwant("lan")
            await asyncio.sleep(1)
            await bring_up(each)
        await asyncio.sleep(1)
        assert [each.pairs for each in both] == [1, 1]
        assert bob.pairs == 2

    run(story())
