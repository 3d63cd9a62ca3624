"""A file that can be used, and a control socket that a thread serves."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from ikevd.control.server import ControlServer
from ikevd.observe import log
from ikevd.policy.settings import Control, LogFormat
from tests.cli.invoked import GOOD
from tests.control.standin import StandIn

SECONDS = 30


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration file that can be used."""
    path = tmp_path / "ikevd.yaml"
    path.touch(mode=0o600)
    path.write_text(GOOD)
    return path


@pytest.fixture
def controller() -> StandIn:
    return StandIn()


@pytest.fixture
def served(tmp_path: Path, controller: StandIn) -> Iterator[str]:
    """The path of a control socket that a thread serves."""
    log.configure(LogFormat.JSON, "info", io.StringIO())
    path = tmp_path / "control.sock"
    ready, loop = threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        server = ControlServer(controller, Control(path=path))
        await server.start()
        ready.set()
        await stop.wait()
        await server.close()

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(SECONDS)
    yield str(path)
    loop.call_soon_threadsafe(stop.set)
    thread.join(SECONDS)
    structlog.reset_defaults()
