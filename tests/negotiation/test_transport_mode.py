"""Transport mode between whole engines: clients from anywhere, and through a NAT."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from ikevd.addresses import Address
from ikevd.errors import PeerRefused
from ikevd.host.policies import Action, Direction
from ikevd.observe.words import say_error
from ikevd.policy.child import Child, Selection
from ikevd.policy.selectors import Dynamic
from ikevd.wire.registry import Encapsulation
from tests.builders import BOB, ESP_AES128_SHA256, child
from tests.duet import Network
from tests.gateways import Gateway, World, bring_up
from tests.negotiation.roaming import CLIENTS, HERE, THERE, client, hub, two_nats
from tests.virtual_time import run

TRANSPORT = replace(ESP_AES128_SHA256, mode=Encapsulation.TRANSPORT)
ANY = IPv4Address(0)


def l2tp() -> Child:
    """UDP port 1701, whatever the ends are."""
    end = Dynamic.of_end(ANY, 17, 1701)
    return replace(child(), local=end, remote=end, suites=(TRANSPORT,))


def outwards(gateway: Gateway) -> set[str]:
    return {
        f"{name.source} -> {name.destination}"
        for name, policy in gateway.kernel.policies.items()
        if name.direction is Direction.OUT and policy.action is Action.TUNNEL
    }


async def calls(world: World, address: Address, **changes: object) -> Gateway:
    own = replace(client(address, "10.3.0.0/24"), children=(l2tp(),))
    gateway = world.gateway(address, replace(own, **changes))  # type: ignore[arg-type]
    await bring_up(gateway)
    return gateway


def from_port(port: int) -> tuple[Child]:
    """A client's child."""
    return (replace(l2tp(), local=Dynamic.of_end(ANY, 17, port)),)


def any_port() -> Child:
    """The hub's."""
    return replace(l2tp(), remote=Dynamic.of_end(ANY, 17), selection=Selection.NARROW)


def test_clients_from_anywhere_each_have_a_pair_for_their_own_address() -> None:
    async def story() -> None:
        world = World()
        bob = world.gateway(BOB, hub(l2tp(), group_key=True))
        for address in CLIENTS[:3]:
            await calls(world, address)
        await asyncio.sleep(1)  # message 3
        assert outwards(bob) == {f"{BOB}/32 -> {address}/32" for address in CLIENTS[:3]}
        assert bob.pairs == 3

    run(story())


def test_behind_nats_the_hub_has_the_addresses_of_these() -> None:
    async def story() -> None:
        world = World(Network(nat=two_nats()))
        bob = world.gateway(BOB, hub(l2tp(), group_key=True))
        one, other = await calls(world, CLIENTS[0]), await calls(world, CLIENTS[8])
        await asyncio.sleep(1)  # message 3
        assert outwards(bob) == {f"{BOB}/32 -> {HERE}/32", f"{BOB}/32 -> {THERE}/32"}
        assert [outwards(each) for each in (one, other)] == [
            {f"{address}/32 -> {BOB}/32"} for address in (CLIENTS[0], CLIENTS[8])
        ]

    run(story())


def test_behind_one_nat_clients_with_ports_of_their_own_are_apart_whatever_they_call_themselves() -> None:
    async def story() -> None:
        world = World(Network(nat=two_nats()))
        bob = world.gateway(BOB, hub(any_port(), group_key=True, remote_id=None, any_identity=True))
        for number, address in enumerate(CLIENTS[:3]):
            await calls(world, address, local_id=None, children=from_port(50000 + number))
        await asyncio.sleep(1)  # message 3
        assert outwards(bob) == {f"{BOB}/32 -> {HERE}/32"}
        policies = [name for name, policy in bob.kernel.policies.items() if policy.action is Action.TUNNEL]
        assert {name.destination_port for name in policies if name.direction is Direction.OUT} == {50000, 50001, 50002}
        assert bob.pairs == 3

    run(story())


@pytest.mark.parametrize(("first", "second"), [(0, 1701), (1701, 0)], ids=["any port first", "one port first"])
def test_behind_one_nat_nobody_gets_a_port_of_what_another_client_has(first: int, second: int) -> None:
    async def story() -> None:
        world = World(Network(nat=two_nats()))
        bob = world.gateway(BOB, hub(any_port(), group_key=True, remote_id=None, any_identity=True))
        await calls(world, CLIENTS[0], local_id=None, children=from_port(first))
        with pytest.raises(PeerRefused):
            await calls(world, CLIENTS[1], local_id=None, children=from_port(second))
        assert bob.pairs == 1

    run(story())


def test_behind_one_nat_a_second_client_that_calls_from_the_same_port_is_refused() -> None:
    async def story() -> None:
        world = World(Network(nat=two_nats()))
        bob = world.gateway(BOB, hub(any_port(), group_key=True, remote_id=None, any_identity=True))
        await calls(world, CLIENTS[0], local_id=None, children=from_port(1701))
        with pytest.raises(PeerRefused) as refused:
            await calls(world, CLIENTS[1], local_id=None, children=from_port(1701))
        assert say_error(refused.value).endswith("or another host behind the same NAT has the same with it already")
        assert bob.pairs == 1

    run(story())
