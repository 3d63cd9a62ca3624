"""A child that is on demand: what brings it up, what becomes of the packets, and what of its trap."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from ikevd.control.status import state_of
from ikevd.host.events import SaAsked
from ikevd.host.policies import Action, Direction, PolicyId
from ikevd.kernel.memory import MemoryKernel
from ikevd.peer.timing import LAST_RETRY, SPREAD
from ikevd.policy.child import Start
from ikevd.policy.connection import Resend
from ikevd.store.memory import MemoryStore
from ikevd.wire.registry import ExchangeType
from tests.builders import ALICE, BOB, child, connection, mirrored
from tests.gateways import Gateway, World, reload
from tests.virtual_time import run

LAN = child(start=Start.ON_DEMAND)
VIEW = connection(children=(LAN,), resend=Resend(interval=1, factor=1.5, sends=3))
EXCHANGE = 18


async def waiting(world: World, **wanted: object) -> Gateway:
    """Alice's daemon has started; her trap stands."""
    alice = world.gateway(ALICE, VIEW, **wanted)  # type: ignore[arg-type]
    await alice.engine.restore()
    alice.engine.start()
    await asyncio.sleep(1)
    return alice


def bobs(world: World, start: Start = Start.PASSIVE) -> Gateway:
    his = mirrored(VIEW)
    return world.gateway(BOB, replace(his, children=tuple(replace(one, start=start) for one in his.children)))


def trap(gateway: Gateway) -> PolicyId:
    (found,) = [
        name for name in gateway.kernel.policies if name.direction is Direction.OUT and name.source.version == 4
    ]
    return found


def send(gateway: Gateway) -> bool:
    """Does a packet of `lan` leave? In no case in the clear."""
    name = trap(gateway)
    assert gateway.kernel.policies[name].action is not Action.BYPASS
    return gateway.kernel.send(name)


def status(gateway: Gateway) -> str:
    return state_of(LAN, gateway.session.state)


def calls(world: World, gateway: Gateway) -> int:
    """First messages of Main Mode, each of its cookie once."""
    said = (octets for _, path, octets in world.wire if path.local.address == gateway.address)
    return len({octets[:8] for octets in said if octets[EXCHANGE] == ExchangeType.MAIN_MODE})


def test_the_first_packet_brings_it_up_and_the_next_ones_pass() -> None:
    async def story() -> None:
        world = World()
        bob, alice = bobs(world), await waiting(world)
        await asyncio.sleep(600)
        assert (status(alice), alice.pairs, calls(world, alice)) == ("waiting", 0, 0)
        assert not send(alice)
        await asyncio.sleep(1)
        assert (status(alice), alice.pairs, bob.pairs) == ("up", 1, 1)
        assert send(alice)

    run(story())


def test_where_the_peer_takes_it_down_the_trap_is_back_and_the_next_packet_brings_it_up_again() -> None:
    async def story() -> None:
        world = World()
        bob, alice = bobs(world), await waiting(world)
        send(alice)
        await asyncio.sleep(60)
        bob.session.unwant("lan")
        await asyncio.sleep(60)
        assert (status(alice), alice.pairs, bob.pairs) == ("waiting", 0, 0)
        assert not send(alice)
        await asyncio.sleep(1)
        assert (status(alice), bob.pairs) == ("up", 1)

    run(story())


def test_while_the_peer_is_away_packets_call_it_ever_more_seldom() -> None:
    async def story() -> None:
        world = World()
        alice, begun = await waiting(world), list[int]()
        for _ in range(6):
            for _ in range(600):
                assert not send(alice)
                await asyncio.sleep(1)
            begun.append(calls(world, alice))
        assert begun[0] >= 5
        assert begun[-1] - begun[-2] <= 600 / (LAST_RETRY * (1 - SPREAD)) + 1
        bobs(world)
        await asyncio.sleep(2 * LAST_RETRY)
        assert status(alice) == "up"  # the last packet was remembered

    run(story())


def test_a_packet_from_before_the_start_counts() -> None:
    """The kernel asks once in 30 s, and nobody may have listened."""

    async def story() -> None:
        world = World()
        kernel, store = MemoryKernel(clock=asyncio.get_running_loop().time), MemoryStore()
        bob, alice = bobs(world), await waiting(world, kernel=kernel, store=store)
        await alice.engine.hand_over()
        with kernel.deaf():
            assert not send(alice)
        reborn = await waiting(world, kernel=kernel, store=store, seed=7)
        await asyncio.sleep(2)
        assert (status(reborn), bob.pairs) == ("up", 1)

    run(story())


def test_a_packet_whose_event_was_lost_counts() -> None:
    async def story() -> None:
        world = World()
        bob, alice = bobs(world), await waiting(world)
        with alice.kernel.deaf():
            assert not send(alice)
        await asyncio.sleep(2)
        assert (status(alice), bob.pairs) == ("up", 1)

    run(story())


def test_taken_down_by_command_it_is_blocked_and_no_packet_brings_it_up() -> None:
    async def story() -> None:
        world = World()
        bob, alice = bobs(world), await waiting(world)
        send(alice)
        await asyncio.sleep(60)
        alice.session.unwant("lan")
        await asyncio.sleep(60)
        assert (status(alice), send(alice)) == ("down", False)
        await asyncio.sleep(60)
        assert (alice.pairs, bob.pairs) == (0, 0)
        await alice.session.want("lan")
        await asyncio.sleep(1)
        assert (status(alice), bob.pairs) == ("up", 1)

    run(story())


def test_a_storm_of_packets_begins_it_once() -> None:
    async def story() -> None:
        world = World()
        alice = await waiting(world)
        for _ in range(10_000):
            alice.engine._kernel_event(SaAsked(LAN.reqid))
        await asyncio.sleep(2)
        assert calls(world, alice) == 1

    run(story())


def test_the_file_may_say_so_later_and_take_it_back() -> None:
    async def story() -> None:
        manual = replace(VIEW, children=(replace(LAN, start=Start.MANUAL),))
        world = World()
        bob, alice = bobs(world), world.gateway(ALICE, manual)
        await alice.engine.restore()
        alice.engine.start()
        await asyncio.sleep(1)
        assert not send(alice)
        await reload(alice, VIEW)
        assert (status(alice), send(alice)) == ("waiting", False)
        await asyncio.sleep(1)
        assert (status(alice), bob.pairs) == ("up", 1)
        await reload(alice, manual)
        await asyncio.sleep(60)
        assert (alice.pairs, bob.pairs) == (1, 1)
        bob.session.unwant("lan")
        await asyncio.sleep(60)
        assert alice.kernel.policies[trap(alice)].action is Action.BLOCK

    run(story())


def test_the_peer_may_bring_it_up_too() -> None:
    async def story() -> None:
        world = World()
        alice, bob = await waiting(world), bobs(world, Start.MANUAL)
        await bob.engine.session(bob.engine._config.connections[0]).want("lan")
        await asyncio.sleep(5)
        assert (status(alice), send(alice)) == ("up", True)

    run(story())
