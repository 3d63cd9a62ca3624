"""A server on a socket of its own."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog

from ikevd.control.server import ControlServer
from ikevd.observe import log
from ikevd.policy.settings import Control, LogFormat
from tests.control.standin import Daemon, StandIn


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """The log, as JSON lines."""
    stream = io.StringIO()
    log.configure(LogFormat.JSON, "info", stream)
    yield stream
    structlog.reset_defaults()


@pytest.fixture
async def daemon(tmp_path: Path, logged: io.StringIO) -> AsyncIterator[Daemon]:
    controller = StandIn()
    server = ControlServer(controller, Control(path=tmp_path / "control.sock"))
    await server.start()
    yield Daemon(tmp_path / "control.sock", controller)
    await server.close()
