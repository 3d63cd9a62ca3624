"""Peers from anywhere: who is whom, and who has which network, when several show one identity or one has moved."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from ikevd.control.pace import Pace
from ikevd.control.status import connection_view
from ikevd.errors import PeerRefused
from ikevd.facts import Note
from ikevd.host.policies import Action, Direction
from ikevd.observe.words import say, say_error
from ikevd.policy.connection import Connection, Unique
from ikevd.policy.dpd import Dpd
from tests.builders import BOB, NO_DPD, child
from tests.duet import Network
from tests.gateways import Gateway, World, bring_up
from tests.nat import Nat
from tests.negotiation.roaming import CLIENTS, HERE, HUB_LAN, client, hub, networks, reborn, roads, two_nats
from tests.virtual_time import run


def test_nine_clients_of_one_identity_behind_two_nats_each_have_a_tunnel_and_none_evicts_another() -> None:
    async def story() -> None:
        world = World(Network(nat=two_nats()))
        bob = world.gateway(BOB, hub(*networks(9), group_key=True))
        clients = [world.gateway(where, client(where, f"10.3.{n}.0/24"), seed=n) for n, where in enumerate(CLIENTS)]
        for each in clients:
            await bring_up(each)
        await asyncio.sleep(60)
        assert [each.pairs for each in clients] == [1] * 9
        assert [len(each.session.live) for each in clients] == [1] * 9, "no ISAKMP SA was ended for another one"
        assert bob.pairs == 9

    run(story())


def no_other_heard_of(deleted: Gateway, others: list[Gateway]) -> None:
    assert deleted.pairs == 0
    assert [each.pairs for each in others] == [1] * len(others)


def test_a_delete_goes_to_the_client_that_has_the_spi() -> None:
    async def story() -> None:
        world = World(Network(nat=two_nats()))
        bob = world.gateway(BOB, hub(*networks(9), group_key=True))
        clients = [world.gateway(where, client(where, f"10.3.{n}.0/24"), seed=n) for n, where in enumerate(CLIENTS)]
        for each in clients:
            await bring_up(each)
        for session in bob.engine.sessions():
            session.unwant("c0")
        await asyncio.sleep(10)
        no_other_heard_of(clients[0], clients[1:])
        assert bob.pairs == 8

    run(story())


def test_a_group_client_that_renews_its_isakmp_sa_is_found_again_by_its_address_and_port() -> None:
    async def story() -> None:
        world = World(Network(nat=two_nats()))
        bob = world.gateway(BOB, hub(*networks(2), group_key=True))
        both = [world.gateway(where, client(where, f"10.3.{n}.0/24"), seed=n) for n, where in enumerate(CLIENTS[:2])]
        for each in both:
            await bring_up(each)
        await reborn(world, both[0], seed=50)
        instances = {session.state.key.instance: len(session.live) for session in bob.engine.sessions()}
        assert instances == {1: 2, 2: 1}, "the first has a second ISAKMP SA, and nobody a third instance"

    run(story())


# -- several ask for the same network -----------------------------------------------------------------------------


def test_of_nine_clients_that_ask_for_one_network_the_first_has_it_and_the_others_are_told() -> None:
    async def story() -> None:
        world = World(Network(nat=two_nats()))
        bob = world.gateway(BOB, hub(*networks(1), group_key=True))
        clients = [world.gateway(where, client(where, "10.3.0.0/24"), seed=n) for n, where in enumerate(CLIENTS)]
        await bring_up(clients[0])
        for each in clients[1:]:
            with pytest.raises(PeerRefused) as refused:
                await bring_up(each)
            assert "INVALID_ID_INFORMATION" in say_error(refused.value)
        assert bob.pairs == 1
        assert clients[0].pairs == 1
        said = {say(refused.cause) for refused in bob.history.refused}
        assert said == {
            "the peer asks for 10.1.0.0/24 === 10.3.0.0/24, which belongs to the peer at 203.0.113.1:40001, which was "
            "heard of within the last 30 s"
        }

    run(story())


async def one_holds_and_another_asks(
    silence: float, esp_at: float | None = None, *, forged: bool = False
) -> tuple[Gateway, Gateway, Gateway]:
    """The hub, the client that has the network, and one that asks for it when IKE was silent for so many seconds."""
    world = World(Network(nat=two_nats()))
    bob = world.gateway(BOB, hub(*networks(1), group_key=True, dpd=NO_DPD))
    views = [replace(client(where, "10.3.0.0/24"), dpd=NO_DPD) for where in CLIENTS[:2]]
    first, second = [world.gateway(CLIENTS[n], view, seed=n) for n, view in enumerate(views)]
    await bring_up(first)
    if forged:
        forge(bob)
    if esp_at is not None:
        await asyncio.sleep(esp_at)
        (arriving,) = [sa for sa in bob.kernel.sas if sa.destination == BOB]
        bob.kernel.carry(arriving, octets=84)
    await asyncio.sleep(silence - (esp_at or 0))
    await asyncio.gather(bring_up(second), return_exceptions=True)
    await asyncio.sleep(10)
    return bob, first, second


def test_a_client_that_is_silent_for_long_loses_its_network_to_one_that_asks_for_it_and_is_told() -> None:
    async def story() -> None:
        bob, first, second = await one_holds_and_another_asks(silence=31)
        assert (bob.pairs, first.pairs, second.pairs) == (1, 0, 1)
        assert len(bob.kernel.sas) == 2
        assert [len(each.session.live) for each in (first, second)] == [1, 1]

    run(story())


async def asked_before_it_loses(silence: float, answers: bool) -> tuple[Gateway, Gateway, Gateway]:
    """As above, with dead peer detection, whose delay is a long one."""
    seldom, world = Dpd(delay=3600.0), World(Network(nat=two_nats()))
    bob = world.gateway(BOB, hub(*networks(1), group_key=True, dpd=seldom))
    views = [replace(client(where, "10.3.0.0/24"), dpd=seldom) for where in CLIENTS[:2]]
    first, second = [world.gateway(CLIENTS[n], view, seed=n) for n, view in enumerate(views)]
    await bring_up(first)
    await asyncio.sleep(silence)
    if not answers:
        del world.gateways[CLIENTS[0]]
    await asyncio.gather(bring_up(second), return_exceptions=True)
    await asyncio.sleep(1)
    return bob, first, second


@pytest.mark.parametrize("answers", [True, False])
def test_a_client_that_was_silent_for_long_keeps_its_network_if_it_answers_when_it_is_asked(answers: bool) -> None:
    async def story() -> None:
        bob, _, second = await asked_before_it_loses(100, answers)
        assert (bob.pairs, second.pairs) == (1, 0 if answers else 1)
        facts = [entry.fact for record in bob.history.find() for entry in record.entries]
        said = {say(fact.finding) for fact in facts if isinstance(fact, Note)}
        assert any(text.startswith("the peer is asked whether it lives (R-U-THERE)") for text in said)

    run(story())


@pytest.mark.parametrize(("silence", "esp_at"), [(29, None), (100, 71)], ids=["of IKE", "of ESP"])
def test_a_client_that_was_heard_within_30_seconds_keeps_its_network(silence: float, esp_at: float | None) -> None:
    async def story() -> None:
        bob, first, second = await one_holds_and_another_asks(silence, esp_at)
        assert (bob.pairs, first.pairs, second.pairs) == (1, 1, 0)

    run(story())


def forge(hub: Gateway) -> None:
    """Packets in the clear, with forged sources, meet the policies of its clients each second."""
    for policy in hub.kernel.policies:
        if policy.direction is not Direction.OUT:
            hub.kernel.drop(policy)
    asyncio.get_running_loop().call_later(1, forge, hub)


def test_packets_in_the_clear_that_its_policies_drop_keep_no_network_for_a_client_that_is_gone() -> None:
    async def story() -> None:
        bob, first, second = await one_holds_and_another_asks(silence=100, esp_at=10, forged=True)
        assert (bob.pairs, second.pairs) == (1, 0), "the one packet of ESP may have come a moment ago"
        await asyncio.sleep(30)
        await bring_up(second)
        await asyncio.sleep(10)
        assert (bob.pairs, first.pairs, second.pairs) == (1, 0, 1)

    run(story())


# -- an identity that is one peer's own ---------------------------------------------------------------------------


async def one_peer() -> tuple[World, Nat, Gateway, Gateway]:
    """The hub and a peer whose identity is its own, behind a NAT; its tunnel stands."""
    nat = Nat(HERE, *CLIENTS[:5])
    world = World(Network(nat=nat))
    bob = world.gateway(BOB, hub(*networks(2)))
    peer = world.gateway(CLIENTS[0], client(CLIENTS[0], "10.3.0.0/24"))
    await bring_up(peer)
    await asyncio.sleep(1)
    return world, nat, bob, peer


def outbound(gateway: Gateway) -> set[object]:
    return {sa.encap for sa in gateway.kernel.sas.values() if sa.source == gateway.address}


def silent(view: Connection) -> Connection:
    """It does not say that it begins anew."""
    return replace(view, unique=Unique.NEVER)


def test_who_comes_back_from_another_port_replaces_its_former_self_at_once() -> None:
    async def story() -> None:
        world, nat, bob, peer = await one_peer()
        before = outbound(bob)
        nat.forget(peer.address)
        started = asyncio.get_running_loop().time()
        back = await reborn(world, peer, seed=50)
        assert asyncio.get_running_loop().time() - started < 2
        assert back.pairs == bob.pairs == 1
        assert len(bob.kernel.sas) == 2
        assert outbound(bob).isdisjoint(before), "packets go to the new port"
        await asyncio.sleep(20)
        assert len(bob.session.live) == 1
        assert back.pairs == 1

    run(story())


def test_who_moves_takes_along_all_that_its_former_self_had() -> None:
    async def story() -> None:
        world, nat, bob, peer = await one_peer()
        other = world.gateway(peer.address, silent(client(peer.address, "10.3.1.0/24")), seed=20)
        await bring_up(other)
        await asyncio.sleep(1)
        assert bob.pairs == 2
        nat.forget(peer.address)
        await reborn(world, peer, seed=50)
        assert bob.pairs == 1
        assert len(bob.kernel.sas) == 2

    run(story())


def test_a_second_phase_1_from_another_port_ends_nothing() -> None:
    async def story() -> None:
        world, nat, bob, peer = await one_peer()
        nat.forget(peer.address)
        elsewhere = world.gateway(peer.address, silent(client(peer.address, "10.9.9.0/24")), seed=50)
        with pytest.raises(PeerRefused):
            await bring_up(elsewhere)
        await asyncio.sleep(20)
        assert bob.pairs == 1
        assert len(bob.session.live) == 2

    run(story())


def test_a_second_quick_mode_from_the_same_place_is_a_rekey_and_ends_nothing() -> None:
    async def story() -> None:
        world, _, bob, peer = await one_peer()
        await bring_up(world.gateway(peer.address, silent(client(peer.address, "10.3.0.0/24")), seed=50))
        await asyncio.sleep(10)
        assert bob.pairs == 2
        assert len(bob.kernel.sas) == 4
        await asyncio.sleep(20)
        assert bob.pairs == 1

    run(story())


# -- templates ----------------------------------------------------------------------------------------------------


def blocks(gateway: Gateway) -> list[tuple[str, bool]]:
    """The destinations that nothing leaves to, and whether a narrower policy goes before."""
    policies = gateway.kernel.policies.values()
    return [(str(p.id.destination), bool(p.priority & 1)) for p in policies if p.action is Action.BLOCK]


def test_each_client_gets_the_part_of_a_template_that_it_asks_for() -> None:
    async def story() -> None:
        world = World(Network(nat=two_nats()))
        bob = world.gateway(BOB, hub(roads(), group_key=True))
        bob.engine.start()
        clients = [world.gateway(where, client(where, f"10.3.{n}.0/24"), seed=n) for n, where in enumerate(CLIENTS)]
        await asyncio.gather(*map(bring_up, clients))
        await asyncio.sleep(60)
        assert [each.pairs for each in clients] == [1] * 9
        tunnels = [p for p in bob.kernel.policies.values() if p.id.direction is Direction.OUT and p.template]
        tunnels = [p for p in tunnels if p.action is Action.TUNNEL]
        assert sorted(str(p.id.destination) for p in tunnels) == [f"10.3.{n}.0/24" for n in range(9)]
        assert len({p.reqid for p in tunnels}) == 9
        assert blocks(bob) == [("10.3.0.0/16", True)]

    run(story())


def test_what_a_template_is_for_is_blocked_before_anybody_asks_for_a_part_and_after() -> None:
    async def story() -> None:
        world = World()
        bob = world.gateway(BOB, hub(roads()))
        bob.engine.start()
        await asyncio.sleep(0.1)
        assert blocks(bob) == [("10.3.0.0/16", True)]
        peer = world.gateway(CLIENTS[0], client(CLIENTS[0], "10.3.7.0/24"))
        await bring_up(peer)
        peer.session.unwant("lan")
        await asyncio.sleep(20)
        assert blocks(bob) == [("10.3.0.0/16", True)]
        assert bob.nothing_installed

    run(story())


@pytest.mark.parametrize("network", ["10.4.0.0/24", "10.3.0.0/16", "10.0.0.0/8"])
def test_what_is_no_part_of_a_template_is_refused_by_name(network: str) -> None:
    async def story() -> None:
        world = World()
        bob = world.gateway(BOB, hub(roads()))
        bob.engine.start()
        with pytest.raises(PeerRefused):
            await bring_up(world.gateway(CLIENTS[0], client(CLIENTS[0], network)))
        (refused,) = bob.history.refused
        assert "roads has 10.1.0.0/24 === within 10.3.0.0/16" in say(refused.cause)
        assert not bob.kernel.sas

    run(story())


def test_a_client_has_one_part_of_a_template_and_is_told_so() -> None:
    async def story() -> None:
        world = World()
        bob = world.gateway(BOB, hub(roads()))
        two = tuple(child(name=f"l{n}", reqid=0x696B0000 + n, local=f"10.3.{n}.0/24", remote=HUB_LAN) for n in (1, 2))
        peer = world.gateway(CLIENTS[0], replace(client(CLIENTS[0], "10.3.1.0/24"), children=two))
        await bring_up(peer, "l1")
        with pytest.raises(PeerRefused):
            await bring_up(peer, "l2")
        await asyncio.sleep(20)
        assert bob.pairs == peer.pairs == 1
        (refused,) = bob.history.refused
        assert "has 10.3.1.0/24 of roads, and gets one part of it" in say(refused.cause)

    run(story())


def test_who_comes_anew_from_the_same_place_may_ask_for_another_part() -> None:
    async def story() -> None:
        world = World()
        bob = world.gateway(BOB, hub(roads()))
        await bring_up(world.gateway(CLIENTS[0], client(CLIENTS[0], "10.3.1.0/24")))
        new = world.gateway(CLIENTS[0], client(CLIENTS[0], "10.3.2.0/24"), seed=50)
        await bring_up(new)
        await asyncio.sleep(20)
        assert bob.pairs == new.pairs == 1
        assert {str(p.id.destination) for p in bob.kernel.policies.values() if p.id.direction is Direction.OUT} == {
            "10.3.2.0/24"
        }

    run(story())


def test_two_clients_cannot_have_one_part() -> None:
    async def story() -> None:
        world = World(Network(nat=two_nats()))
        bob = world.gateway(BOB, hub(roads(), group_key=True))
        first, second = [
            world.gateway(where, client(where, "10.3.7.0/24"), seed=n) for n, where in enumerate(CLIENTS[4:6])
        ]
        outcomes = await asyncio.gather(bring_up(first), bring_up(second), return_exceptions=True)
        await asyncio.sleep(20)
        assert sorted(map(type, outcomes), key=str) == sorted([type(None), PeerRefused], key=str)
        assert bob.pairs == first.pairs + second.pairs == 1

    run(story())


def test_status_shows_what_each_client_has_of_a_template_and_where_it_is() -> None:
    async def story() -> None:
        world = World()
        bob = world.gateway(BOB, hub(roads(), group_key=True))
        both = [world.gateway(where, client(where, f"10.3.{n}.0/24"), seed=n) for n, where in enumerate(CLIENTS[:2])]
        await asyncio.gather(*map(bring_up, both))
        await asyncio.sleep(1)
        (view,) = bob.engine._config.connections
        sessions, pace = list(bob.engine.sessions()), Pace()
        shown = await connection_view(view, view.children, sessions, None, bob.kernel, pace)
        (child,) = shown["children"]
        assert child["remote"] == "within 10.3.0.0/16"
        assert [(sa["remote"], sa["remote_selector"]) for sa in child["sas"]] == [
            ("192.0.2.1", "10.3.0.0/24"),
            ("192.0.2.2", "10.3.1.0/24"),
        ]
        assert [isakmp["remote"] for isakmp in shown["isakmp"]] == ["192.0.2.1:500", "192.0.2.2:500"]

    run(story())
