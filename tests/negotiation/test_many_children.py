"""A peer with many children: all down is a handful of packets, and they are all up again."""

from __future__ import annotations

import asyncio

import pytest

from ikevd.conversation.timing import FAREWELL
from ikevd.negotiation.session import Session
from ikevd.policy.connection import Connection
from ikevd.wire.registry import ExchangeType
from tests.builders import ALICE, child, connection
from tests.gateways import World, alice_and_bob
from tests.virtual_time import run

EXCHANGE = 18
FITS = 1200
"""Octets of a datagram that no path fragments."""


def site(count: int) -> Connection:
    nets = [f"{number >> 8}.{number & 255}.0/24" for number in range(count)]
    children = (
        child(f"10.1{net}", f"10.2{net}", name=f"lan[{number}]", reqid=0x696B0000 + number)
        for number, net in enumerate(nets)
    )
    return connection(children=tuple(children))


async def up(session: Session) -> None:
    await asyncio.gather(*(session.want(one.name) for one in session.connection.children))


def informed(world: World) -> list[bytes]:
    """Informational messages of Alice's, each copy."""
    said = (octets for _, path, octets in world.wire if path.local.address == ALICE)
    return [octets for octets in said if octets[EXCHANGE] == ExchangeType.INFORMATIONAL]


@pytest.mark.long
@pytest.mark.parametrize(("count", "messages"), [(60, 1), (600, 3)])
def test_all_down_is_a_handful_of_packets_and_all_are_up_again(count: int, messages: int) -> None:
    async def story() -> None:
        view = site(count)
        world, alice, bob = alice_and_bob(view=view)
        session = alice.engine.session(view)
        for _ in range(2):
            await up(session)
            await asyncio.sleep(1)
            assert alice.pairs == bob.pairs == count
            world.wire.clear()
            session.unwant(*(one.name for one in view.children))
            await asyncio.sleep(20)
            assert (alice.pairs, bob.pairs, len(informed(world))) == (0, 0, messages * FAREWELL.sends)
            assert max(map(len, informed(world))) <= FITS
            assert alice.nothing_installed
            assert bob.nothing_installed

    run(story())
