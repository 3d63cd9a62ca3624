"""Forged first messages of Main Mode: who is genuine keeps a place for longer than a round trip, whatever comes."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import ip_address

import pytest

from ikevd.addresses import Address, Endpoint, Path
from ikevd.conversation.duplicates import MAX_ANSWERS
from ikevd.conversation.timing import LARVAL
from ikevd.facts import Failed, Heard, Note, Sent
from ikevd.findings import RecordedLate
from ikevd.negotiation.larval import SPARE
from ikevd.negotiation.waiting_room import WHOLE, WHOLE_OF_ONE
from ikevd.policy.connection import Resend
from ikevd.policy.settings import Limits
from ikevd.wire.payloads import VidPayload
from ikevd.wire.registry import Group, Hash
from tests.builders import AES256_SHA1_MODP2048, ALICE, BOB, connection, fqdn, mirrored, psk
from tests.gateways import Gateway, bring_up
from tests.hostile.first_messages import CAROL, ONCE, STRANGER, TO_CAROL, Hub, forged, unequal
from tests.sayings import said
from tests.virtual_time import run

VISITOR = connection(
    local=STRANGER, local_id=fqdn("anybody.example"), psk=psk("m4rked-secret of anybody"), resend=Resend(60, 1, 1)
)
MANY_SUITES = (
    *(
        replace(AES256_SHA1_MODP2048, hash=hash, group=group)
        for hash in Hash
        for group in (Group.MODP_3072, Group.MODP_4096)
    ),
    *VISITOR.suites,
)


async def seconds_until_up(gateway: Gateway) -> float:
    begin = asyncio.get_running_loop().time()
    await bring_up(gateway)
    return asyncio.get_running_loop().time() - begin


async def four_round_trips(gateway: Gateway, round_trip: float) -> None:
    """Three of Main Mode and one of Quick Mode: not one message had to be sent again."""
    assert await seconds_until_up(gateway) == pytest.approx(4 * round_trip)


# -- a configured peer


@pytest.mark.parametrize(("rate", "round_trip"), [(100, 0.1), (100, 0.26), (1000, 0.3)])
def test_a_flood_that_bears_the_peers_own_address_delays_it_by_nothing(rate: int, round_trip: float) -> None:
    async def story() -> None:
        hub = Hub(round_trip=round_trip)
        alice = hub.world.gateway(ALICE, ONCE)
        with hub.flood(forged(), rate, lambda number: ALICE):
            await asyncio.sleep(1.2)
            await four_round_trips(alice, round_trip)

    run(story())


@pytest.mark.parametrize(
    "length", [300, pytest.param(1400, marks=pytest.mark.soak), pytest.param(8000, marks=pytest.mark.long)]
)
def test_long_messages_no_two_of_which_are_equal_push_out_no_shorter_one(length: int) -> None:
    async def story() -> None:
        hub = Hub()
        alice = hub.world.gateway(ALICE, ONCE)
        with hub.flood(unequal(length), 1000, lambda number: ALICE):
            await asyncio.sleep(1)
            await four_round_trips(alice, 0.3)

    run(story())


def test_forged_messages_of_one_configured_address_push_out_nothing_of_another() -> None:
    async def story() -> None:
        hub = Hub()
        carol = hub.world.gateway(CAROL, replace(ONCE, local=CAROL))
        attempt = asyncio.ensure_future(four_round_trips(carol, 0.3))
        await asyncio.sleep(0.2)
        hub.burst(forged(), 3000)
        await attempt

    run(story())


def test_of_one_configured_address_the_oldest_makes_way() -> None:
    async def story() -> None:
        hub = Hub(limits=Limits(first_messages_per_address=600))
        hub.burst(forged(), 1000)
        assert hub.bob.engine.half_open == 600
        assert hub.counted("first message made way for a newer one") == 400
        assert hub.answers() == 1000, "each, at once"

    run(story())


def test_of_all_configured_addresses_the_oldest_makes_way_where_the_room_of_all_is_used_up() -> None:
    async def story() -> None:
        hub = Hub(limits=Limits(first_messages=100, first_messages_per_address=80))
        hub.burst(forged(), 80)
        hub.burst(forged(), 80, CAROL)
        assert hub.bob.engine.half_open == 100

    run(story())


# -- a stranger


def test_a_stranger_connects_while_others_from_everywhere_begin_and_do_not_answer() -> None:
    async def story() -> None:
        hub = Hub()
        visitor = hub.world.gateway(STRANGER, VISITOR)
        with hub.flood(forged(), 1000, lambda number: STRANGER + 1 + number):
            await asyncio.sleep(0.5)
            await four_round_trips(visitor, 0.3)

    run(story())


@pytest.mark.parametrize(
    "longer", [pytest.param(400, marks=pytest.mark.long), pytest.param(700, marks=pytest.mark.soak)]
)
def test_messages_of_another_or_about_the_same_length_push_out_no_long_one(longer: int) -> None:
    """Thirteen suites make a message 1 of 568 octets."""

    async def story() -> None:
        hub = Hub()
        visitor = hub.world.gateway(STRANGER, replace(VISITOR, suites=MANY_SUITES))
        with hub.flood(unequal(longer), 1000, lambda number: STRANGER + 1 + number):
            await asyncio.sleep(4)
            await four_round_trips(visitor, 0.3)

    run(story())


def test_strangers_push_out_no_first_message_of_a_configured_peer() -> None:
    async def story() -> None:
        hub = Hub(limits=Limits(first_messages=50, first_messages_per_address=50))
        alice = hub.world.gateway(ALICE, ONCE)
        attempt = asyncio.ensure_future(four_round_trips(alice, 0.3))
        await asyncio.sleep(0.2)
        hub.burst(forged(), 2000, STRANGER)
        await attempt
        assert hub.bob.engine.half_open == 50

    run(story())


# -- what is answered


def test_a_repetition_is_answered_with_the_same_message_2_as_often_as_a_peer_under_loss_needs() -> None:
    async def story() -> None:
        hub = Hub()
        octets = next(forged())
        for _ in range(100):
            hub.burst(iter([octets]), 1)
        answers = {octets for _, path, octets in hub.world.wire if path.local.address == BOB}
        assert (len(answers), hub.answers()) == (1, 1 + MAX_ANSWERS)
        assert hub.bob.engine.half_open == 1

    run(story())


def test_another_first_message_under_the_same_cookie_is_dropped_and_the_first_goes_on() -> None:
    async def story() -> None:
        hub = Hub()
        hub.burst(forged(), 1)
        hub.burst(forged(VidPayload(b"more")), 1)
        assert hub.answers() == 1
        assert hub.counted("drop: first message under a cookie that is taken") == 1

    run(story())


def test_the_answer_is_the_same_but_for_the_cookies_however_many_equal_messages_came_before() -> None:
    async def story() -> None:
        hub = Hub()
        hub.burst(forged(), 200)
        behind = {octets[16:] for _, path, octets in hub.world.wire if path.local.address == BOB}
        cookies = {octets[:16] for _, path, octets in hub.world.wire if path.local.address == BOB}
        assert (len(behind), len(cookies)) == (1, 200)

    run(story())


def test_an_equal_message_of_an_address_with_another_connection_has_the_answer_of_that_connection() -> None:
    async def story() -> None:
        hub = Hub()
        other = replace(TO_CAROL, suites=(AES256_SHA1_MODP2048, *TO_CAROL.suites))
        bob = hub.world.gateway(BOB, mirrored(connection()), other)
        hub.bob = bob
        both = connection(suites=(*connection().suites, AES256_SHA1_MODP2048))
        hub.burst(forged(view=both), 100)
        hub.burst(forged(view=both), 100, CAROL)
        to = {CAROL: set[bytes](), ALICE: set[bytes]()}
        for _, path, octets in hub.world.wire:
            to[path.remote.address].add(octets[16:])
        assert len(to[ALICE]) == len(to[CAROL]) == 1
        assert to[ALICE] != to[CAROL]

    run(story())


def test_no_answer_to_a_first_message_is_longer_than_the_message() -> None:
    """Nobody gains by having us answer to a forged address."""

    async def story() -> None:
        hub = Hub()
        for number, octets in enumerate((next(forged()), next(forged(VidPayload(bytes(20)))), next(unequal(300)))):
            before = len(hub.world.wire)
            hub.burst(iter([octets]), 1, STRANGER + number)
            ((_, _, answer),) = hub.world.wire[before:]
            assert len(answer) <= len(octets)

    run(story())


# -- what is kept


@pytest.mark.parametrize(
    ("messages", "places"),
    [
        pytest.param(forged, 300, id="equal"),
        pytest.param(lambda: unequal(100), 1000, id="unequal", marks=pytest.mark.long),
    ],
)
def test_a_first_message_takes_less_than_a_kilobyte_until_our_cookie_comes_back(
    messages: Callable[[], Iterator[bytes]], places: int
) -> None:
    assert octets_of_a_place(messages(), ALICE, places) < 1024


def octets_of_a_place(messages: Iterator[bytes], source: Address, places: int) -> float:
    """What each of so many takes, on average, that come each from a port of its own."""

    async def story() -> float:
        hub = Hub(limits=Limits(first_messages_per_address=20_000))
        hub.burst(messages, 100)
        await asyncio.sleep(LARVAL + 1)
        await _forget_what_was_sent(hub)
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        for number in range(places):
            path = Path(Endpoint(ip_address(int(BOB)), 500), Endpoint(ip_address(int(source)), 1000 + number))
            hub.bob.engine.datagram(next(messages), path)
        await _forget_what_was_sent(hub)
        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert hub.bob.engine.half_open == places
        return (after - before) / places

    return run(story())


async def _forget_what_was_sent(hub: Hub) -> None:
    await asyncio.sleep(0.5)
    hub.world.wire.clear()
    gc.collect()


def test_the_octets_of_long_unequal_messages_are_bounded() -> None:
    async def story() -> None:
        hub = Hub()
        hub.burst(unequal(7900), 500)
        assert hub.bob.engine.half_open <= 1.1 * SPARE / 7900
        hub.burst(forged(VidPayload(bytes(7900))), 500, CAROL)
        assert hub.bob.engine.half_open > 500, "equal ones are kept once"

    run(story())


def test_all_of_it_is_given_back() -> None:
    async def story() -> None:
        hub = Hub()
        for source in (ALICE, STRANGER):
            hub.burst(unequal(1000), 300, source)
            hub.burst(forged(), 300, source)
        await asyncio.sleep(LARVAL + 1)
        assert hub.bob.engine.half_open == 0
        hub.burst(forged(), 1)
        assert hub.bob.engine.half_open == 1

    run(story())


# -- what is on record


def test_a_flood_leaves_few_records_and_those_of_others() -> None:
    async def story() -> None:
        hub = Hub()
        hub.burst(forged(), 1, STRANGER)
        hub.burst(forged(), 500)
        assert len(hub.records()) == 1 + WHOLE_OF_ONE
        for number in range(2 * WHOLE):
            hub.burst(forged(), 1, STRANGER + 1 + number)
        assert len(hub.records()) == WHOLE + WHOLE_OF_ONE
        assert hub.records()[0].peer.address == STRANGER
        hub.burst(forged(), 1, CAROL)
        assert hub.records()[-1].peer.address == CAROL

    run(story())


def test_who_does_not_echo_our_cookie_is_on_record_as_silent() -> None:
    async def story() -> None:
        hub = Hub()
        hub.burst(forged(), 1)
        await asyncio.sleep(LARVAL + 1)
        ((heard, sent, failed),) = [[entry.fact for entry in record.entries] for record in hub.records()]
        assert isinstance(heard, Heard)
        assert isinstance(sent, Sent)
        assert isinstance(failed, Failed)
        assert (said(failed), failed.error) == ("no MM3 in 30 s", "NoAnswer")

    run(story())


def test_who_echoes_our_cookie_in_a_flood_has_a_whole_record() -> None:
    async def story() -> None:
        hub = Hub()
        alice = hub.world.gateway(ALICE, ONCE)
        with hub.flood(forged(), 1000, lambda number: ALICE):
            await asyncio.sleep(0.2)
            await bring_up(alice)
        (record,) = [record for record in hub.records() if record.authenticated and record.message_id == 0]
        labels = [entry.fact.label for entry in record.entries if isinstance(entry.fact, Heard | Sent)]
        assert labels == ["MM1", "MM2", "MM3", "MM4", "MM5", "MM6"]
        assert record.entries[0].fact == Note(RecordedLate(0.3))

    run(story())
