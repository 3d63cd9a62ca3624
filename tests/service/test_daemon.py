"""The daemon as a process: signals, too few descriptors, and what keeps it from starting."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from ikevd.boot.file import read_blocks
from ikevd.cli.run import UNUSABLE
from ikevd.host.policies import Action
from tests.service.daemon import NOTHING_LEFT, Daemon, free_port, pair

pytestmark = pytest.mark.long  # starts daemons

DESCRIPTORS = 64
IDLE = b""
HALF_A_REQUEST = b"POST /v1/up/lan HTTP/1.1\r\n"
WITHOUT_ITS_BODY = b"POST /v1/up/lan HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with Daemon(tmp_path / "daemon", port=free_port()) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One that is only looked at."""
    with Daemon(tmp_path_factory.mktemp("running") / "daemon", port=free_port()) as daemon:
        daemon.start()
        yield daemon


# -- descriptors


@pytest.mark.parametrize("loop", ["uvloop", pytest.param("asyncio", marks=pytest.mark.soak)])
def test_a_daemon_with_64_descriptors_and_60_held_connections_beats_answers_and_cleans_up(
    tmp_path: Path, loop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOOP", loop)
    with pair(tmp_path) as (daemon, peer):
        peer.start()
        daemon.start(descriptors=DESCRIPTORS)
        daemon.up()
        with daemon.held(20, IDLE), daemon.held(20, HALF_A_REQUEST), daemon.held(20, WITHOUT_ITS_BODY):
            for _ in range(4):
                daemon.manager.expect("WATCHDOG=1")
            assert len(daemon.pairs()) == 1
            assert len(os.listdir(f"/proc/{daemon.process.pid}/fd")) < DESCRIPTORS - 16
            assert daemon.manager.stop(within=10) == 0
        daemon.manager.expect("STOPPING=1")
        assert daemon.log.splitlines()[-1] == NOTHING_LEFT
        assert "internal error" not in daemon.log
        assert not daemon.path.exists()


# -- signals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT], ids=lambda number: number.name)
def test_term_int_and_quit_end_it_in_order(daemon: Daemon, number: signal.Signals) -> None:
    daemon.start()
    assert daemon.manager.stop(within=10, number=number) == 0
    assert daemon.log.splitlines()[-1] == NOTHING_LEFT
    assert not daemon.path.exists()


# -- what keeps it from starting: one sentence, and a code with which the service manager tries again

RETRIED = 1


def refusal(daemon: Daemon) -> str:
    """What a daemon that cannot start says."""
    assert daemon.process.wait(30) == RETRIED
    *told, left = daemon.log.splitlines()
    assert left == NOTHING_LEFT
    (sentence,) = [line for line in told if not line.startswith("{")]
    return sentence.removeprefix("ikevd cannot run: ")


def test_a_second_daemon_names_the_pid_of_the_first(running: Daemon, tmp_path: Path) -> None:
    with Daemon(tmp_path / "second", port=free_port()) as second:
        second.configure(runtime_directory=str(running.folder / "run"))
        second.launch()
        assert refusal(second) == (
            f"another ikevd (pid {running.process.pid}) uses the runtime folder {running.folder}/run; "
            "each needs its own runtime_directory"
        )


def test_a_second_daemon_at_the_same_control_socket_names_the_pid_of_the_first(running: Daemon, tmp_path: Path) -> None:
    with Daemon(tmp_path / "second", port=free_port()) as second:
        second.configure(control={"socket": str(running.path)})
        second.launch()
        assert refusal(second) == (
            f"control.socket {running.path}: another ikevd (pid {running.process.pid}) is listening there"
        )


def test_a_runtime_folder_that_cannot_be_made_is_told(daemon: Daemon) -> None:
    (daemon.folder / "run").write_text("a file")
    daemon.launch()
    assert refusal(daemon) == (
        f"runtime_directory: the lock {daemon.folder}/run/lock cannot be used: File exists; "
        "a file stands where a folder should be"
    )


def test_a_control_socket_whose_folder_cannot_be_made_is_told(daemon: Daemon) -> None:
    (daemon.folder / "file").touch()
    daemon.configure(control={"socket": str(daemon.folder / "file" / "s")})
    daemon.launch()
    assert refusal(daemon) == (
        f"control.socket {daemon.folder}/file/s cannot be used: File exists; a file stands where a folder should be"
    )


def test_a_key_log_that_cannot_be_opened_is_told(daemon: Daemon) -> None:
    daemon.launch(key_log=daemon.folder / "none" / "keys")
    assert refusal(daemon) == (
        f"key log {daemon.folder}/none/keys cannot be used: No such file or directory; "
        f"make the folder {daemon.folder}/none"
    )


def test_too_few_descriptors_are_told(daemon: Daemon) -> None:
    daemon.launch(descriptors=20)
    assert refusal(daemon) == (
        "this process may have 20 descriptors, it needs 32 at least; "
        "let ikevd have more descriptors (LimitNOFILE= in the unit, ulimit -n in a shell)"
    )


def test_the_least_number_of_descriptors_suffices(daemon: Daemon) -> None:
    daemon.start(descriptors=32)
    with daemon.held(60):
        assert daemon.client.version()["schema"] == 1
    assert daemon.manager.stop(within=10) == 0


# -- blocks for the next start of the machine


def test_a_good_start_keeps_the_blocks_and_a_bad_one_leaves_them(
    daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    daemon.start()
    kept = (tmp_path / "blocks").read_bytes()
    assert {"127.0.0.1/32 127.0.0.2/32"} == {
        f"{policy.id.source} {policy.id.destination}"
        for policy in read_blocks(tmp_path / "blocks")
        if policy.action is Action.BLOCK
    }
    assert daemon.manager.stop(within=10) == 0
    daemon.configure(connections={"peer": {}})
    daemon.launch()
    assert daemon.process.wait(30) == UNUSABLE
    assert (tmp_path / "blocks").read_bytes() == kept


def test_a_file_of_blocks_that_cannot_be_read_keeps_no_daemon_from_starting(
    daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    (tmp_path / "blocks").write_text("no blocks")
    daemon.start()
    assert "which blocks stand since the start of this machine is not known: the file of blocks" in daemon.log


def test_blocks_that_cannot_be_kept_keep_no_daemon_from_starting(
    daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "none"))
    daemon.start()
    assert "no blocks at the next start of this machine: the file of blocks" in daemon.log
