"""Both ends rekey one child at one moment, again and again; what must hold after each time."""

from __future__ import annotations

import asyncio
import random
from functools import partial

from ikevd.peer.volume_facts import SoftExpired
from ikevd.policy.lives import Lifetime
from tests.builders import child, connection
from tests.duet import Network
from tests.gateways import Gateway, alice_and_bob
from tests.negotiation.careless import careless_at_alice
from tests.negotiation.traffic import spis, tunnel

SETTLED = 30
"""Seconds after a Quick Mode at which one pair is left."""


def ripe(gateway: Gateway) -> None:
    """The time of its newest pair has come."""
    gateway.session.post(SoftExpired("lan", gateway.session.states["lan"].standing[-1].sa.inbound))


async def between_two_ikevd(crossings: int, network: Network, seed: int) -> int:
    """Packets that were lost."""
    dice = random.Random(seed)
    view = connection(children=(child(lifetime=Lifetime(86_400)),), lifetime=Lifetime(2**31))
    world, alice, bob = alice_and_bob(network, view, seed=seed)
    async with await tunnel(world, alice, bob) as traffic:
        for _ in range(crossings):
            before = spis(alice)
            first, second = dice.choice(((alice, bob), (bob, alice)))
            ripe(first)
            await asyncio.sleep(dice.random() * 0.06)
            ripe(second)
            await asyncio.sleep(SETTLED if not network.loss else 3 * SETTLED)
            assert (alice.pairs, bob.pairs) == (1, 1)
            assert spis(alice) != before
            assert alice.kernel.keys == bob.kernel.keys
    assert traffic.most == 2
    return len(traffic.lost)


async def against_a_careless_peer(crossings: int, seed: int) -> None:
    dice = random.Random(seed)
    bob, peer = await careless_at_alice(seed)
    async with peer:
        for _ in range(crossings):
            before = spis(bob)
            first, second = dice.choice(((peer.rekey, partial(ripe, bob)), (partial(ripe, bob), peer.rekey)))
            first()
            await asyncio.sleep(dice.random() * 0.06)
            second()
            await asyncio.sleep(SETTLED)
            assert bob.pairs == 1
            assert spis(bob) != before
    assert (peer.lost, peer.most) == ([], 2)
