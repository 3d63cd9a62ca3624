"""Both ends rekey one child at one moment, with packets across: two pairs at most, in the end one, no packet lost."""

from __future__ import annotations

import asyncio
import random
from functools import partial

import pytest

from ikevd.peer.volume_facts import SoftExpired
from ikevd.policy.model import Lifetime
from tests.builders import child, connection
from tests.duet import Network
from tests.gateways import Gateway, alice_and_bob
from tests.negotiation.careless import careless_at_alice
from tests.negotiation.test_rekey import spis, tunnel
from tests.virtual_time import run

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


def test_two_ikevd_rekey_at_one_moment() -> None:
    assert run(between_two_ikevd(20, Network(), 1)) == 0


@pytest.mark.parametrize("seed", range(3))
def test_and_messages_are_lost(seed: int) -> None:
    """Message 3 may come late, when the oldest pair has gone: of some 9,000 packets a few seconds' worth are lost."""
    assert run(between_two_ikevd(5, Network(loss=0.2, duplicate=0.1, jitter=0.03, seed=seed), seed)) < 100


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


def test_a_peer_that_follows_no_rule_rekeys_at_the_same_moment() -> None:
    run(against_a_careless_peer(30, 1))


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_thousand_crossings_with_a_peer_that_follows_no_rule() -> None:
    run(against_a_careless_peer(1000, 2))
