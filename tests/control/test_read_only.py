"""The socket of who may look and not act: the same server, without what changes anything and without keys."""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from ikevd.control.client import Client, ControlError
from ikevd.control.server import ControlServer
from ikevd.control.sockets import ListeningSocket
from ikevd.errors import ConfigError
from ikevd.policy.settings import Looks
from tests.control.standin import Daemon, StandIn

LOOKS: dict[str, Callable[[Client], object]] = {
    "version": Client.version,
    "status": Client.status,
    "names": Client.names,
    "trace": Client.trace,
    "capture": Client.capture,
}
DEEDS: dict[str, Callable[[Client], object]] = {
    "up": lambda client: list(client.up("berlin", 5)),
    "down": lambda client: list(client.down("berlin", 5)),
    "down --all": lambda client: list(client.down(None, 5)),
    "rekey": lambda client: list(client.rekey("berlin", 5)),
    "reset": lambda client: list(client.reset("berlin", 5)),
    "reload": Client.reload,
    "reload --dry-run": lambda client: client.reload(dry_run=True),
    "keys": Client.keys,
}


@pytest.fixture
async def looked_at(tmp_path: Path) -> AsyncIterator[Daemon]:
    controller = StandIn()
    server = ControlServer(controller, Looks(tmp_path / "look.sock"))
    await server.start()
    yield Daemon(tmp_path / "look.sock", controller)
    await server.close()


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
async def test_every_look_is_answered(looked_at: Daemon, look: Callable[[Client], object]) -> None:
    assert await looked_at.ask(look)


@pytest.mark.parametrize("deed", DEEDS.values(), ids=DEEDS)
async def test_every_deed_is_refused_before_it_begins(looked_at: Daemon, deed: Callable[[Client], object]) -> None:
    with pytest.raises(ControlError, match=r"this socket is only for looking; wanted that of control\.socket"):
        await looked_at.ask(deed)
    assert looked_at.controller.asked == []


async def test_its_group_may_use_it_and_nobody_else(looked_at: Daemon) -> None:
    assert stat.S_IMODE(looked_at.path.stat().st_mode) == 0o660


def test_what_is_wrong_with_it_names_its_own_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"control\.read_only_owner: this machine has no user"):
        ListeningSocket(Looks(tmp_path / "s", owner="nobody-here"))
