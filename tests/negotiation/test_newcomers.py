"""Quick Modes from elsewhere for what a living client holds (`unique: keep`), by hundreds: the client is asked once,
and the hub goes on with all else."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import pytest

from ikevd.negotiation.backstop import FAR
from ikevd.peer.timing import REMEMBERED, TO_ANSWER
from ikevd.policy.connection import Unique
from ikevd.store.memory import MemoryStore
from tests.builders import BOB, mirrored
from tests.gateways import Gateway, World, bring_up
from tests.hostile.mallory import Mallory, mallory_at
from tests.hostile.scene import CAROL, CAROLS
from tests.negotiation.roaming import CLIENTS, client, hub, networks
from tests.virtual_time import run

MANY = 150


async def hub_and_client() -> tuple[World, Gateway, Gateway]:
    """And Carol, another peer of the hub."""
    world = World()
    carols = replace(mirrored(CAROLS), name="carol")
    bob = world.gateway(BOB, hub(*networks(1), unique=Unique.KEEP), carols, store=MemoryStore())
    await bring_up(world.gateway(CAROL, CAROLS, seed=5), "carol-lan")
    living = world.gateway(CLIENTS[0], client(CLIENTS[0], "10.3.0.0/24"))
    await bring_up(living)
    await asyncio.sleep(5)
    return world, bob, living


def newcomer(world: World, bob: Gateway) -> Mallory:
    """Another machine with the identity and the key of the client."""

    def last() -> list[bytes]:
        return [octets for _, path, octets in world.wire if path.remote.address == CLIENTS[1]][-1:]

    mallory = Mallory(client(CLIENTS[1], "10.3.0.0/24"), mallory_at(CLIENTS[1], BOB), bob.engine.datagram, last)
    mallory.establish()
    return mallory


def ask(mallory: Mallory, first: int = 0, many: int = MANY) -> None:
    for number in range(first, first + many):
        mallory.say(mallory.quick_mode(0x0BAD0100 + number).message_1())


def session_of(bob: Gateway) -> Any:
    (found,) = [session for session in bob.engine.sessions() if session.connection.name == "clients"]
    return found


@pytest.mark.long
def test_the_living_client_is_asked_once_within_ten_seconds_and_rekeys_meanwhile() -> None:
    async def story() -> None:
        world, bob, living = await hub_and_client()
        mallory = newcomer(world, bob)
        ask(mallory)
        await asyncio.sleep(1)
        assert session_of(bob).is_settled
        (rekeyed,) = living.session.rekey(["lan"], phase1=False)
        await asyncio.wait_for(rekeyed, 1)
        ask(mallory, MANY)
        await asyncio.sleep(0.1)
        assert session_of(bob).is_settled
        await asyncio.sleep(REMEMBERED)
        ask(mallory, 2 * MANY)
        await asyncio.sleep(0.1)
        assert not session_of(bob).is_settled
        assert bob.tunnel_ends == {CLIENTS[0], CAROL, BOB}

    run(story())


def test_the_silence_of_a_dead_one_is_waited_for_once() -> None:
    async def story() -> None:
        world, bob, _ = await hub_and_client()
        world.gateways.pop(CLIENTS[0]).session.close()
        ask(newcomer(world, bob), many=20)
        await asyncio.sleep(TO_ANSWER + 0.1)
        assert session_of(bob).is_settled

    run(story())


async def stop(bob: Gateway) -> None:
    await bob.engine.stop()
    assert bob.nothing_installed


async def hand_over(bob: Gateway) -> None:
    assert await bob.engine.hand_over()
    assert [sa.ends_in for sa in await bob.kernel.dump_sas() if (sa.ends_in or FAR) >= FAR] == []


@pytest.mark.parametrize("end", [stop, pytest.param(hand_over, marks=pytest.mark.long)])
def test_the_process_ends_while_a_silent_client_is_asked(end: Any) -> None:
    async def story() -> None:
        world, bob, _ = await hub_and_client()
        world.gateways.pop(CLIENTS[0]).session.close()
        ask(newcomer(world, bob))
        await asyncio.sleep(0.1)
        assert not session_of(bob).is_settled
        ending: Coroutine[Any, Any, None] = end(bob)
        await asyncio.wait_for(ending, 1.6)
        assert bob.troubles == []

    run(story())
