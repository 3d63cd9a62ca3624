"""What the operator, and what systemd, mean by a signal."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest

from ikevd.service.stop import SIGNALS, Stop, stop_signal


@pytest.fixture
async def stop() -> AsyncIterator[asyncio.Future[Stop]]:
    yield stop_signal()
    for number in SIGNALS:
        asyncio.get_running_loop().remove_signal_handler(number)


@pytest.mark.parametrize(
    ("number", "meant"),
    [
        (signal.SIGTERM, Stop.HAND_OVER),
        (signal.SIGQUIT, Stop.HAND_OVER),
        (signal.SIGINT, Stop.TAKE_DOWN),
    ],
    ids=lambda value: value.name,
)
async def test_sigterm_hands_over_and_ctrl_c_takes_down(
    stop: asyncio.Future[Stop], number: signal.Signals, meant: Stop
) -> None:
    os.kill(os.getpid(), number)
    assert await stop is meant


async def test_the_first_signal_decides(stop: asyncio.Future[Stop]) -> None:
    os.kill(os.getpid(), signal.SIGINT)
    assert await stop is Stop.TAKE_DOWN
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.sleep(0)
    assert stop.result() is Stop.TAKE_DOWN
