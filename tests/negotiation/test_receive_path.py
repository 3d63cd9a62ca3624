"""Every datagram that others crashed on, through the whole receive path: nothing changes but a counter."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

from ikevd.addresses import Endpoint
from ikevd.addresses import Path as UdpPath
from ikevd.policy.settings import Config, Limits
from ikevd.wire.message import Header
from ikevd.wire.registry import ExchangeType, NotifyType
from tests.builders import ALICE, ALICE_TO_BOB, BOB, connection, mirrored
from tests.gateways import Gateway, World, alice_and_bob, bring_up
from tests.virtual_time import run

MARKER = bytes(4)
STRANGER = ip_address("203.0.113.9")


def captured(testdata: Path) -> Iterator[bytes]:
    """Every UDP payload of the shared captures and datagram files."""
    for file in sorted((testdata / "messages").glob("*.json")):
        for message in json.loads(file.read_text())["messages"]:
            payload = bytes.fromhex(message["payload"])
            yield payload.removeprefix(MARKER) if 4500 in (message["sport"], message["dport"]) else payload
    for file in sorted((testdata / "datagrams").rglob("*.bin")) + sorted((testdata / "datagrams").rglob("*.dat")):
        yield file.read_bytes()


def state_of(gateway: Gateway) -> object:
    """Everything that a stranger must not change."""
    sessions = [
        (s.connection.name, dict(s.states), [live.sa for live in s.live], [live.path for live in s.live])
        for s in gateway.engine.sessions()
    ]
    return sessions, dict(gateway.kernel.sas), dict(gateway.kernel.policies), gateway.engine.half_open


def test_no_captured_datagram_from_a_stranger_changes_anything_but_a_counter(testdata: Path) -> None:
    async def story() -> None:
        _, alice, _ = alice_and_bob()
        await bring_up(alice)
        await asyncio.sleep(1)
        before, path = state_of(alice), UdpPath(Endpoint(ALICE, 500), Endpoint(STRANGER, 500))
        datagrams = list(captured(testdata))
        for datagram in datagrams:
            alice.engine.datagram(datagram, path)
        assert len(datagrams) > 100
        assert state_of(alice) == before
        counted = alice.counters.as_dict()
        assert sum(counted.values()) == len(datagrams), counted
        assert "bug: datagram dropped" not in counted

    run(story())


def test_no_captured_datagram_from_the_peers_own_address_disturbs_the_tunnel(testdata: Path) -> None:
    async def story() -> None:
        _, alice, _ = alice_and_bob()
        await bring_up(alice)
        await asyncio.sleep(1)
        before = state_of(alice)[:3]  # type: ignore[index]
        for datagram in captured(testdata):
            alice.engine.datagram(datagram, ALICE_TO_BOB)
        await asyncio.sleep(200)
        assert state_of(alice)[:3] == before  # type: ignore[index]
        assert alice.engine.half_open == 0
        assert "bug: datagram dropped" not in alice.counters.as_dict()

    run(story())


def test_every_captured_datagram_under_the_cookies_of_a_live_sa_does_no_harm(testdata: Path) -> None:
    async def story() -> None:
        _, alice, bob = alice_and_bob()
        await bring_up(alice)
        await asyncio.sleep(1)
        before = state_of(alice)
        cookies = alice.session.live[0].sa.cookies
        for datagram in captured(testdata):
            forged = cookies.initiator + cookies.responder + datagram[16:]
            alice.engine.datagram(forged, ALICE_TO_BOB)
        assert state_of(alice) == before
        assert "bug: datagram dropped" not in alice.counters.as_dict()
        assert bob.pairs == 1

    run(story())


def test_a_stranger_gets_silence() -> None:
    async def story() -> None:
        world, _, bob = alice_and_bob()
        mallory = world.gateway(STRANGER, connection(local=STRANGER, resend=replace(connection().resend, sends=2)))
        attempt = asyncio.ensure_future(bring_up(mallory))
        await asyncio.sleep(100)
        assert not [path for _, path, _ in world.wire if path.remote.address == STRANGER]
        assert bob.counters["drop: no connection for the address"] == 2
        attempt.exception()

    run(story())


def ikev2(flags: int = 0x08, responder: bytes = bytes(8), exchange: int = 34) -> bytes:
    """An IKE_SA_INIT header (RFC 7296 section 3.1)."""
    head = b"ikev2ini" + responder + bytes([33, 0x20, exchange, flags]) + bytes(4)
    return head + (28).to_bytes(4, "big")


def answers(make: Callable[[], bytes], times: int = 1) -> list[bytes]:
    async def story() -> list[bytes]:
        world, alice, _ = alice_and_bob()
        for _ in range(times):
            alice.engine.datagram(make(), ALICE_TO_BOB)
        return [octets for _, path, octets in world.wire if path.local.address == ALICE]

    return run(story())


def test_an_ikev2_request_is_told_that_the_version_is_wrong() -> None:
    (answer,) = answers(ikev2)
    header = Header.decode_untrusted(answer)
    assert header.exchange == ExchangeType.INFORMATIONAL
    assert header.initiator == b"ikev2ini"
    assert int.from_bytes(answer[38:40], "big") == NotifyType.INVALID_MAJOR_VERSION


def test_ikev2_replies_and_notifications_are_never_answered() -> None:
    assert answers(lambda: ikev2(flags=0x20)) == []
    assert answers(lambda: ikev2(responder=b"responde")) == []
    assert answers(lambda: ikev2(exchange=37)) == []


def test_answers_to_ikev2_are_rate_limited() -> None:
    assert len(answers(ikev2, times=1000)) <= 10


def first_message(world: World, cookie: int) -> bytes:
    (octets,) = [octets for _, _, octets in world.wire][:1]
    return cookie.to_bytes(8, "big") + octets[8:]


def test_one_answer_for_each_first_message_and_none_by_timer() -> None:
    async def story() -> None:
        world, alice, bob = alice_and_bob()
        attempt = asyncio.ensure_future(bring_up(alice))
        await asyncio.sleep(0.001)
        mm1 = first_message(world, 0x1111)
        attempt.cancel()
        world.gateways.pop(ALICE)
        back = UdpPath(ALICE_TO_BOB.remote, ALICE_TO_BOB.local)
        for _ in range(3):
            bob.engine.datagram(mm1, back)
            await asyncio.sleep(5)
        await asyncio.sleep(100)
        sent = [octets for _, path, octets in world.wire if path.local.address == BOB and octets[:8] == mm1[:8]]
        assert len(sent) == 3
        assert len(set(sent)) == 1
        assert bob.engine.half_open == 0, "a half-open negotiation ends after 30 s"

    run(story())


def test_first_messages_are_limited_per_configured_address_and_of_strangers_together() -> None:
    async def story() -> None:
        world = World()
        alice = world.gateway(ALICE, connection())
        anyone = replace(mirrored(connection()), name="anyone", remote=None, remote_id=None)
        limits = Limits(first_messages=15, first_messages_per_address=3)
        bob = world.gateway(BOB, mirrored(connection()), anyone, limits=limits)
        attempt = asyncio.ensure_future(bring_up(alice))
        await asyncio.sleep(0.001)
        mm1 = first_message(world, 1)
        attempt.cancel()
        world.gateways.pop(ALICE)

        def flood(source: object, count: int) -> None:
            path = UdpPath(Endpoint(BOB, 500), Endpoint(source, 500))  # type: ignore[arg-type]
            for number in range(count):
                cookie = hash((source, number)) & 0x7FFFFFFFFFFFFFFF | 1
                bob.engine.datagram(cookie.to_bytes(8, "big") + mm1[8:], path)

        for number in range(50):
            flood(STRANGER + 1 + number, 1)
        assert bob.engine.half_open == 15
        flood(ALICE, 10)
        assert bob.engine.half_open == 18

    run(story())


def test_forged_first_messages_do_not_lock_out_the_peer_whose_address_they_bear() -> None:
    async def story() -> None:
        world, alice, bob = alice_and_bob()
        attempt = asyncio.ensure_future(bring_up(alice))
        await asyncio.sleep(0.001)
        mm1 = first_message(world, 1)
        await attempt
        await bob.engine.stop()
        bob = world.gateway(BOB, mirrored(connection()), seed=7)
        back = UdpPath(ALICE_TO_BOB.remote, ALICE_TO_BOB.local)
        for number in range(1, 2000):
            bob.engine.datagram(number.to_bytes(8, "big") + mm1[8:], back)
        assert bob.engine.half_open == Limits().first_messages_per_address
        again = world.gateway(ALICE, connection(), seed=8)
        await bring_up(again)
        assert again.pairs == 1

    run(story())


def test_an_empty_configuration_drops_everything() -> None:
    async def story() -> None:
        world = World()
        bob = world.gateway(BOB)
        assert bob.engine._config == Config(())
        bob.engine.datagram(b"", ALICE_TO_BOB)
        assert bob.counters["drop: malformed header"] == 1

    run(story())
