"""How the daemon is told to end, and what it is to do with its tunnels then."""

from __future__ import annotations

import asyncio
import signal
from enum import Enum


class Stop(Enum):
    """The first signal decides."""

    HAND_OVER = "hand over"
    """SIGTERM, which systemd sends for stop and restart alike, and SIGQUIT: a successor may follow."""
    TAKE_DOWN = "take down"
    """SIGINT, Ctrl-C in the foreground: the operator wants the tunnels to end with the program."""


SIGNALS = {signal.SIGTERM: Stop.HAND_OVER, signal.SIGQUIT: Stop.HAND_OVER, signal.SIGINT: Stop.TAKE_DOWN}


def stop_signal() -> asyncio.Future[Stop]:
    """Done as soon as one of the signals comes."""
    loop = asyncio.get_running_loop()
    stop = loop.create_future()
    for number, meant in SIGNALS.items():
        loop.add_signal_handler(number, _stop, stop, meant)
    return stop


def _stop(stop: asyncio.Future[Stop], meant: Stop) -> None:
    if not stop.done():
        stop.set_result(meant)
