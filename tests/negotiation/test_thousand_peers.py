"""A hub after a power cut: every configured peer calls at the same moment."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from ipaddress import ip_address

import pytest

from ikevd.policy.connection import Connection, Resend
from ikevd.policy.settings import Limits
from tests.builders import BOB, child, connection, mirrored
from tests.duet import Network
from tests.gateways import World, bring_up
from tests.virtual_time import run

FIRST = ip_address("10.77.0.1")


def view(number: int, *, aggressive: bool) -> Connection:
    """A spoke's connection to the hub."""
    net = f"10.{100 + number // 200}.{number % 200}.0/24"
    lan = child(local=net, reqid=0x696B0000 + number)
    return connection(local=FIRST + number, children=(lan,), aggressive=aggressive, resend=Resend(1, 1.8, 4))


@pytest.mark.parametrize(
    ("peers", "aggressive"),
    [
        pytest.param(60, False, id="60 in Main Mode"),
        pytest.param(40, True, id="40 in Aggressive Mode"),
        pytest.param(1000, False, id="1,000 in Main Mode", marks=pytest.mark.soak),
        pytest.param(250, True, id="250 in Aggressive Mode", marks=pytest.mark.soak),
    ],
)
def test_all_configured_peers_that_call_at_once_come_up_and_are_on_record(peers: int, aggressive: bool) -> None:
    async def story() -> None:
        world = World(Network(delay=0.15))
        views = [view(number, aggressive=aggressive) for number in range(peers)]
        spokes = [replace(mirrored(v), name=f"spoke{number}") for number, v in enumerate(views)]
        hub = world.gateway(BOB, *spokes, limits=Limits(half_open=peers // 5))
        gateways = [world.gateway(FIRST + number, v) for number, v in enumerate(views)]
        await asyncio.gather(*map(bring_up, gateways))
        await asyncio.sleep(1)
        assert hub.pairs == peers
        assert hub.engine.half_open == 0
        assert {r.connection for r in hub.history.find() if r.authenticated and not r.message_id} == {
            spoke.name for spoke in spokes
        }

    run(story())
