"""A hundred clients, each with an identity of its own, that come from another address all at once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from ipaddress import ip_address

import pytest

from ikevd.addresses import Address
from ikevd.policy.connection import Connection
from tests.builders import BOB, child, connection, fqdn, psk
from tests.duet import Network
from tests.gateways import Gateway, World, bring_up
from tests.nat import Nat
from tests.negotiation.mortal import Machine
from tests.virtual_time import run

pytestmark = pytest.mark.long

COUNT = 100
HUB_LAN = "10.1.0.0/24"
HOME, ROAD = ip_address("203.0.113.1"), ip_address("203.0.113.2")
"""The public addresses of the NATs in front of all clients, before and after."""
INSIDE = tuple(ip_address("192.0.2.1") + number for number in range(COUNT))


def client(number: int) -> Connection:
    return connection(
        name="hub",
        local=INSIDE[number],
        local_id=fqdn(f"user{number}.example"),
        remote_id=fqdn("hub.example"),
        psk=psk(f"the key of user {number}"),
        aggressive=True,
        children=(child(local=f"10.3.{number}.0/24", remote=HUB_LAN),),
    )


def at_the_hub(number: int) -> Connection:
    view = client(number)
    offered = child(reqid=0x696B0000 + number, local=HUB_LAN, remote=f"10.3.{number}.0/24")
    return replace(
        view,
        name=f"user{number}",
        local=BOB,
        remote=None,
        local_id=view.remote_id,
        remote_id=view.local_id,
        children=(offered,),
    )


async def come(world: World, seed: int) -> list[Gateway]:
    """All clients at once, as processes that know nothing of former ones."""
    clients = [world.gateway(INSIDE[number], client(number), seed=seed + number) for number in range(COUNT)]
    await asyncio.gather(*map(bring_up, clients))
    return clients


def destinations(hub: Gateway) -> set[Address]:
    return {sa.id.destination for sa in hub.kernel.sas.values() if sa.source == BOB}


@pytest.mark.parametrize("killed", [False, True], ids=["the hub stands", "the hub is killed meanwhile"])
def test_a_hundred_clients_that_move_at_once_each_have_their_tunnel_and_nothing_is_left_of_the_former(
    killed: bool,
) -> None:
    async def story() -> None:
        world = World(Network(nat=Nat(HOME, *INSIDE)))
        machine = Machine(world, BOB, *map(at_the_hub, range(COUNT)))
        hub = machine.boot()
        await come(world, seed=0)
        await asyncio.sleep(1)
        assert destinations(hub) == {HOME}
        world.network.nat = Nat(ROAD, *INSIDE)
        if killed:
            hub = await machine.restart()
        started = asyncio.get_running_loop().time()
        clients = await come(world, seed=COUNT)
        assert asyncio.get_running_loop().time() - started < 2, "all are back within two seconds"
        await asyncio.sleep(1)
        assert destinations(hub) == {ROAD}
        assert [each.pairs for each in clients] == [1] * COUNT
        assert len(hub.kernel.sas) == 2 * hub.pairs == 2 * COUNT
        await asyncio.sleep(20)
        assert [len(session.live) for session in hub.engine.sessions()] == [1] * COUNT
        assert [each.pairs for each in clients] == [1] * COUNT

    run(story())
