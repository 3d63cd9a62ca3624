"""A child that may be idle for a minute: it ends when no packet has passed for so long, either way."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from ikevd.control.status import state_of
from ikevd.host.policies import Direction
from ikevd.observe.words import say
from ikevd.peer.timing import LOOKS
from ikevd.policy.child import Start
from tests.builders import child, connection, mirrored
from tests.gateways import Gateway, alice_and_bob
from tests.virtual_time import run

PATIENCE = 60
LOOK = PATIENCE / LOOKS
LATEST = PATIENCE + LOOK
BEFORE = PATIENCE - 1.5
"""Seconds from one packet to the next: none comes at the moment of a look, which are `LOOK` apart from the start on."""


async def up(start: Start) -> tuple[Gateway, Gateway]:
    lan = child(start=start, inactivity=PATIENCE)
    view = connection(children=(lan,))
    his = mirrored(view)
    his = replace(his, children=tuple(replace(one, start=Start.PASSIVE, inactivity=None) for one in his.children))
    _, alice, bob = alice_and_bob(view=view, other=his)
    for gateway in (alice, bob):
        gateway.engine.start()
    await alice.engine.session(view).want("lan")
    await asyncio.sleep(1)
    return alice, bob


def send(alice: Gateway) -> bool:
    (policy,) = [name for name in alice.kernel.policies if name.direction is Direction.OUT and name.source.version == 4]
    return alice.kernel.send(policy)


def receive(alice: Gateway) -> None:
    (inbound,) = [sa for sa in alice.kernel.sas if sa.destination == alice.address]
    alice.kernel.carry(inbound, 100)


def state(alice: Gateway) -> str:
    return state_of(alice.session.connection.children[0], alice.session.state)


@pytest.mark.parametrize("packet", [send, receive])
@pytest.mark.parametrize(("start", "after"), [(Start.ON_DEMAND, "waiting"), (Start.MANUAL, "down")])
def test_it_stays_as_long_as_packets_pass_and_then_ends(start: Start, after: str, packet: object) -> None:
    async def story() -> None:
        alice, bob = await up(start)
        for _ in range(10):
            await asyncio.sleep(BEFORE)
            assert callable(packet)
            packet(alice)
        await asyncio.sleep(PATIENCE - LOOK)
        assert (state(alice), bob.pairs) == ("up", 1)
        await asyncio.sleep(3 * LOOK + 1)  # the packet is seen at a look, its end at another, perhaps the next but one
        assert (state(alice), alice.pairs, bob.pairs) == (after, 0, 0)
        cause = alice.session.states["lan"].cause
        assert cause is not None
        assert say(cause) == "no packet either way for 60 s (inactivity)"

    run(story())


def test_on_demand_the_next_packet_brings_it_up_again() -> None:
    async def story() -> None:
        alice, bob = await up(Start.ON_DEMAND)
        await asyncio.sleep(LATEST + 1)
        assert (state(alice), bob.pairs) == ("waiting", 0)
        assert not send(alice)
        await asyncio.sleep(1)
        assert (state(alice), bob.pairs) == ("up", 1)

    run(story())


def test_what_the_kernel_refuses_to_count_does_not_end_it() -> None:
    async def story() -> None:
        alice, bob = await up(Start.MANUAL)
        for _ in range(60):
            alice.kernel.fail("counters", 1)
            await asyncio.sleep(LOOK)
        assert (state(alice), bob.pairs) == ("up", 1)

    run(story())
