"""INITIAL-CONTACT between whole gateways: what a crash leaves at the other side ends, and nothing else does."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from ikevd.addresses import Address
from ikevd.facts import Sent
from ikevd.peer.timing import TO_ANSWER
from ikevd.policy.model import Connection, Lifetime, Unique
from tests.builders import ALICE, BOB, NO_DPD, child, connection, fqdn, mirrored, psk
from tests.duet import Network
from tests.gateways import Gateway, World, alice_and_bob, bring_up, reload, ripen
from tests.nat import Nat
from tests.negotiation.crashes import (
    AT_ONCE,
    BOTH,
    DMZ,
    LAN,
    agree,
    crash,
    facts_of,
    greetings,
    inbound,
    machines,
    noted,
    only,
)
from tests.negotiation.mortal import Machine
from tests.negotiation.roaming import CLIENTS, HERE, client, hub, networks, reborn, two_nats
from tests.virtual_time import run

# -- after a crash


@pytest.mark.parametrize("whose", ["alice", "bob"])
def test_after_a_crash_of_either_the_children_come_back_at_once(whose: str) -> None:
    async def story() -> None:
        alice, bob = await machines()
        crashed, other = (alice, bob) if whose == "alice" else (bob, alice)
        assert other.gateway is not None
        before = inbound(other.gateway)
        again = await crash(crashed)
        await asyncio.sleep(AT_ONCE)
        assert greetings(again) == ["MM5"]
        assert noted(other.gateway, "of before end")
        assert not before & inbound(other.gateway), "none leads to where nothing is any more"
        assert agree(again, other.gateway)
        assert other.gateway.pairs == 2

    run(story())


def test_a_child_that_the_crashed_peer_does_not_start_is_begun_by_us() -> None:
    async def story() -> None:
        alice, bob = await machines(only(BOTH, "lan", "dmz"), only(mirrored(BOTH), "lan"))
        again = await crash(bob)
        await asyncio.sleep(AT_ONCE)
        assert alice.gateway is not None
        assert {name: len(c.standing) for name, c in again.session.states.items()} == {"lan": 1, "dmz": 1}
        assert agree(again, alice.gateway)

    run(story())


def test_a_responder_that_has_lost_all_says_it_in_message_6() -> None:
    async def story() -> None:
        _, alice, bob = alice_and_bob()
        await bring_up(alice)
        assert (greetings(alice), greetings(bob)) == (["MM5"], ["MM6"])

    run(story())


def test_after_aggressive_mode_it_is_said_in_a_message_of_its_own_and_heard() -> None:
    async def story() -> None:
        view = connection(aggressive=True, children=(LAN,))
        alice, bob = await machines(view, only(mirrored(view)))
        assert bob.gateway is not None
        before = inbound(bob.gateway)
        again = await crash(alice)
        await asyncio.sleep(AT_ONCE)
        assert noted(again, "we say INITIAL_CONTACT")
        assert noted(bob.gateway, "of before end")
        assert not before & inbound(bob.gateway)
        assert agree(again, bob.gateway)

    run(story())


# -- where something is held


def test_after_a_restart_with_the_store_a_renewal_says_nothing_and_cuts_nothing() -> None:
    async def story() -> None:
        view = replace(BOTH, lifetime=Lifetime(600))
        alice, bob = await machines(view, only(mirrored(view)))
        again = await alice.restart()
        assert bob.gateway is not None
        before, said_before = inbound(bob.gateway), greetings(bob.gateway)
        await asyncio.sleep(700)
        again.session.unwant("dmz")
        await asyncio.sleep(1)
        await again.session.want("dmz")
        assert len(facts_of(again, Sent)) > 0
        assert greetings(again) == []
        assert greetings(bob.gateway) == said_before
        assert len(before & inbound(bob.gateway)) == 1, "lan stands as it stood"

    run(story())


CHANGED = {
    "local_id": (connection(local_id=fqdn("old.example")), connection(local_id=fqdn("new.example"))),
    "local": (replace(connection(), local=None), connection()),
}
"""Before and after a reload."""


@pytest.mark.parametrize("key", CHANGED)
def test_who_has_changed_its_identity_by_a_reload_says_nothing_at_renewals(key: str) -> None:
    async def story() -> None:
        before, after = CHANGED[key]
        his = [mirrored(replace(view, local=ALICE)) for view in (before, after)]
        _, alice, bob = alice_and_bob(view=before, other=his[0])
        await bring_up(alice)
        await reload(bob, his[1])
        await reload(alice, after)
        await asyncio.sleep(60)
        await bring_up(alice)
        await asyncio.sleep(60)
        said = len(greetings(alice)), len(greetings(bob))
        for _ in range(2):
            standing = inbound(alice)
            ripen(alice.session)
            await asyncio.sleep(60)
            assert (len(greetings(alice)), len(greetings(bob))) == said
            assert inbound(alice) == standing
            assert agree(alice, bob)
            assert alice.pairs == bob.pairs == 1

    run(story())


@pytest.mark.parametrize("key", CHANGED)
def test_of_a_connection_that_has_changed_its_identity_and_is_gone_nothing_is_kept(key: str) -> None:
    async def story() -> None:
        before, after = CHANGED[key]
        _, alice, _ = alice_and_bob(view=before, other=mirrored(replace(before, local=ALICE)))
        await bring_up(alice)
        await reload(alice, after)
        await asyncio.sleep(60)
        await reload(alice)
        await asyncio.sleep(60)
        contacts = alice.engine._peers._contacts
        assert not contacts._known
        assert not contacts._entered

    run(story())


async def two_connections() -> tuple[World, Machine, Machine]:
    """With one peer, told from one another by their keys alone, and up for a minute."""
    world = World()
    views = [connection(name=c.name, psk=psk(f"key of {c.name}"), children=(c,)) for c in (LAN, DMZ)]
    alice = Machine(world, ALICE, *views)
    bob = Machine(world, BOB, *(replace(only(mirrored(view)), name=view.name) for view in views))
    bob.boot()
    alice.boot().engine.start()
    await asyncio.sleep(60)
    return world, alice, bob


def test_two_connections_with_one_peer_do_not_end_each_other() -> None:
    async def story() -> None:
        _, alice, bob = await two_connections()
        assert alice.gateway is not None
        assert bob.gateway is not None
        assert (alice.gateway.pairs, bob.gateway.pairs) == (2, 2)
        assert greetings(alice.gateway) == ["MM5"], "of two the first"
        assert not noted(bob.gateway, "of before end")

    run(story())


def test_what_another_connection_has_with_the_crashed_peer_begins_anew_too() -> None:
    """Alice has one connection with both children, Bob one for each; her call is for the first."""

    async def story() -> None:
        world = World()
        his = [replace(mirrored(BOTH), name=c.name, children=(c,)) for c in mirrored(BOTH).children]
        alice, bob = Machine(world, ALICE, only(BOTH)), Machine(world, BOB, *his)
        alice.boot()
        bob.boot().engine.start()
        await asyncio.sleep(60)
        assert bob.gateway is not None
        before = inbound(bob.gateway)
        assert len(before) == 2
        again = await crash(alice)
        await bring_up(again)
        await asyncio.sleep(AT_ONCE)
        assert not before & inbound(bob.gateway)
        assert agree(again, bob.gateway)
        assert bob.gateway.pairs == 2

    run(story())


def test_two_that_call_at_once_do_not_end_each_other() -> None:
    async def story() -> None:
        _, alice, bob = alice_and_bob()
        await asyncio.gather(bring_up(alice), bring_up(bob))
        await asyncio.sleep(AT_ONCE)
        assert alice.pairs == bob.pairs > 0
        assert not noted(alice, "of before end")
        assert not noted(bob, "of before end")

    run(story())


# -- who may end what


def test_a_member_of_a_group_ends_what_it_had_itself_and_nothing_of_another() -> None:
    async def story() -> None:
        world = World(Network(nat=two_nats()))
        bob = world.gateway(BOB, hub(*networks(3), group_key=True))
        members = [world.gateway(where, client(where, f"10.3.{n}.0/24"), seed=n) for n, where in enumerate(CLIENTS[:3])]
        for each in members:
            await bring_up(each)
        await asyncio.sleep(60)
        again = await reborn(world, members[0], seed=50)
        assert greetings(again) == ["MM5"]
        assert [each.pairs for each in members[1:]] == [1, 1]
        assert bob.pairs == 3

    run(story())


def test_a_member_behind_the_same_nat_is_asked_whether_it_lives_and_goes_if_it_is_silent() -> None:
    """The crashed one comes back from another port: for the hub it is a member that it does not know."""

    async def story() -> None:
        nat = Nat(HERE, *CLIENTS[:5])
        world = World(Network(nat=nat))
        bob = world.gateway(BOB, hub(*networks(3), group_key=True))
        members = [world.gateway(where, client(where, f"10.3.{n}.0/24"), seed=n) for n, where in enumerate(CLIENTS[:2])]
        for each in members:
            await bring_up(each)
        await asyncio.sleep(5)
        members[0].session.close()
        nat.forget(CLIENTS[0])
        await bring_up(world.gateway(CLIENTS[0], client(CLIENTS[0], "10.3.2.0/24"), seed=50))
        await asyncio.sleep(0.1)
        assert bob.pairs == 3
        assert noted(bob, "begins anew under the same identity")
        await asyncio.sleep(12)
        assert bob.pairs == 2, "the living member has answered, the crashed one has not"
        assert members[1].pairs == 1

    run(story())


def test_who_has_another_key_ends_nothing_though_it_shows_the_same_identity() -> None:
    async def story() -> None:
        world = World()
        alices = connection(local_id=fqdn("gw.example"), children=(child(),))
        other = replace(alices, local=CLIENTS[4], psk=psk("another key"), children=(DMZ,))
        bob = world.gateway(
            BOB,
            mirrored(alices),
            replace(mirrored(other), name="other", remote=None, children=only(mirrored(other)).children),
        )
        alice = world.gateway(ALICE, alices)
        await bring_up(alice)
        await asyncio.sleep(60)
        mallory = world.gateway(CLIENTS[4], other)
        await bring_up(mallory, "dmz")
        await asyncio.sleep(1)
        assert greetings(mallory) == ["MM5"]
        assert (alice.pairs, bob.pairs) == (1, 2)

    run(story())


# -- unique


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
