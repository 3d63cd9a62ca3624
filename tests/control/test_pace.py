"""Long work in short steps."""

from __future__ import annotations

import asyncio

from ikevd.control.pace import STEP, Pace
from tests.virtual_time import run


class Work:
    """A clock that goes on only while there is work."""

    def __init__(self) -> None:
        self.done = 0.0

    def __call__(self) -> float:
        return self.done


def test_a_short_step_needs_no_rest() -> None:
    async def story() -> None:
        work = Work()
        pace = Pace(work)
        work.done += STEP / 2
        await pace.keep()
        assert asyncio.get_running_loop().time() == 0.0

    run(story())


def test_after_a_step_comes_a_rest_as_long_as_the_work_before_it() -> None:
    async def story() -> None:
        work = Work()
        pace = Pace(work)
        work.done += 0.25
        await pace.keep()
        assert asyncio.get_running_loop().time() == 0.25
        assert not pace.due
        work.done += 0.5
        await pace.keep()
        assert asyncio.get_running_loop().time() == 0.75

    run(story())
