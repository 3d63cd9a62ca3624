"""INVALID-COOKIE and INVALID-SPI that nothing proves, between whole gateways: said where it helps, and no order."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from ikevd.addresses import Address, Endpoint, Path
from ikevd.facts import Note
from ikevd.negotiation.strays import invalid_cookie
from ikevd.policy.dpd import DpdMode
from ikevd.wire.message import Header, encode_chain
from ikevd.wire.payloads import NotifyPayload
from ikevd.wire.registry import ExchangeType, Flags, NotifyType, PayloadType, Protocol
from tests.builders import ALICE, BOB, connection, mirrored
from tests.gateways import Gateway, World, alice_and_bob, bring_up
from tests.negotiation.crashes import BOTH, LAN, crash, machines, noted, only
from tests.negotiation.roaming import CLIENTS
from tests.sayings import said
from tests.virtual_time import run

FROM_BOB = Path(Endpoint(ALICE, 500), Endpoint(BOB, 500))
"""As Alice sees it."""


BOB_VIEW = mirrored(connection())


def texts(gateway: Gateway, words: str) -> list[str]:
    """The notes on record that say this."""
    entries = [entry for record in gateway.history.find() for entry in record.entries]
    return [text for entry in entries if isinstance(entry.fact, Note) and words in (text := said(entry.fact))]


def questions(world: World, since: float) -> int:
    """Informational messages of Alice's in that time: R-U-THERE."""
    return len(
        [1 for at, path, octets in world.wire if at >= since and path.local.address == ALICE and octets[18] == 5]
    )


def invalid_spi(spi: bytes, protocol: Protocol = Protocol.ESP) -> bytes:
    """In the clear, under cookies of its own, as a router says it that has nothing with us any more."""
    body = encode_chain([NotifyPayload(protocol, NotifyType.INVALID_SPI, spi)])
    header = Header(b"anybody!", bytes(8), PayloadType.N, ExchangeType.INFORMATIONAL, Flags.NONE, 7)
    return header.encode(len(body)) + body


async def forged(world: World, alice: Gateway, octets: bytes, times: int = 1) -> int:
    """Questions that these bring out within ten seconds."""
    await asyncio.sleep(5)
    since = asyncio.get_running_loop().time()
    for _ in range(times):
        alice.engine.datagram(octets, FROM_BOB)
        await asyncio.sleep(0.1)
    await asyncio.sleep(10)
    return questions(world, since)


def cookies_of(alice: Gateway) -> tuple[bytes, bytes]:
    cookies = alice.session.live[0].sa.cookies
    return cookies.initiator, cookies.responder


@pytest.mark.parametrize("times", [1, 50])
def test_a_forged_invalid_cookie_asks_the_peer_once_and_ends_nothing(times: int) -> None:
    async def story() -> None:
        world, alice, bob = alice_and_bob()
        await bring_up(alice)
        assert await forged(world, alice, invalid_cookie(*cookies_of(alice)), times) == 1
        assert alice.pairs == bob.pairs == 1
        assert len(alice.session.live) == 1

    run(story())


@pytest.mark.parametrize("times", [1, 50])
def test_a_forged_invalid_spi_asks_the_peer_once_and_ends_nothing(times: int) -> None:
    async def story() -> None:
        world, alice, bob = alice_and_bob()
        await bring_up(alice)
        (pair,) = alice.session.states["lan"].standing
        assert await forged(world, alice, invalid_spi(pair.sa.outbound.octets), times) == 1
        assert alice.pairs == bob.pairs == 1

    run(story())


@pytest.mark.parametrize(
    "octets",
    [
        *(invalid_spi(b"\xe0\0\0\1", Protocol.of(number)) for number in (0, 2, 3, 4, 255)),
        invalid_cookie(b"another1", b"another2"),
    ],
)
def test_of_an_spi_that_nobody_sends_to_and_of_other_cookies_it_means_nothing(octets: bytes) -> None:
    async def story() -> None:
        world, alice, _ = alice_and_bob()
        await bring_up(alice)
        assert await forged(world, alice, octets) == 0

    run(story())


def test_where_the_peer_cannot_be_asked_forgeries_bring_out_one_phase_1_in_five_minutes() -> None:
    async def story() -> None:
        view = connection(dpd=replace(connection().dpd, mode=DpdMode.OFF))
        world, alice, bob = alice_and_bob(view=view)
        await bring_up(alice)
        since = asyncio.get_running_loop().time()
        for _ in range(25):
            alice.engine.datagram(invalid_cookie(*cookies_of(alice)), FROM_BOB)
            await asyncio.sleep(10)
        began = {octets[:8] for at, _, octets in world.wire if at > since and octets[18] == ExchangeType.MAIN_MODE}
        assert len(began) == 1
        assert alice.pairs == bob.pairs == 1

    run(story())


def test_a_peer_that_has_lost_all_and_calls_nobody_is_found_out_by_the_next_quick_mode() -> None:
    async def story() -> None:
        alice, bob = await machines(only(BOTH, "lan"), only(mirrored(BOTH)))
        assert alice.gateway is not None
        await asyncio.sleep(10)
        again = await crash(bob)
        attempt = asyncio.ensure_future(alice.gateway.session.want("dmz"))
        await asyncio.sleep(15)
        assert again.counters["INVALID-COOKIE said to a configured address"] > 0
        assert noted(alice.gateway, "INVALID_COOKIE came, which nothing proves")
        assert again.pairs >= 1, "what Alice wants has begun anew"
        assert set(again.kernel.keys.items()) == set(alice.kernel.keys.items())
        attempt.cancel()

    run(story())


def test_strangers_hear_nothing_and_a_word_in_the_clear_is_never_answered() -> None:
    async def story() -> None:
        world, alice, _ = alice_and_bob()
        await bring_up(alice)
        stranger = Path(Endpoint(ALICE, 500), Endpoint(CLIENTS[3], 500))
        encrypted = Header(b"unknown1", b"unknown2", PayloadType.HASH, ExchangeType.QUICK_MODE, Flags.ENCRYPTION, 9)
        for octets, path in (
            (encrypted.encode(32) + bytes(32), stranger),
            (invalid_cookie(b"unknown1", b"unknown2"), FROM_BOB),
        ):
            sent = len(world.wire)
            alice.engine.datagram(octets, path)
            assert len(world.wire) == sent
        sent = len(world.wire)
        alice.engine.datagram(encrypted.encode(32) + bytes(32), FROM_BOB)
        assert [octets for _, _, octets in world.wire[sent:]] == [invalid_cookie(b"unknown1", b"unknown2")]

    run(story())


def test_an_isakmp_sa_that_was_retired_lately_is_not_called_unknown() -> None:
    async def story() -> None:
        world, alice, _ = alice_and_bob()
        await bring_up(alice)
        cookies = cookies_of(alice)
        alice.session.end(announce=False)
        await asyncio.sleep(20)
        assert not alice.session.live
        late = Header(*cookies, PayloadType.HASH, ExchangeType.QUICK_MODE, Flags.ENCRYPTION, 9)
        sent = len(world.wire)
        alice.engine.datagram(late.encode(32) + bytes(32), FROM_BOB)
        assert len(world.wire) == sent
        await asyncio.sleep(300)
        alice.engine.datagram(late.encode(32) + bytes(32), FROM_BOB)
        assert len(world.wire) == sent + 1

    run(story())


# -- ESP under SPIs that nobody has


def test_a_peer_that_sends_to_an_spi_that_is_gone_is_told_under_the_isakmp_sa_and_makes_another_pair() -> None:
    async def story() -> None:
        _, alice, bob = alice_and_bob()
        await bring_up(alice)
        await asyncio.sleep(20)
        (before,) = alice.session.states["lan"].standing
        bob.engine.stray_esp(ALICE, BOB, before.sa.outbound)
        await asyncio.sleep(1)
        assert noted(bob, "it is told INVALID_SPI")
        assert noted(alice, "it does not know")
        assert len(alice.session.states["lan"].standing) == 2

    run(story())


def test_without_an_isakmp_sa_a_configured_peer_is_told_in_the_clear_and_all_comes_back() -> None:
    async def story() -> None:
        alice, bob = await machines(only(BOTH, "lan"), only(mirrored(BOTH)))
        assert alice.gateway is not None
        await asyncio.sleep(10)
        again = await crash(bob)
        (before,) = alice.gateway.session.states["lan"].standing
        again.engine.stray_esp(ALICE, BOB, before.sa.outbound)
        await asyncio.sleep(15)
        assert noted(alice.gateway, "INVALID_SPI came, which nothing proves")
        assert set(again.kernel.keys.items()) == set(alice.kernel.keys.items())
        assert again.pairs == 1

    run(story())


def test_who_wants_its_child_always_up_calls_such_a_peer_at_once_but_once_in_five_minutes() -> None:
    async def story() -> None:
        world = World()
        bob = world.gateway(BOB, mirrored(connection(children=(LAN,))))
        bob.engine.start()
        await asyncio.sleep(250)
        calls = []
        for _ in range(20):
            since, child = len(world.wire), bob.session.states["lan"]
            if child.retry_at is not None and child.attempt is None and not bob.session.state.waiting:
                bob.engine.stray_esp(ALICE, BOB, 0xD0000001)
                calls.append(any(octets[18] == ExchangeType.MAIN_MODE for _, _, octets in world.wire[since:]))
            await asyncio.sleep(10)
        assert calls.count(True) == 1
        assert len(calls) > 1

    run(story())


def test_a_peer_that_floods_stray_esp_has_one_entry_a_minute_in_its_record() -> None:
    async def story() -> None:
        _, alice, bob = alice_and_bob()
        await bring_up(alice)
        for _ in range(1250):
            bob.engine.stray_esp(ALICE, BOB, 0xD0000001)
            await asyncio.sleep(0.1)
        notes = texts(bob, "it is told INVALID_SPI")
        assert len(notes) == 3
        assert notes[-1].endswith("such packets since this was last told)")

    run(story())


def test_one_loud_peer_takes_nothing_of_another_ones_share() -> None:
    async def story() -> None:
        other = replace(BOB_VIEW, name="carol", remote=CLIENTS[2], remote_id=None)
        bob = World().gateway(BOB, BOB_VIEW, other)
        unknown = Header(b"unknown1", b"unknown2", PayloadType.HASH, ExchangeType.QUICK_MODE, Flags.ENCRYPTION, 9)
        for remote, times in ((ALICE, 500), (CLIENTS[2], 3)):
            path = Path(Endpoint(BOB, 500), Endpoint(remote, 500))
            for _ in range(times):
                bob.engine.datagram(unknown.encode(32) + bytes(32), path)
        assert bob.counters["INVALID-COOKIE said to a configured address"] == 10 + 3

    run(story())


@pytest.mark.parametrize(("source", "destination"), [(CLIENTS[3], BOB), (ALICE, CLIENTS[3])])
def test_of_strangers_and_of_what_passes_by_nothing_is_said(source: Address, destination: Address) -> None:
    async def story() -> None:
        world, alice, bob = alice_and_bob()
        await bring_up(alice)
        await asyncio.sleep(1)
        sent = len(world.wire)
        bob.engine.stray_esp(source, destination, 0xD0000001)
        assert len(world.wire) == sent

    run(story())


def test_what_we_receive_on_is_known() -> None:
    async def story() -> None:
        _, alice, _ = alice_and_bob()
        await bring_up(alice)
        assert set(alice.engine.known_spis()) == {pair.sa.inbound for pair in alice.session.states["lan"].standing}

    run(story())
