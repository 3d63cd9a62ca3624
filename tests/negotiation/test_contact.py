"""INITIAL-CONTACT between whole gateways: what a crash leaves at the other side ends, and nothing else does."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from ikevd.facts import Sent
from ikevd.policy.lives import Lifetime
from tests.builders import ALICE, BOB, child, connection, fqdn, mirrored, psk
from tests.duet import Network
from tests.gateways import World, alice_and_bob, bring_up, reload, ripen
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
