"""A Delete of ours goes down with the process that was about to say it: the next one says it."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from ikevd.store.memory import Killed
from tests.negotiation.mortal import tunnel
from tests.virtual_time import run


@pytest.mark.parametrize("away", [1, 60])
def test_a_delete_that_a_killed_process_had_stored_and_not_said_is_said_by_the_next(away: float) -> None:
    async def story() -> None:
        _, hers, _, alice, bob = await tunnel()
        hers.kill_after(1)
        with suppress(Killed):
            alice.session.unwant("lan")
        await asyncio.sleep(away)
        assert bob.pairs == 1, "nothing has been said yet"
        await hers.restart()
        await asyncio.sleep(1)
        assert bob.nothing_installed
        assert not hers.kernel.sas

    run(story())
