"""The kernel counts the life of an SA by the clock of the machine. What becomes of it when somebody sets the clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator

import pytest

from ikevd.host.events import KernelEvent, SaExpired
from ikevd.host.sas import SaId
from ikevd.policy.lives import Lifetime
from ikevd.sa.model import Spi
from tests.eventually import eventually_async
from tests.kernel.namespaces import Namespace
from tests.kernel.places import kernel_in
from tests.kernel.samples import PEER, REQID, SPI, add, sa_ids, sa_of

pytestmark = [pytest.mark.kernel, pytest.mark.asyncio(loop_factories=["uvloop"])]  # the kernel knows of no loop

DAY, FIFTY_YEARS = 86_400, 50 * 365 * 86_400
SECONDS = 20
ANEW = 6
SETTLED = 2.5
"""Seconds after which the kernel has looked at a new limit; it does so after the first one."""
LATE = 3.0
"""Seconds by which an SA may end too late: the kernel counts whole ones, and looks again after a jump."""
SA, OTHER = SaId(PEER, SPI), SaId(PEER, Spi(0x1111))
SetClock = Callable[[float], None]


@pytest.fixture
def set_clock() -> Iterator[SetClock]:
    """Sets it forward by so many seconds, or back; right again at the end."""
    ahead = time.time() - time.monotonic()
    yield lambda seconds: time.clock_settime(time.CLOCK_REALTIME, time.time() + seconds)
    time.clock_settime(time.CLOCK_REALTIME, time.monotonic() + ahead)


@pytest.mark.parametrize("jump", [DAY, FIFTY_YEARS])
async def test_an_sa_outlives_a_clock_set_forward_and_may_be_given_its_end_anew(
    namespace: Namespace, set_clock: SetClock, jump: float
) -> None:
    with kernel_in(namespace) as kernel:
        await add(kernel, sa_of(OTHER.spi, lifetime=Lifetime(DAY)))
        await asyncio.sleep(SETTLED)
        await kernel.limit_sa(OTHER, SECONDS)
        await add(kernel, sa_of(lifetime=Lifetime(SECONDS)))
        await asyncio.sleep(SETTLED)
        set_clock(jump)
        await asyncio.sleep(1.5)
        assert set(await sa_ids(kernel)) == {SA, OTHER}
        for sa in (SA, OTHER):
            await kernel.limit_sa(sa, ANEW)
        await asyncio.sleep(ANEW + LATE)
        assert await sa_ids(kernel) == []


async def test_what_was_installed_or_limited_a_second_ago_ends_with_a_clock_set_forward_and_is_told(
    namespace: Namespace, set_clock: SetClock
) -> None:
    told: list[KernelEvent] = []
    with kernel_in(namespace) as kernel:
        kernel.on_event(told.append)
        await add(kernel, sa_of(OTHER.spi))
        await asyncio.sleep(SETTLED)
        await kernel.limit_sa(OTHER, SECONDS)
        await add(kernel, sa_of())
        set_clock(DAY)
        ended = {SaExpired(sa, REQID, hard=True) for sa in (SA, OTHER)}
        await eventually_async(lambda: ended <= set(told))
        assert await sa_ids(kernel) == []


async def test_a_clock_set_back_lengthens_a_life_until_it_is_limited_anew(
    namespace: Namespace, set_clock: SetClock
) -> None:
    with kernel_in(namespace) as kernel:
        for spi in (SA.spi, OTHER.spi):
            await add(kernel, sa_of(spi, lifetime=Lifetime(SECONDS)))
        await asyncio.sleep(SETTLED)
        set_clock(-DAY)
        await kernel.limit_sa(SA, ANEW)
        await asyncio.sleep(ANEW + LATE)
        assert await sa_ids(kernel) == [OTHER]


@pytest.mark.parametrize("jump", [DAY, -DAY, FIFTY_YEARS])
async def test_an_sa_that_is_installed_after_the_clock_was_set_lives_as_long_as_told(
    namespace: Namespace, set_clock: SetClock, jump: float
) -> None:
    with kernel_in(namespace) as kernel:
        set_clock(jump)
        await add(kernel, sa_of(lifetime=Lifetime(ANEW)))
        await asyncio.sleep(2)
        assert await sa_ids(kernel) == [SA]
        await asyncio.sleep(ANEW - 2 + LATE)
        assert await sa_ids(kernel) == []
