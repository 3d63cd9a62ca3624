"""The socket file: its owner and mode, what may be replaced, and what a client says that cannot reach it."""

from __future__ import annotations

import asyncio
import os
import pwd
import socket
import stat
import threading
from pathlib import Path

import pytest

from ikevd.control import client
from ikevd.control.client import Client, ControlError
from ikevd.control.server import ControlServer
from ikevd.control.sockets import ListeningSocket, peer_of
from ikevd.errors import CannotStart, ConfigError
from ikevd.policy.settings import Control
from tests.control.standin import Daemon, StandIn

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def opened(path: Path, mode: int = 0o600, owner: str | None = None) -> ListeningSocket:
    return ListeningSocket(Control(path=path, mode=mode, owner=owner))


@pytest.mark.parametrize("mode", [0o600, 0o660])
def test_the_mode_is_as_configured_whatever_the_umask(tmp_path: Path, mode: int) -> None:
    before = os.umask(0o077)
    try:
        listening = opened(tmp_path / "s", mode)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == mode
    listening.close()


def test_nothing_else_is_left_in_the_folder(tmp_path: Path) -> None:
    listening = opened(tmp_path / "s")
    assert [path.name for path in tmp_path.iterdir()] == ["s"]
    listening.close()
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_made(tmp_path: Path) -> None:
    opened(tmp_path / "run" / "ikevd" / "s").close()
    assert (tmp_path / "run" / "ikevd").is_dir()


def test_the_owner_may_be_named(tmp_path: Path) -> None:
    user = pwd.getpwuid(os.geteuid()).pw_name
    opened(tmp_path / "s", owner=f"{user}:{os.getegid()}").close()


@pytest.mark.parametrize(("owner", "missing"), [("nobody-here", "user"), ("0:nobody-here", "group")])
def test_an_unknown_owner_is_refused_and_nothing_is_left(tmp_path: Path, owner: str, missing: str) -> None:
    with pytest.raises(ConfigError, match=f"control.owner: this machine has no {missing} 'nobody-here'"):
        opened(tmp_path / "s", owner=owner)
    assert list(tmp_path.iterdir()) == []


def test_a_stale_socket_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "s"))
    opened(tmp_path / "s").close()


def test_a_living_socket_is_left_alone(tmp_path: Path) -> None:
    first = opened(tmp_path / "s")
    with pytest.raises(CannotStart, match=rf"another ikevd \(pid {os.getpid()}\) is listening there"):
        opened(tmp_path / "s")
    assert (tmp_path / "s").exists()
    first.close()


def test_a_living_socket_with_a_full_queue_is_left_alone(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as first:
        busy.bind(str(tmp_path / "s"))
        busy.listen(0)
        first.connect(str(tmp_path / "s"))
        with pytest.raises(CannotStart, match="another ikevd is listening there"):
            opened(tmp_path / "s")


def test_closing_is_quiet_where_the_file_is_gone(tmp_path: Path) -> None:
    listening = opened(tmp_path / "s")
    (tmp_path / "s").unlink()
    listening.close()


def test_a_link_in_the_way_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "s").symlink_to(tmp_path / "precious")
    with pytest.raises(CannotStart, match="a file that is no socket is in the way"):
        opened(tmp_path / "s")
    assert (tmp_path / "s").is_symlink()


def test_a_file_in_the_way_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("precious")
    with pytest.raises(CannotStart, match="a file that is no socket is in the way"):
        opened(tmp_path / "s")
    assert (tmp_path / "s").read_text() == "precious"


def test_a_folder_that_cannot_be_made_is_told_with_what_mends_it(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file")
    with pytest.raises(CannotStart, match=r"run/s cannot be used: .*; a file stands where a folder should be"):
        opened(tmp_path / "run" / "s")


def test_a_path_that_is_too_long_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="AF_UNIX path too long"):
        opened(tmp_path / ("x" * 120) / "s")


def test_closing_leaves_the_socket_of_a_successor(tmp_path: Path) -> None:
    first = opened(tmp_path / "s")
    (tmp_path / "s").unlink()
    second = opened(tmp_path / "s")
    first.close()
    assert (tmp_path / "s").exists()
    second.close()


def test_the_kernel_tells_who_connects(tmp_path: Path) -> None:
    listening = opened(tmp_path / "s")
    listening.socket.setblocking(True)
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(str(tmp_path / "s"))
        accepted, _ = listening.socket.accept()
        with accepted:
            peer = peer_of(accepted)
    listening.close()
    assert (peer.pid, peer.uid) == (os.getpid(), os.geteuid())


async def test_a_server_that_closes_takes_its_socket_along(tmp_path: Path) -> None:
    server = ControlServer(StandIn(), Control(path=tmp_path / "s"))
    await server.start()
    await server.close()
    assert os.listdir(tmp_path) == []


def test_a_client_without_daemon_says_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match=r"is ikevd running\? Nothing listens on its control socket .*none.sock"):
        Client(tmp_path / "none.sock").status()


def test_a_client_tells_of_a_daemon_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "ANSWER_SECONDS", 0.05)
    listening = opened(tmp_path / "s")
    with pytest.raises(ControlError, match=r"ikevd does not answer on .*/s within 0.05 s"):
        Client(tmp_path / "s").status()
    listening.close()


def test_a_client_tells_of_a_connection_that_is_closed_without_an_answer(tmp_path: Path) -> None:
    listening = opened(tmp_path / "s")
    listening.socket.setblocking(True)
    closing = threading.Thread(target=lambda: listening.socket.accept()[0].close())
    closing.start()
    with pytest.raises(ControlError, match=r"ikevd closed the connection to .*/s without an answer: it stops just now"):
        Client(tmp_path / "s").status()
    closing.join()
    listening.close()


def test_a_client_refuses_a_path_that_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match="AF_UNIX path too long"):
        Client(tmp_path / ("x" * 120)).status()


def test_a_client_finds_a_dead_socket(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "s"))
    with pytest.raises(ControlError, match="is ikevd running"):
        list(Client(tmp_path / "s").up("lan", 5))


@needs_root
async def test_a_user_without_permission_is_told_so(daemon: Daemon) -> None:
    daemon.path.parent.chmod(0o700)
    child = os.fork()
    if child == 0:  # pragma: no cover
        code = 1
        try:
            os.setuid(65534)
            Client(daemon.path).version()
        except ControlError as error:
            code = 0 if f"{daemon.path}: use sudo, or set control.owner" in str(error) else 2
        finally:
            os._exit(code)
    _, status = await asyncio.to_thread(os.waitpid, child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
