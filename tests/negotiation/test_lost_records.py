"""A peer whose record cannot be taken over by the next process is lost, and no other: ikevd starts all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from ikevd.host.policies import Action
from ikevd.policy.connection import Connection
from ikevd.policy.settings import Listen
from ikevd.store.interface import Changes
from ikevd.store.memory import MemoryStore
from tests.builders import ALICE, BOB, child, connection, mirrored
from tests.duet import Network
from tests.gateways import World, bring_up
from tests.negotiation.guarded import LAN, Watched, out
from tests.negotiation.mortal import Machine
from tests.negotiation.roaming import CLIENTS, client, hub, networks, two_nats
from tests.virtual_time import run

CAROL = BOB + 1


def spoil(machine: Machine, connection: str) -> None:
    """The first peer of a connection has a pair whose selectors end before they begin, as no ikevd ever stored one."""
    store = MemoryStore(machine.disk)
    one = next(one for one in store.load() if one.state.key.connection == connection and one.state.isakmp)
    (name, state), *_ = [(name, state) for name, state in one.state.children.items() if state.pairs]
    (pair,) = state.pairs
    selector = pair.sa.local_selector
    upside_down = replace(selector, first=selector.last, last=selector.first)
    spoiled = replace(pair, sa=replace(pair.sa, local_selector=upside_down))
    store.put(Changes(one.state.key, children={name: replace(state, pairs=(spoiled,))}))


def told(reported: list[str]) -> None:
    """What is a bug goes into this list."""
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["message"]))


CHANGES: dict[str, Callable[[Connection], tuple[Connection, ...]]] = {
    "as it was": lambda view: (view,),
    "changed": lambda view: (replace(view, nat_keepalive=33.0),),
    "gone": lambda view: (),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("alone", [True, False], ids=["alone", "listen.addresses"])
def test_of_two_connections_the_other_one_keeps_its_tunnel(
    change: Callable[[Connection], tuple[Connection, ...]], alone: bool
) -> None:
    async def story() -> None:
        world, bugs = World(), list[str]()
        first = connection(children=(LAN,))
        dmz = child(name="dmz", reqid=0x696B0001, local="10.1.9.0/24", remote="10.2.9.0/24")
        other = connection(name="carol", remote=CAROL, children=(dmz,))
        hers = Watched(world, ALICE, first, other)
        hers.settings = {} if alone else {"listen": Listen((ALICE,))}
        his, carols = Machine(world, BOB, mirrored(first)), Machine(world, CAROL, mirrored(other))
        for machine in (hers, his, carols):
            await machine.restart()
        assert hers.gateway is not None
        for view in (first, other):
            await hers.gateway.engine.session(view).want(view.children[0].name)
        await asyncio.sleep(1)
        hers.kill()
        spoil(hers, "bob")
        told(bugs)
        hers.connections = (*change(first), other)
        hers.guarded = frozenset(out(hers.kernel.policies.values())) if hers.connections[1:] else frozenset()
        alice = await hers.restart()
        hers.guarded = frozenset()
        assert alice.pairs == 1
        assert len(hers.kernel.sas) == 2, "those of the lost peer are removed"
        gates = {one.reqid: one.action for one in out(hers.kernel.policies.values()).values()}
        wanted = {LAN.reqid: Action.BLOCK} if hers.connections[1:] else {}
        assert gates == {dmz.reqid: Action.TUNNEL, **wanted}
        assert "bob: a peer of the process before is given up: its record cannot be used" in alice.troubles
        assert bugs
        if hers.connections[1:]:
            await alice.engine.session(hers.connections[0]).want("lan")
            await asyncio.sleep(10)
            before = set(hers.kernel.sas)
            alice = await hers.restart()
            assert alice.troubles == []
            assert (alice.pairs, set(hers.kernel.sas)) == (2, before)

    run(story())


def test_of_the_clients_of_a_hub_the_others_keep_theirs_and_the_lost_one_may_come_again() -> None:
    async def story() -> None:
        world, bugs = World(Network(nat=two_nats())), list[str]()
        machine = Machine(world, BOB, hub(*networks(3), group_key=True))
        await machine.restart()
        clients = [world.gateway(where, client(where, f"10.3.{n}.0/24"), seed=n) for n, where in enumerate(CLIENTS[:3])]
        for each in clients:
            await bring_up(each)
        await asyncio.sleep(1)
        machine.kill()
        spoil(machine, "clients")
        told(bugs)
        bob = await machine.restart()
        assert (bob.pairs, len(machine.kernel.sas)) == (2, 4)
        assert len(out(machine.kernel.policies.values())) == 2
        assert len(bugs) <= 2
        assert [text for text in bob.troubles if text.startswith("clients: a peer of the process before is given up")]
        clients[0].session.unwant("lan")
        await asyncio.sleep(45)  # until the client has found out that the hub has lost its ISAKMP SA
        await bring_up(clients[0])
        await asyncio.sleep(1)
        bob = await machine.restart()
        assert (bob.pairs, len(machine.kernel.sas)) == (3, 6)

    run(story())
