"""A hub whose file is read again while its clients, which come from anywhere, are up."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from ikevd.host.sas import SaId
from ikevd.policy.child import Start
from ikevd.policy.connection import Connection
from ikevd.wire.registry import ExchangeType
from tests.builders import BOB, connection, psk, selector
from tests.duet import Network
from tests.gateways import Gateway, World, bring_up, reload
from tests.negotiation.guarded import DAVE
from tests.negotiation.mortal import Machine, kinds
from tests.negotiation.roaming import CLIENTS, client, hub, roads, two_nats
from tests.virtual_time import run

HUB = hub(roads(), group_key=True)
OTHER = connection(name="other", local=BOB, remote=DAVE, children=(replace(roads(), name="o", template=False),))


async def three_up() -> tuple[World, Machine, Gateway, list[Gateway]]:
    """Three clients call `HUB`; they call again whenever they are down."""
    world = World(Network(nat=two_nats()))
    machine = Machine(world, BOB, HUB)
    bob = machine.boot()
    clients = [world.gateway(where, view(n), seed=n) for n, where in enumerate(CLIENTS[:3])]
    for each in clients:
        await bring_up(each)
        each.engine.start()
    await asyncio.sleep(1)
    assert bob.pairs == 3
    return world, machine, bob, clients


def view(number: int) -> Connection:
    plain = client(CLIENTS[number], f"10.3.{number}.0/24")
    return replace(plain, children=tuple(replace(one, start=Start.ALWAYS) for one in plain.children))


@pytest.mark.parametrize("more", [(), (OTHER,)], ids=["the same", "another connection beside it"])
def test_clients_of_a_connection_that_is_what_it_was_do_not_notice(more: tuple[Connection, ...]) -> None:
    async def story() -> None:
        world, _, bob, clients = await three_up()
        before, began = set(bob.kernel.sas), asyncio.get_running_loop().time()
        await reload(bob, HUB, *more)
        await asyncio.sleep(5)
        assert set(bob.kernel.sas) == before
        assert [each.pairs for each in clients] == [1, 1, 1]
        heard = {ExchangeType.MAIN_MODE, *kinds(world, began)} - {ExchangeType.MAIN_MODE}
        assert heard == set(), "but for calls of the other connection"

    run(story())


def test_clients_of_a_connection_with_another_key_hear_delete_and_call_once_they_have_it() -> None:
    async def story() -> None:
        _, _, bob, clients = await three_up()
        await reload(bob, replace(HUB, psk=psk("another key of all clients")))
        await asyncio.sleep(2)
        assert bob.pairs == 0
        assert all(each.nothing_installed for each in clients)
        for number, each in enumerate(clients):
            await reload(each, replace(view(number), psk=psk("another key of all clients")))
        await asyncio.sleep(60)
        assert bob.pairs == 3
        assert len(bob.kernel.sas) == 6
        assert bob.troubles == []

    run(story())


def test_clients_of_a_connection_that_is_gone_hear_delete_and_nothing_is_left() -> None:
    async def story() -> None:
        _, machine, bob, clients = await three_up()
        await reload(bob)
        await asyncio.sleep(30)
        assert not bob.kernel.sas
        assert not list(bob.engine.sessions())
        assert not machine.disk.peers
        assert all(each.pairs == 0 for each in clients)

    run(story())


def test_a_new_child_is_for_those_who_are_there_too() -> None:
    async def story() -> None:
        _, _, bob, clients = await three_up()
        before = set(bob.kernel.sas)
        more = replace(roads(), name="more", reqid=0x696B0300, remote=selector("10.4.0.0/16"))
        await reload(bob, replace(HUB, children=(*HUB.children, more)))
        added = replace(view(0).children[0], name="second", reqid=0x696B0301, local=selector("10.4.1.0/24"))
        await reload(clients[0], replace(view(0), children=(*view(0).children, added)))
        await asyncio.sleep(5)
        assert clients[0].pairs == 2
        assert before < set(bob.kernel.sas)
        assert len(bob.kernel.sas) == 8

    run(story())


def test_an_sa_of_a_client_that_somebody_removes_after_another_key_has_changed_is_noticed_and_replaced() -> None:
    async def story() -> None:
        _, _, bob, clients = await three_up()
        await reload(bob, replace(HUB, nat_keepalive=33.0))
        session = next(session for session in bob.engine.sessions() if any(c.standing for c in session.states.values()))
        (pair,) = [pair for child in session.states.values() for pair in child.standing]
        removed = SaId(pair.sa.local, pair.sa.inbound)
        bob.kernel.remove_sa(removed)
        await asyncio.sleep(30)
        (instead,) = [pair for child in session.states.values() for pair in child.standing]
        assert instead.sa.inbound != pair.sa.inbound
        assert instead.sa.reqid == pair.sa.reqid
        assert (bob.pairs, [each.pairs for each in clients]) == (3, [1, 1, 1])

    run(story())


def test_of_a_child_that_is_gone_no_client_has_a_number_any_more() -> None:
    async def story() -> None:
        _, _, bob, _ = await three_up()
        more = replace(roads(), name="more", reqid=0x696B0300, remote=selector("10.4.0.0/16"))
        await reload(bob, replace(HUB, children=(*HUB.children, more)))
        kept, gone = ({s.connection.children[n].reqid for s in bob.engine.sessions()} for n in (0, 1))
        await reload(bob, HUB)
        peers = bob.engine._peers
        assert all(peers.by_reqid(reqid) for reqid in kept)
        assert not any(peers.by_reqid(reqid) for reqid in gone)

    run(story())
