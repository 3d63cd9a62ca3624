"""`unique` of a connection: who keeps the place of an identity that comes anew from elsewhere."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from ikevd.addresses import Address
from ikevd.peer.timing import TO_ANSWER
from ikevd.policy.connection import Connection, Unique
from tests.builders import BOB, NO_DPD, mirrored
from tests.gateways import Gateway, World, bring_up
from tests.negotiation.crashes import (
    AT_ONCE,
    BOTH,
    crash,
    greetings,
    inbound,
    machines,
    noted,
    only,
)
from tests.negotiation.roaming import CLIENTS, client, hub, networks
from tests.virtual_time import run


def clone_stories(unique: Unique) -> Connection:
    """A hub whose one client is known by its identity."""
    return hub(*networks(1), unique=unique)


def test_two_that_replace_each_other_are_named_and_the_second_is_refused_for_a_minute() -> None:
    async def story() -> None:
        world = World()
        bob = world.gateway(BOB, clone_stories(Unique.REPLACE))
        for number in range(2):
            for where in CLIENTS[:2]:
                clone = world.gateway(where, client(where, "10.3.0.0/24"), seed=10 * number + int(where))
                if (number, where) != (1, CLIENTS[1]):
                    await bring_up(clone)
                    await asyncio.sleep(5)
        attempt = asyncio.ensure_future(bring_up(clone))
        await asyncio.sleep(5)
        first, second = f"{CLIENTS[0]}:500", f"{CLIENTS[1]}:500"
        assert noted(bob, f"{first} and {second} show one identity and replace each other")
        assert bob.tunnel_ends >= {CLIENTS[0]}
        assert CLIENTS[1] not in bob.tunnel_ends
        attempt.cancel()

    run(story())


def test_with_unique_keep_a_living_client_keeps_its_place_and_a_silent_one_loses_it() -> None:
    async def story() -> None:
        world = World()
        bob = world.gateway(BOB, clone_stories(Unique.KEEP))
        first = world.gateway(CLIENTS[0], client(CLIENTS[0], "10.3.0.0/24"))
        await bring_up(first)
        second = world.gateway(CLIENTS[1], client(CLIENTS[1], "10.3.0.0/24"))
        attempt = asyncio.ensure_future(bring_up(second))
        await asyncio.sleep(5)
        assert noted(bob, "it is refused (unique: keep)")
        assert CLIENTS[1] not in bob.tunnel_ends
        attempt.cancel()
        first.session.close()
        await asyncio.sleep(60)
        await bring_up(world.gateway(CLIENTS[1], client(CLIENTS[1], "10.3.0.0/24"), seed=9))
        await asyncio.sleep(1)
        assert CLIENTS[1] in bob.tunnel_ends

    run(story())


@pytest.mark.parametrize("loss", [0.0, 0.3], ids=["", "where messages are lost"])
def test_with_unique_keep_a_living_client_is_asked_and_the_newcomer_is_told_in_words(loss: float) -> None:
    async def story() -> None:
        world, bob = await kept()
        world.network.loss = loss
        attempt = call(world, CLIENTS[1])
        await asyncio.sleep(20)
        assert noted(bob, "it is refused (unique: keep)")
        assert CLIENTS[1] not in bob.tunnel_ends
        assert CLIENTS[0] in bob.tunnel_ends
        attempt.cancel()

    run(story())


@pytest.mark.parametrize("again", CLIENTS[:2], ids=["at the same address", "at another one"])
def test_with_unique_keep_a_client_that_has_died_a_moment_ago_makes_way_after_2_s(again: Address) -> None:
    async def story() -> None:
        world, bob = await kept()
        before = inbound(bob)
        world.gateways.pop(CLIENTS[0]).session.close()
        await asyncio.wait_for(call(world, again, seed=5), TO_ANSWER + 2)
        await asyncio.sleep(1)
        assert bob.tunnel_ends >= {again}
        assert not before & inbound(bob)

    run(story())


def test_with_unique_keep_a_client_that_cannot_be_asked_keeps_its_place_for_30_s() -> None:
    async def story() -> None:
        world, bob = await kept(dpd=NO_DPD)
        world.gateways.pop(CLIENTS[0]).session.close()
        attempt = call(world, CLIENTS[1])
        await asyncio.sleep(5)
        assert CLIENTS[1] not in bob.tunnel_ends
        attempt.cancel()
        del world.gateways[CLIENTS[1]]
        await asyncio.sleep(60)
        await call(world, CLIENTS[1], seed=9)
        await asyncio.sleep(1)
        assert CLIENTS[1] in bob.tunnel_ends

    run(story())


async def kept(**changes: Any) -> tuple[World, Gateway]:
    """A hub that has heard of its one client a moment ago."""
    world = World()
    bob = world.gateway(BOB, hub(*networks(1), unique=Unique.KEEP, **changes))
    await call(world, CLIENTS[0])
    await asyncio.sleep(5)
    return world, bob


def call(world: World, where: Address, seed: int = 3) -> asyncio.Future[None]:
    """Somebody with the identity of the client calls the hub."""
    gateway = world.gateway(where, client(where, "10.3.0.0/24"), seed=seed)
    return asyncio.ensure_future(bring_up(gateway))


def test_with_unique_never_it_is_neither_said_nor_obeyed() -> None:
    async def story() -> None:
        view = replace(BOTH, unique=Unique.NEVER)
        alice, bob = await machines(BOTH, replace(mirrored(view), children=only(mirrored(view)).children))
        assert bob.gateway is not None
        before = inbound(bob.gateway)
        await crash(alice)
        await asyncio.sleep(AT_ONCE)
        assert greetings(bob.gateway) == []
        assert before <= inbound(bob.gateway)
        assert noted(bob.gateway, "no consequence here (unique: never)")

    run(story())
