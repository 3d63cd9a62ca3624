"""A process that ends: it hands over to the next one, or takes all down, and others have their turn meanwhile."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable
from typing import TypeVar

import pytest

from ikevd.negotiation.backstop import AGAIN, FAR
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


async def ends(machine: Machine) -> list[float]:
    """Seconds until the kernel ends each of its SAs."""
    return [sa.ends_in or 0 for sa in await machine.kernel.dump_sas()]


def test_the_next_process_measures_their_time_itself_again() -> None:
    async def story() -> None:
        _, hers, _, alice, _ = await tunnel()
        assert min(await ends(hers)) > FAR
        assert await alice.engine.hand_over()
        assert all(3500 < left <= 3600 for left in await ends(hers))
        again = await hers.restart()
        await asyncio.sleep(30)
        assert len(await ends(hers)) == 2
        assert min(await ends(hers)) > FAR
        assert again.troubles == []

    run(story())


def test_what_the_kernel_refuses_then_it_is_asked_again() -> None:
    async def story() -> None:
        _, hers, _, alice, _ = await tunnel()
        assert await alice.engine.hand_over()
        hers.kernel.fail("limit_sa", errno.ENOBUFS)
        again = await hers.restart()
        await asyncio.sleep(30)
        assert min(await ends(hers)) < 3600
        assert any("limit the life of" in trouble for trouble in again.troubles)
        await asyncio.sleep(AGAIN)
        assert min(await ends(hers)) > FAR

    run(story())


def test_of_a_kernel_that_is_locked_down_it_is_asked_once() -> None:
    async def story() -> None:
        _, hers, _, alice, _ = await tunnel()
        assert await alice.engine.hand_over()
        hers.kernel.locked_down = True
        again = await hers.restart()
        await asyncio.sleep(10 * AGAIN)
        assert again.counters["kernel: KeysWithheld"] == 2
        assert again.pairs == 1

    run(story())


def test_after_a_crash_there_is_nothing_to_set_back() -> None:
    async def story() -> None:
        _, hers, _, _, _ = await tunnel()
        hers.kill()
        hers.kernel.fail("limit_sa", errno.ENOBUFS)
        again = await hers.restart()
        await asyncio.sleep(30)
        assert again.troubles == []

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


@pytest.mark.parametrize("many", ["peers", pytest.param("children of one peer", marks=pytest.mark.long)])
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
