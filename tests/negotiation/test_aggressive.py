"""Aggressive Mode between whole engines in virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from ikevd.policy.connection import Connection
from ikevd.wire.registry import ExchangeType
from tests.builders import ALICE, connection, fqdn, mirrored
from tests.duet import Network
from tests.gateways import World, alice_and_bob, bring_up
from tests.virtual_time import run

EXCHANGE = 18


def aggressive(**changes: object) -> Connection:
    return connection(aggressive=True, local_id=fqdn("alice.example"), **changes)


def sent_by_alice(world: World, kind: ExchangeType) -> list[float]:
    return [when for when, path, octets in world.wire if path.local.address == ALICE and octets[EXCHANGE] == kind]


def sent_by_bob(world: World, kind: ExchangeType) -> list[float]:
    return [when for when, path, octets in world.wire if path.local.address != ALICE and octets[EXCHANGE] == kind]


def test_a_tunnel_comes_up() -> None:
    async def story() -> None:
        world, alice, bob = alice_and_bob(None, aggressive())
        await bring_up(alice)
        await asyncio.sleep(1)

        assert alice.pairs == bob.pairs == 1
        assert not sent_by_alice(world, ExchangeType.MAIN_MODE)

    run(story())


def test_a_responder_that_does_not_name_it_says_nothing_and_tells_the_operator() -> None:
    async def story() -> None:
        view = aggressive()
        world, alice, bob = alice_and_bob(None, view, replace(mirrored(view), aggressive=False))
        alice.engine.session(view).want("lan").add_done_callback(lambda future: future.exception())
        await asyncio.sleep(60)

        assert not sent_by_bob(world, ExchangeType.AGGRESSIVE)
        assert "asks for Aggressive Mode, which alice does not allow" in bob.troubles[0]

    run(story())


def test_a_responder_that_names_it_still_takes_main_mode() -> None:
    async def story() -> None:
        view = aggressive()
        _, alice, bob = alice_and_bob(None, replace(view, aggressive=False), mirrored(view))
        await bring_up(alice)
        await asyncio.sleep(1)

        assert bob.session.live[0].sa.exchange == ExchangeType.MAIN_MODE

    run(story())


def test_message_3_is_repeated_no_more_once_the_peer_has_spoken_under_the_sa() -> None:
    async def story() -> None:
        world, alice, _ = alice_and_bob(None, aggressive())
        await bring_up(alice)
        await asyncio.sleep(60)

        assert len(sent_by_alice(world, ExchangeType.AGGRESSIVE)) == 2, "messages 1 and 3, each once"

    run(story())


def test_a_lost_message_3_is_asked_for_by_answering_the_quick_mode_that_overtook_it() -> None:
    async def story() -> None:
        lost = list[bytes]()

        def lose_first_copy_of_message_3(sender: str, datagram: bytes) -> list[bytes]:
            if sender == "alice" and datagram[EXCHANGE] == ExchangeType.AGGRESSIVE and datagram[8:16] != bytes(8):
                lost.append(datagram)
                return [datagram] if len(lost) > 1 else []
            return [datagram]

        world, alice, bob = alice_and_bob(Network(tamper=lose_first_copy_of_message_3), aggressive())
        await bring_up(alice)
        assert asyncio.get_running_loop().time() < 1.5
        await asyncio.sleep(1)

        assert len(sent_by_bob(world, ExchangeType.AGGRESSIVE)) == 2, "message 2, then once more on the Quick Mode"
        assert bob.pairs == 1

    run(story())


def test_nobody_elses_datagram_brings_out_message_2_again() -> None:
    async def story() -> None:
        view = aggressive()
        world, alice, bob = alice_and_bob(None, view)
        world.network.tamper = lambda sender, datagram: [datagram] if len(world.wire) < 3 else []
        alice.engine.session(view).want("lan").add_done_callback(lambda future: future.exception())
        await asyncio.sleep(0.1)
        _, path, second = world.wire[1]
        forged = second[:16] + bytes([8, 0x10, ExchangeType.QUICK_MODE, 1]) + b"\1\2\3\4" + (44).to_bytes(4, "big")
        elsewhere = replace(path.remote, address=type(path.remote.address)("203.0.113.77"))
        said = len(sent_by_bob(world, ExchangeType.AGGRESSIVE))
        bob.engine.datagram(forged + bytes(16), replace(path, remote=elsewhere))

        assert len(sent_by_bob(world, ExchangeType.AGGRESSIVE)) == said

    run(story())


@pytest.mark.parametrize("seed", range(30))
def test_over_a_bad_network_the_tunnel_comes_up_within_three_attempts(seed: int) -> None:
    async def story() -> None:
        network = Network(loss=0.2, duplicate=0.1, jitter=0.4, seed=seed)
        view = aggressive()
        _, alice, bob = alice_and_bob(network, view, seed=seed)
        for _ in range(3):
            try:
                await bring_up(alice)
                break
            except Exception:
                await asyncio.sleep(120)
        await asyncio.sleep(120)

        assert alice.pairs >= 1
        assert bob.pairs >= 1

    run(story())
