"""Floods of first messages: state, answers, Diffie-Hellman and lines are bounded, and a configured peer connects."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address
from itertools import count
from typing import Any

import pytest

from ikevd.conversation.timing import LARVAL
from ikevd.crypto import groups
from ikevd.negotiation.limits import EVICTIONS
from ikevd.negotiation.lobby import KEY_PAIRS
from ikevd.observe.history import MAX_STRANGERS
from ikevd.policy.connection import Connection, Resend
from ikevd.policy.settings import Limits
from ikevd.sa.model import Cookies
from ikevd.wire.message import HEADER_OCTETS, Header, Message
from ikevd.wire.payloads import KePayload
from ikevd.wire.registry import Group
from tests.builders import ALICE, BOB, connection, fqdn, mirrored, psk
from tests.duet import Network
from tests.gateways import Gateway, World, bring_up
from tests.hostile.mallory import Aggressive, MainMode, Mallory, changed, mallory_at
from tests.hostile.observed import calls_of
from tests.virtual_time import run

STRANGER = ip_address("203.0.113.9")
ROADWARRIOR = replace(
    mirrored(connection(psk=psk("m4rked-secret of anybody"))),
    name="anybody",
    remote=None,
    remote_id=fqdn("anybody.example"),
    aggressive=True,
)
LIMITS = Limits(half_open=150, first_messages=300, first_messages_per_address=300)


def first_messages(view: Connection, *, aggressive: bool = False, address: Any = STRANGER) -> Iterator[bytes]:
    """The same message under one cookie after the other."""
    mallory = Mallory(view, mallory_at(address, BOB), lambda octets, path: None, list)
    cookies = Cookies(bytes(8))
    genuine = (Aggressive(mallory, cookies) if aggressive else MainMode(mallory, cookies)).message_1()
    number = 0
    while True:
        number += 1
        yield changed(genuine, 0, number.to_bytes(8, "big"))


def flood(bob: Gateway, messages: Iterator[bytes], times: int, *, first: Any = STRANGER, same: bool = False) -> None:
    for number in range(times):
        source = first if same else first + 256 * (number % 60000)
        bob.engine.datagram(next(messages), mallory_at(source, BOB))


def answers(world: World) -> int:
    return len([path for _, path, _ in world.wire if path.local.address == BOB and path.remote.address != ALICE])


def world_with_bob(limits: Limits = LIMITS, *, aggressive: bool = False) -> tuple[World, Gateway]:
    world = World()
    return world, world.gateway(BOB, mirrored(connection(aggressive=aggressive)), ROADWARRIOR, limits=limits)


VISITOR = connection(local_id=fqdn("anybody.example"), aggressive=True)


def test_a_flood_of_main_modes_from_random_addresses_is_bounded_and_a_configured_peer_connects() -> None:
    async def story() -> None:
        world, bob = world_with_bob()
        flood(bob, first_messages(VISITOR), 1500)
        assert bob.engine.half_open == LIMITS.first_messages
        assert answers(world) == 1500, "one each"
        await connects_and_all_is_given_back(world, bob)
        assert answers(world) == 1500, "none by timer"

    run(story())


def test_a_flood_of_aggressive_modes_from_random_addresses_is_bounded_and_a_configured_peer_connects() -> None:
    async def story() -> None:
        world, bob = world_with_bob()
        flood(bob, first_messages(VISITOR, aggressive=True), 1500)
        assert bob.engine.half_open == LIMITS.half_open
        assert answers(world) <= LIMITS.half_open + EVICTIONS, "one each, and silence to the rest"
        assert bob.counters["drop: half-open limit"] == 1500 - answers(world)
        before = answers(world)
        await connects_and_all_is_given_back(world, bob)
        assert answers(world) == before, "none by timer"

    run(story())


async def connects_and_all_is_given_back(world: World, bob: Gateway) -> None:
    assert len(list(bob.history.find())) <= MAX_STRANGERS
    alice = world.gateway(ALICE, connection())
    await bring_up(alice)
    assert alice.pairs == 1
    await asyncio.sleep(40)
    assert bob.engine.half_open == 0


def test_a_flood_that_goes_on_lets_a_configured_peer_connect_all_the_while() -> None:
    async def story() -> None:
        world, bob = world_with_bob()
        messages = first_messages(VISITOR)
        alice = world.gateway(ALICE, connection(resend=Resend(1, 1.5, 4)))
        attempt = asyncio.ensure_future(bring_up(alice))
        for _ in range(100):
            flood(bob, messages, 20)
            await asyncio.sleep(0.002)
        await attempt
        assert alice.pairs == bob.pairs == 1

    run(story())


@pytest.mark.parametrize("rate", [50, 100])
def test_a_flood_of_aggressive_modes_with_the_address_and_identity_of_the_peer_does_not_keep_it_out(rate: int) -> None:
    async def story() -> None:
        world = World(Network(delay=0.15))
        view = connection(aggressive=True)
        bob = world.gateway(BOB, mirrored(view))
        attempt = asyncio.ensure_future(bring_up(world.gateway(ALICE, view)))
        messages = first_messages(view, aggressive=True, address=ALICE)
        for _ in range(2 * rate):
            flood(bob, messages, 1, first=ALICE, same=True)
            await asyncio.sleep(1 / rate)
        assert attempt.done()
        await attempt

    run(story())


def test_a_flood_of_strangers_does_not_use_up_what_protects_a_peer_whose_address_is_forged() -> None:
    async def story() -> None:
        world, bob = world_with_bob(aggressive=True)
        strangers = first_messages(VISITOR, aggressive=True)
        forged = first_messages(connection(), address=ALICE, aggressive=True)
        flood(bob, strangers, 500)
        flood(bob, forged, 100, first=ALICE, same=True)
        flood(bob, strangers, 500)
        alice = world.gateway(ALICE, connection(aggressive=True, resend=Resend(1, 1.5, 1)))
        await bring_up(alice)

    run(story())


@pytest.mark.long
def test_forged_addresses_of_some_peers_do_not_lock_out_the_others() -> None:
    async def story() -> None:
        world = World()
        peers = [replace(mirrored(connection(aggressive=True)), name=f"peer{n}", remote=STRANGER + n) for n in range(3)]
        bob = world.gateway(BOB, mirrored(connection(aggressive=True)), *peers)
        messages = first_messages(connection(), aggressive=True)
        for number in range(len(peers)):
            flood(bob, messages, 300, first=STRANGER + number, same=True)
        await asyncio.sleep(1)
        alice = world.gateway(ALICE, connection(aggressive=True, resend=Resend(1, 1.5, 1)))
        await bring_up(alice)

    run(story())


def test_a_main_mode_flood_costs_no_diffie_hellman() -> None:
    """RFC 2408 section 2.5.3: nothing costly before the cookie came back."""

    async def story() -> None:
        _, bob = world_with_bob()
        with calls_of(groups.generate) as made:
            flood(bob, first_messages(VISITOR), 1000)
            assert made == []

    run(story())


def test_an_aggressive_flood_costs_diffie_hellman_only_for_known_identities_and_within_the_limits() -> None:
    async def story() -> None:
        _, bob = world_with_bob()
        with calls_of(groups.generate) as made:
            flood(bob, first_messages(connection(local_id=fqdn("nobody.example")), aggressive=True), 500)
            assert made.count("generate") == 1, "that of the flood's own message"
            made.clear()
            flood(bob, first_messages(VISITOR, aggressive=True), 1000)
            assert len(made) - 1 == LIMITS.half_open + EVICTIONS

    run(story())


def test_an_aggressive_flood_in_a_costly_group_makes_so_many_fewer_key_pairs() -> None:
    async def story() -> None:
        suite = replace(VISITOR.suites[0], group=Group.MODP_4096)
        bob = World().gateway(BOB, replace(ROADWARRIOR, suites=(suite,)))
        messages = first_messages(replace(VISITOR, suites=(suite,)), aggressive=True)
        with calls_of(groups.generate) as made:
            flood(bob, messages, 100)
            assert made.count("generate") - 1 == KEY_PAIRS / 8

    run(story())


def test_an_aggressive_flood_with_bad_public_values_holds_its_places_as_long_as_a_silent_one() -> None:
    async def story() -> None:
        _, bob = world_with_bob()
        genuine = next(first_messages(VISITOR, aggressive=True))
        header = Header.decode_untrusted(genuine)
        public = Message.decode_untrusted(header, genuine[HEADER_OCTETS:]).one(KePayload).body
        small_order = genuine.replace(public, bytes(len(public)))
        with calls_of(groups.generate) as made:
            flood(bob, (changed(small_order, 0, n.to_bytes(8, "big")) for n in count(1)), 1000)
            assert len(made) == LIMITS.half_open + EVICTIONS
        await asyncio.sleep(LARVAL + 1)
        assert bob.engine.half_open == 0

    run(story())


def test_a_flood_of_aggressive_modes_from_one_address_holds_few_negotiations_and_gets_few_answers() -> None:
    async def story() -> None:
        world, bob = world_with_bob()
        flood(bob, first_messages(VISITOR, aggressive=True), 2000, same=True)
        assert bob.engine.half_open == LIMITS.half_open_per_address
        assert answers(world) <= LIMITS.half_open_per_address + EVICTIONS, "those that made way for a newer one"

    run(story())


@pytest.mark.long
def test_a_flood_of_offers_that_nobody_accepts_gets_few_answers_and_leaves_nothing() -> None:
    async def story() -> None:
        world, bob = world_with_bob()
        strange = replace(VISITOR, suites=(replace(VISITOR.suites[0], key_bits=192),))
        flood(bob, first_messages(strange), 2000)
        assert bob.engine.half_open == 0
        assert answers(world) <= 20
        assert len(list(bob.history.find())) <= MAX_STRANGERS

    run(story())


def test_a_first_message_of_64_kilobytes_is_not_kept() -> None:
    async def story() -> None:
        world, bob = world_with_bob()
        long = next(first_messages(VISITOR)) + bytes(60000)
        bob.engine.datagram(changed(long, 24, len(long).to_bytes(4, "big")), mallory_at(STRANGER, BOB))
        assert bob.counters.as_dict() == {"drop: first message is too long": 1}
        assert bob.engine.half_open == answers(world) == 0

    run(story())


@pytest.mark.long
def test_the_memory_that_a_flood_takes_is_given_back_but_for_the_bounded_record() -> None:
    async def story() -> None:
        world, bob = world_with_bob(Limits())
        messages = first_messages(VISITOR)
        tracemalloc.start()
        taken = []
        for _ in range(7):  # the record is full after two
            flood(bob, messages, 500)
            await asyncio.sleep(31)
            world.wire.clear()
            gc.collect()
            taken.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        assert bob.engine.half_open == 0
        assert taken[-1] - taken[3] < 30_000, taken
        assert taken[-1] < 400_000, taken

    run(story())


def test_what_a_flood_says_to_the_operator_is_few_lines() -> None:
    """Each line names reason and address; the log limits both (tests/observe/test_log.py)."""

    async def story() -> None:
        world = World()
        bob = world.gateway(BOB, mirrored(connection()))
        flood(bob, first_messages(VISITOR), 300)
        assert bob.counters.as_dict() == {"drop: no connection for the address": 300}
        assert len({trouble.partition(" ")[2] for trouble in bob.troubles}) == 1
        assert world.wire == []

    run(story())
