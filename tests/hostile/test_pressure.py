"""Places of half-open negotiations are scarce: who makes way, for whom, and what is left of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from ipaddress import ip_address
from itertools import count

import pytest

from ikevd.addresses import Address, Endpoint, Path
from ikevd.conversation.timing import LARVAL
from ikevd.facts import Failed
from ikevd.policy.settings import Limits
from tests.builders import ALICE, connection, mirrored
from tests.gateways import Gateway, World
from tests.hostile.mallory import MainMode, Mallory
from tests.sayings import said
from tests.virtual_time import run

BOB6 = ip_address("2001:db8:1::1")
NETWORK = ip_address("2001:db8:bad::")
HONEST = ip_address("2001:db8:900d::1")
VIEW = replace(connection(), local=None, remote=BOB6)
ANYBODY = replace(mirrored(VIEW), local=None, remote=None, remote_id=None)
STATIC = replace(ANYBODY, name="static", remote=NETWORK + 0xFFFF)
LIMITS = Limits(half_open=40, half_open_per_address=5)


class Street:
    """Peers of Bob's, each with its own address or port."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.world = World()
        self.bob: Gateway = self.world.gateway(BOB6, ANYBODY, STATIC, limits=limits)
        self.cookies = count(1)

    def peer(self, address: Address, port: int = 500) -> Peer:
        return Peer(self, Path(Endpoint(BOB6, 500), Endpoint(address, port)))

    def refused(self) -> int:
        counts = self.bob.counters.as_dict()
        return sum(number for name, number in counts.items() if name.startswith("drop: half-open limit"))

    def failures(self) -> list[Failed]:
        entries = [entry.fact for record in self.bob.history.find() for entry in record.entries]
        return [fact for fact in entries if isinstance(fact, Failed)]


class Peer:
    """One Main Mode, step by step."""

    def __init__(self, street: Street, path: Path) -> None:
        self.path = path
        self.street = street
        self._seen = len(street.world.wire)
        self._mallory = Mallory(VIEW, path, street.bob.engine.datagram, self._answers)
        self.mode: MainMode = self._mallory.main_mode(next(street.cookies).to_bytes(8, "big"))

    def _answers(self) -> list[bytes]:
        new, self._seen = self.street.world.wire[self._seen :], len(self.street.world.wire)
        return [octets for _, path, octets in new if path == self.path]

    def begins(self) -> bool:
        """Message 1; tells whether it was answered."""
        answers = self._mallory.say(self.mode.message_1())
        if answers:
            self.mode.hear_2(*answers)
        return bool(answers)

    def echoes(self) -> bool:
        """Message 3, which proves the address."""
        answers = self._mallory.say(self.mode.message_3())
        if answers:
            self.mode.hear_4(*answers)
        return bool(answers)

    def completes(self) -> bool:
        return bool(self._mallory.say(self.mode.message_5()))

    def stops_halfway(self) -> bool:
        return self.begins() and self.echoes()

    def connects(self) -> bool:
        return self.stops_halfway() and self.completes()


def test_one_ipv6_network_holds_no_more_places_than_one_ipv4_address() -> None:
    """A host has 2^64 addresses."""

    async def story() -> None:
        street = Street()
        for number in range(1, 81):
            peer = street.peer(NETWORK + number)
            assert peer.begins()
            peer.echoes()
        await asyncio.sleep(LARVAL + 1)
        assert street.bob.engine.half_open == LIMITS.half_open_per_address
        assert street.peer(HONEST).connects()

    run(story())


def test_a_site_of_many_ipv6_networks_leaves_room_for_others() -> None:
    async def story() -> None:
        street = Street(replace(LIMITS, half_open=100))
        for number in range(200):
            street.peer(NETWORK + (number << 64)).stops_halfway()
        await asyncio.sleep(LARVAL + 1)
        assert street.bob.engine.half_open == 40
        assert street.peer(HONEST).connects()

    run(story())


def test_a_configured_address_does_not_share_the_places_of_its_network() -> None:
    async def story() -> None:
        street = Street()
        for number in range(1, 81):
            street.peer(NETWORK + number).stops_halfway()
        before = street.refused()
        assert STATIC.remote is not None
        assert street.peer(STATIC.remote).connects()
        assert street.refused() == before

    run(story())


@pytest.mark.parametrize("address", [ALICE, NETWORK + 1], ids=["IPv4", "IPv6"])
def test_neighbours_that_stop_halfway_keep_nobody_of_their_address_out(address: Address) -> None:
    """They echoed the cookie, so they are really there: behind the same NAT, say."""

    async def story() -> None:
        street = Street()
        for port in range(3001, 3006):
            peer = street.peer(address, port)
            assert peer.stops_halfway()
        assert street.peer(address, 4000).connects()

    run(story())


def test_a_peer_that_echoed_the_cookie_keeps_its_place_whatever_is_sent_in_its_name() -> None:
    async def story() -> None:
        street = Street()
        honest = street.peer(HONEST)
        assert honest.stops_halfway()
        for _ in range(200):
            street.peer(HONEST, 3000).begins()
            await asyncio.sleep(0.02)
        assert honest.completes()

    run(story())


def test_two_peers_of_one_address_keep_their_places_whatever_is_sent_in_their_name() -> None:
    async def story() -> None:
        street = Street()
        pair = [street.peer(HONEST, port) for port in (3001, 3002)]
        assert all(peer.stops_halfway() for peer in pair)
        for _ in range(200):
            street.peer(HONEST, 3003).begins()
            await asyncio.sleep(0.02)
        assert all(peer.completes() for peer in pair)

    run(story())


def test_many_that_stop_halfway_keep_no_peer_out() -> None:
    """Of as many networks as there are places."""

    async def story() -> None:
        street = Street()
        for number in range(LIMITS.half_open):
            peer = street.peer(NETWORK + (number << 80))
            assert peer.stops_halfway()
        assert street.peer(HONEST).connects()
        assert STATIC.remote is not None
        assert street.peer(STATIC.remote).connects()

    run(story())


def test_many_that_stop_halfway_take_no_place_of_a_configured_peer() -> None:
    async def story() -> None:
        street = Street()
        assert STATIC.remote is not None
        static = street.peer(STATIC.remote)
        assert static.stops_halfway()
        for number in range(3 * LIMITS.half_open):
            peer = street.peer(NETWORK + (number << 80))
            peer.stops_halfway()
            await asyncio.sleep(0.1)
        assert static.completes()

    run(story())


def test_what_made_way_is_recorded_as_failed_with_the_reason() -> None:
    async def story() -> None:
        street = Street()
        for port in range(3000, 3006):
            assert street.peer(HONEST, port).stops_halfway()
        assert [(said(fact), fact.error) for fact in street.failures()] == [
            ("it made way for a newer negotiation", "Abandoned")
        ]

    run(story())


def test_what_is_half_open_when_the_daemon_ends_is_recorded_as_failed() -> None:
    async def story() -> None:
        street = Street()
        assert street.peer(HONEST).begins()
        await street.bob.engine.stop(last_words=0)
        assert [fact.error for fact in street.failures()] == ["Abandoned"]

    run(story())
