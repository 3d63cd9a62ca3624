"""How many connections the control socket holds, and for how long."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ikevd.control import connections, server
from ikevd.control.client import Client
from ikevd.control.connections import LEAST, MOST, Connections, room
from ikevd.control.sockets import ListeningSocket
from ikevd.policy.settings import Control
from tests.control.standin import Daemon
from tests.eventually import eventually_async


class Callers:
    """Connections that are held open."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._writers: list[asyncio.StreamWriter] = []

    async def call(self, octets: bytes = b"") -> asyncio.StreamReader:
        """Connect, and say no more than this."""
        reader, writer = await asyncio.open_unix_connection(self._path)
        self._writers.append(writer)
        writer.write(octets)
        return reader

    async def hang_up(self) -> None:
        for writer in self._writers:
            writer.close()


@pytest.fixture
async def callers(daemon: Daemon) -> AsyncIterator[Callers]:
    callers = Callers(daemon.path)
    yield callers
    await callers.hang_up()


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "room", lambda *, looks: 4)


async def is_over(reader: asyncio.StreamReader) -> bool:
    """Wait until the daemon hangs up. Was that all that it said?"""
    try:
        return await reader.read() == b""
    except ConnectionResetError:
        return True


HELD = (b"", b"GET /v1/version HT", b"POST /v1/up/silent HTTP/1.1\r\nHost: x\r\n")


@pytest.mark.parametrize("said", HELD, ids=["nothing", "half-a-line", "half-a-header"])
async def test_the_oldest_idle_connection_makes_way_for_a_new_one(
    daemon: Daemon, callers: Callers, said: bytes
) -> None:
    oldest, *others = [await callers.call(said) for _ in range(4)]
    assert (await daemon.ask(Client.version))["schema"] == 1
    assert await is_over(oldest)
    assert not any(reader.at_eof() for reader in others)


async def test_sixty_idle_connections_keep_nobody_out(daemon: Daemon, callers: Callers) -> None:
    for _ in range(60):
        await callers.call()
    assert (await daemon.ask(Client.version))["schema"] == 1


async def test_a_command_under_way_does_not_make_way(daemon: Daemon, callers: Callers) -> None:
    waiting = [await callers.call(b"POST /v1/up/silent HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(3)]
    await eventually_async(lambda: daemon.controller.waiting == 3)
    for _ in range(10):
        await callers.call()
    assert (await daemon.ask(Client.version))["schema"] == 1
    assert daemon.controller.waiting == 3
    assert not any(reader.at_eof() for reader in waiting)


async def test_where_all_are_busy_a_new_one_waits_until_one_ends(daemon: Daemon, callers: Callers) -> None:
    for _ in range(4):
        await callers.call(b"POST /v1/up/silent HTTP/1.1\r\nHost: x\r\n\r\n")
    await eventually_async(lambda: daemon.controller.waiting == 4)
    later = asyncio.create_task(daemon.ask(Client.version))
    await asyncio.sleep(0)
    await callers.hang_up()
    assert (await later)["schema"] == 1


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Idle connections end after a moment."""
    monkeypatch.setattr(connections, "IDLE_SECONDS", 0.05)


@pytest.mark.parametrize("said", HELD, ids=["nothing", "half-a-line", "half-a-header"])
async def test_a_connection_without_a_whole_request_ends(soon: None, callers: Callers, said: bytes) -> None:
    assert await is_over(await callers.call(said))


@pytest.mark.parametrize("path", ["/v1/up/berlin", "/v1/status", "/v2"], ids=["a-command", "a-look", "nothing-there"])
@pytest.mark.parametrize("length", ["Content-Length: 100", "Transfer-Encoding: chunked"], ids=["length", "chunks"])
async def test_a_post_whose_body_never_comes_is_answered_and_ends(
    soon: None, callers: Callers, path: str, length: str
) -> None:
    reader = await callers.call(f"POST {path} HTTP/1.1\r\nHost: x\r\n{length}\r\n\r\n".encode())
    assert (await reader.readline()).startswith(b"HTTP/1.1 ")
    await is_over(reader)


class Speaker(asyncio.Protocol):
    def __init__(self) -> None:
        self.made = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        asyncio.get_running_loop().call_soon(self.made.set)


async def test_a_request_that_takes_too_long_ends_with_its_connection(tmp_path: Path) -> None:
    listening, speaker = ListeningSocket(Control(path=tmp_path / "s")), Speaker()
    held = Connections(listening.socket, lambda: speaker, most=1)
    reader, writer = await asyncio.open_unix_connection(str(tmp_path / "s"))
    await speaker.made.wait()
    with held.busy(speaker, seconds=0.05):
        assert await is_over(reader)
    writer.close()
    held.close()
    listening.close()


def test_connections_take_a_quarter_of_the_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    for limit, share in ((64, 16), (1024, 256), (10**6, MOST), (8, LEAST), (resource.RLIM_INFINITY, MOST)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, limit=limit: (limit, limit))
        assert room() == share
