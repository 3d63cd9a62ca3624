"""Whose turn it is: programs of one child one after the other, of different children side by side."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from ikevd.errors import Finding, Said
from ikevd.hook_findings import HookNotRun
from ikevd.hooks.queue import AT_ONCE, PATIENCE, HookQueue
from ikevd.host.hooks import HookCall
from tests.hooks.calls import call
from tests.virtual_time import run

CALL = call()


@dataclass
class Slow:
    """Runs that take a second each."""

    began: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    at_once: int = 0
    most: int = 0

    async def __call__(self, call: HookCall, up: bool) -> Finding | None:
        word = f"{call.sa.child} {'up' if up else 'down'}"
        self.began.append(word)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            await asyncio.sleep(1)
            self.ended.append(word)
        finally:
            self.at_once -= 1
        return Said(word)


def test_the_runs_of_one_child_follow_one_another_and_each_tells_what_came_of_it() -> None:
    async def story() -> None:
        slow = Slow()
        queue = HookQueue(slow)
        first = asyncio.ensure_future(queue.run("lan", CALL, True))
        await asyncio.sleep(0.5)
        assert await queue.run("lan", CALL, False) == Said("lan down")
        assert await first == Said("lan up")
        assert (slow.ended, slow.most) == (["lan up", "lan down"], 1)
        assert asyncio.get_running_loop().time() == 2

    run(story())


def test_an_up_that_has_not_begun_and_its_down_are_spared() -> None:
    async def story() -> None:
        slow = Slow()
        queue = HookQueue(slow)
        runs = [asyncio.ensure_future(queue.run("lan", CALL, number % 2 == 0)) for number in range(100)]
        await asyncio.sleep(0)
        assert queue.waiting == 0, "the first up had not begun either"
        assert await asyncio.gather(*runs) == [None] * 100
        assert not slow.began

    run(story())


def test_however_often_a_child_comes_and_goes_two_runs_wait_at_most() -> None:
    async def story() -> None:
        slow = Slow()
        queue = HookQueue(slow)
        runs = [asyncio.ensure_future(queue.run("lan", CALL, True))]
        await asyncio.sleep(0.5)
        for number in range(101):
            runs.append(asyncio.ensure_future(queue.run("lan", CALL, number % 2 == 1)))
            await asyncio.sleep(0)
            assert queue.waiting <= 2
        await asyncio.gather(*runs)
        assert slow.ended == ["lan up", "lan down"]

    run(story())


def test_of_many_children_a_few_run_at_one_time() -> None:
    async def story() -> None:
        slow = Slow()
        queue = HookQueue(slow)
        await asyncio.gather(*(queue.run(number, CALL, True) for number in range(3 * AT_ONCE)))
        assert slow.most == AT_ONCE
        assert asyncio.get_running_loop().time() == 3

    run(story())


def test_at_the_end_what_is_left_is_run_in_bounded_time_and_what_was_cut_is_counted() -> None:
    async def story() -> None:
        slow = Slow()
        queue = HookQueue(slow)
        runs = [asyncio.ensure_future(queue.run(number, CALL, True)) for number in range(5 * AT_ONCE)]
        await asyncio.sleep(0.5)
        assert await queue.close() == 2 * AT_ONCE
        assert asyncio.get_running_loop().time() == 0.5 + PATIENCE
        assert (slow.at_once, sum(one.done() for one in runs)) == (0, 3 * AT_ONCE)

    run(story())


def test_what_has_not_ended_when_it_has_rested_is_ended_at_once() -> None:
    async def story() -> None:
        async def endless(call: HookCall, up: bool) -> Finding | None:
            await asyncio.sleep(1000)
            return None

        queue = HookQueue(endless)
        running = asyncio.ensure_future(queue.run("lan", CALL, True))
        await asyncio.sleep(0.5)
        await queue.rest()
        assert await queue.close() == 1
        assert asyncio.get_running_loop().time() == 0.5 + PATIENCE
        running.cancel()

    run(story())


def test_one_that_rests_begins_nothing_and_waits_for_what_runs() -> None:
    async def story() -> None:
        slow = Slow()
        queue = HookQueue(slow)
        first = asyncio.ensure_future(queue.run("lan", CALL, True))
        await asyncio.sleep(0.5)
        second = asyncio.ensure_future(queue.run("lan", CALL, False))
        await asyncio.sleep(0)
        await queue.rest()
        third = asyncio.ensure_future(queue.run("dmz", CALL, True))
        await asyncio.sleep(100)
        assert (first.result(), second.done(), third.done()) == (Said("lan up"), False, False)
        assert slow.began == ["lan up"]
        assert await queue.close() == 0

    run(story())


def test_a_run_that_breaks_is_told_as_one_that_was_not_run_and_the_next_one_has_its_turn() -> None:
    async def story() -> None:
        ups = iter((True, False))

        async def breaking(call: HookCall, up: bool) -> Finding | None:
            await asyncio.sleep(1)
            if next(ups):
                raise RuntimeError("can't start new thread")
            return Said("done")

        queue = HookQueue(breaking)
        first = asyncio.ensure_future(queue.run("lan", CALL, True))
        await asyncio.sleep(0.5)
        second = asyncio.ensure_future(queue.run("lan", CALL, False))
        program = CALL.updown.program
        assert await first == HookNotRun(program, "lan", True, reason="RuntimeError: can't start new thread")
        assert await second == Said("done")

    run(story())
