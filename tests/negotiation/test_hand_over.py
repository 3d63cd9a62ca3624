"""A process that ends: it hands over to the next one, or takes all down, and others have their turn meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import pytest

from ikevd.negotiation.paced import STEP
from tests.builders import ALICE, BOB, child, connection
from tests.gateways import World
from tests.negotiation.mortal import Machine, kinds, tunnel
from tests.virtual_time import run

T = TypeVar("T")


def test_a_hand_over_limits_each_sa_to_what_is_left_of_its_life() -> None:
    async def story() -> None:
        world, hers, _, alice, _ = await tunnel()
        now = asyncio.get_running_loop().time()
        assert await alice.engine.hand_over()
        assert len(hers.kernel.sas) == 2
        again = await hers.restart()
        await asyncio.sleep(60)
        assert again.pairs == 1
        assert kinds(world, now) == set()

    run(story())


class Turns:
    """Of the event loop, while somebody is at work in it."""

    def __init__(self) -> None:
        self.count = 0
        self._over = False

    async def during(self, work: Awaitable[T]) -> T:
        counting = asyncio.ensure_future(self._tick())
        done = await work
        self._over = True
        await counting
        return done

    async def _tick(self) -> None:
        while not self._over:
            self.count += 1
            await asyncio.sleep(0)


@pytest.mark.parametrize("many", ["peers", "children of one peer"])
def test_others_have_their_turn_while_many_are_handed_over(many: str) -> None:
    async def story() -> None:
        nets = [child(name=f"c{n}", reqid=0x696B0001 + n, remote=f"10.3.{n}.0/24") for n in range(100)]
        if many == "peers":
            views = [connection(name=lan.name, remote=BOB + n, children=(lan,)) for n, lan in enumerate(nets)]
            alice = Machine(World(), ALICE, *views).boot()
            alice.engine.start()
        else:
            _, _, _, alice, _ = await tunnel(connection(children=(child(), *nets)))
            await asyncio.gather(*(alice.session.want(lan.name) for lan in nets))
        turns = Turns()
        assert await turns.during(alice.engine.hand_over())
        assert turns.count >= 100 / STEP

    run(story())


def test_others_have_their_turn_while_many_are_taken_down() -> None:
    async def story() -> None:
        nets = [child(name=f"c{n}", reqid=0x696B0001 + n, remote=f"10.3.{n}.0/24") for n in range(100)]
        views = [connection(name=lan.name, remote=BOB + n, children=(lan,)) for n, lan in enumerate(nets)]
        hers = Machine(World(), ALICE, *views)
        alice = hers.boot()
        alice.engine.start()
        await asyncio.sleep(1)
        turns = Turns()
        await turns.during(alice.engine.stop())
        assert turns.count >= 3 * 100 / STEP, "to end, to end what came up meanwhile, and to remove"
        assert not hers.kernel.policies

    run(story())
