"""Two whole engines over a network in virtual time."""

from __future__ import annotations

import asyncio

from tests.gateways import alice_and_bob, bring_up
from tests.virtual_time import run


def test_a_tunnel_comes_up_with_the_same_keys_on_both_sides() -> None:
    async def story() -> None:
        _, alice, bob = alice_and_bob()
        await bring_up(alice)
        await asyncio.sleep(1)
        assert {k: sa.keys for k, sa in alice.kernel.sas.items()} == {k: sa.keys for k, sa in bob.kernel.sas.items()}
        assert len(alice.kernel.sas) == 2
        assert len(alice.kernel.policies) == len(bob.kernel.policies) == 3

    run(story())


def test_stopping_leaves_nothing_on_either_side() -> None:
    async def story() -> None:
        _, alice, bob = alice_and_bob()
        await bring_up(alice)
        await asyncio.sleep(1)
        await alice.engine.stop()
        await asyncio.sleep(1)
        assert alice.nothing_installed
        assert bob.nothing_installed

    run(story())
