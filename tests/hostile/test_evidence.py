"""What an attacker sends hides neither what happened to a negotiation nor other lines of the log."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from typing import Any

import pytest
import structlog

from ikevd.addresses import Address
from ikevd.conversation.duplicates import MAX_ANSWERS, PERIOD
from ikevd.conversation.timing import LINGER
from ikevd.errors import Said
from ikevd.facts import Established, Heard, Note
from ikevd.observe import log
from ikevd.observe.budget import CONNECTION_OCTETS
from ikevd.observe.history import MAX_ENTRIES, Record
from ikevd.policy.settings import LogFormat
from ikevd.wire.payloads import NotifyPayload, VidPayload
from ikevd.wire.registry import ExchangeType, NotifyType, Protocol
from tests.builders import ALICE, BOB, connection, mirrored
from tests.duet import Network
from tests.gateways import Gateway, World, alice_and_bob, bring_up
from tests.hostile.mallory import MainMode, Mallory, changed, mallory_at
from tests.hostile.scene import ELSEWHERE, Scene, attack
from tests.sayings import said
from tests.virtual_time import run


class Copies:
    """Two gateways whose tunnel stands; an attacker has seen message 5 on its way."""

    def __init__(self, network: Network | None = None) -> None:
        self.world, self.alice, self.bob = alice_and_bob(network)

    def message_5(self) -> bytes:
        sent = [octets for _, path, octets in self.world.wire if path.local.address == ALICE]
        return [octets for octets in sent if octets[18] == ExchangeType.MAIN_MODE][2]

    def send(self, count: int, source: Address) -> int:
        """Copies of message 5; tells how many datagrams Bob sent for them."""
        before = len(self.world.wire)
        for _ in range(count):
            self.bob.engine.datagram(self.message_5(), mallory_at(source, BOB))
        return len(self.world.wire) - before

    def record(self) -> Record:
        (found,) = [r for r in self.bob.history.find() if r.kind == ExchangeType.MAIN_MODE]
        return found


def with_tunnel(story: Callable[[Copies], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        copies = Copies()
        await bring_up(copies.alice)
        await asyncio.sleep(1)
        await story(copies)

    run(whole())


def without_quick_mode(_sender: str, octets: bytes) -> list[bytes]:
    return [] if octets[18] == ExchangeType.QUICK_MODE else [octets]


def after_phase_1(story: Callable[[Copies], Coroutine[Any, Any, None]]) -> None:
    """No message of a Quick Mode arrives, so that Bob cannot know whether his message 6 has."""

    async def whole() -> None:
        copies = Copies(Network(tamper=without_quick_mode))
        tunnel = asyncio.create_task(bring_up(copies.alice))
        await asyncio.sleep(1)
        await story(copies)
        tunnel.cancel()

    run(whole())


def test_a_copy_from_another_address_is_not_answered() -> None:
    async def story(copies: Copies) -> None:
        assert copies.send(300, ELSEWHERE) == 0

    after_phase_1(story)


def test_a_copy_is_not_answered_once_the_peer_has_shown_that_it_has_the_answer() -> None:
    async def story(copies: Copies) -> None:
        assert copies.send(300, ALICE) == 0

    with_tunnel(story)


def test_copies_that_bear_the_address_of_the_peer_bring_few_answers() -> None:
    async def story(copies: Copies) -> None:
        assert copies.send(300, ALICE) == MAX_ANSWERS
        await asyncio.sleep(PERIOD)
        assert copies.send(1, ALICE) == 1, "a repetition of the peer itself"

    after_phase_1(story)


def test_long_after_phase_1_its_messages_bring_no_answer_and_no_fact() -> None:
    async def story(copies: Copies) -> None:
        await asyncio.sleep(LINGER)
        before = len(copies.record().entries)
        assert copies.send(300, ALICE) == 0
        assert len(copies.record().entries) == before

    with_tunnel(story)


@pytest.mark.parametrize("source", [ALICE, ELSEWHERE], ids=["its address", "another address"])
def test_copies_leave_room_in_the_record_for_what_happens_later(source: Address) -> None:
    async def story(copies: Copies) -> None:
        copies.send(1000, source)
        copies.alice.session.end()
        await asyncio.sleep(1)
        record = copies.record()
        assert any(isinstance(e.fact, Note) and "deleted" in said(e.fact) for e in record.entries)
        assert len(record.entries) < MAX_ENTRIES
        assert record.overflow > 500, "what was left out is counted"

    after_phase_1(story)


def test_a_record_that_is_full_still_tells_how_it_ended() -> None:
    async def story(copies: Copies) -> None:
        record = copies.record()
        for number in range(1000):
            record.add(Note(Said(f"note {number}")))
        record.add(Established(Said("at last")))
        assert record.entries[-1].fact == Established(Said("at last"))
        assert len(record.entries) <= MAX_ENTRIES

    with_tunnel(story)


def test_a_thousand_long_messages_of_a_peer_take_no_more_room_than_one_connection_has() -> None:
    """Informationals of 60 kB under eight ISAKMP SAs: 1 GB with what was in them."""

    async def story(scene: Scene) -> None:
        carols = [(record.number, record.entries) for record in scene.bob.history.find(connection="carol")]
        long = NotifyPayload(Protocol.ISAKMP, NotifyType(40_001), b"", bytes(60_000))
        for sa in range(8):
            scene.mallory.establish(bytes([1, 2, 3, 4, 5, 6, 7, sa + 1]))
            for number in range(125):
                scene.mallory.inform(long, message_id=0x0BAD0000 + number)
        assert len([fact for fact in scene.facts(Heard) if fact.label == "INFO"]) > 100
        of_carol = sum(record.octets for record in scene.bob.history.find(connection="carol"))
        assert scene.bob.history.octets <= CONNECTION_OCTETS + of_carol
        await asyncio.sleep(2 * LINGER)
        now = [(record.number, record.entries) for record in scene.bob.history.find(connection="carol")]
        assert now[: len(carols)] == carols

    attack(story)


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    out = io.StringIO()
    log.configure(LogFormat.JSON, "info", out)
    yield out
    structlog.reset_defaults()


KNOWN = mirrored(connection())


@pytest.mark.parametrize("remote", [ALICE, None], ids=["its address", "any"])
def test_forged_first_messages_are_few_and_short_lines_of_the_one_connection_that_fits(
    remote: Address | None, lines: io.StringIO
) -> None:
    """Their offer is refused, so no limit of half-open negotiations holds them."""

    async def story() -> None:
        bob: Gateway = World().gateway(BOB, replace(KNOWN, remote=remote))
        bob.history.listen(log.FactLog(log.Filter()))
        strange = connection(suites=(replace(connection().suites[0], key_bits=192),))
        mallory = Mallory(strange, mallory_at(ALICE, BOB), bob.engine.datagram, list)
        mode: MainMode = mallory.main_mode()
        first = mode.message_1(mode.offer, *[VidPayload(bytes([n] * 20)) for n in range(32)])
        for number in range(1, 501):
            mallory.say(changed(first, 0, number.to_bytes(8, "big")))
        assert len(lines.getvalue().splitlines()) <= 5
        assert len(lines.getvalue()) < 4000

    run(story())
