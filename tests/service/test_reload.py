"""The daemon as a process reads its file again: by SIGHUP, or as the control socket asks for it."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ikevd.boot.file import read_blocks
from ikevd.host.policies import Action
from tests.eventually import eventually
from tests.service.daemon import NOTHING_LEFT, Daemon, free_port

pytestmark = pytest.mark.long  # starts daemons


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with Daemon(tmp_path / "daemon", port=free_port()) as daemon:
        yield daemon


def peer(**settings: Any) -> dict[str, Any]:
    child = {"local": "127.0.0.1/32", "remote": settings.pop("to", "127.0.0.2/32"), "start": "manual"}
    plain = {"local": "127.0.0.1", "remote": "127.0.0.2", "psk": "one long pre-shared key for both"}
    return {**plain, "children": {"lan": child}, **settings}


def lines(daemon: Daemon, event: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in daemon.log.splitlines() if line.startswith("{")]
    return [line for line in found if line["event"] == event]


def networks(daemon: Daemon) -> set[str]:
    return {child["remote"] for one in daemon.client.status()["connections"] for child in one["children"]}


def test_the_command_carries_out_what_the_file_says_otherwise_and_the_service_manager_hears_of_it(
    daemon: Daemon,
) -> None:
    daemon.start()
    daemon.configure(connections={"peer": peer(), "other": peer(remote="127.0.0.3", to="127.0.0.3/32")})
    answer = daemon.client.reload()
    assert (answer["ok"], answer["unchanged"], answer["added"]) == (True, 1, ["other"])
    assert networks(daemon) == {"127.0.0.2/32", "127.0.0.3/32"}
    told = daemon.manager.expect("RELOADING=1")
    assert int(told["MONOTONIC_USEC"]) > 0
    daemon.manager.expect("READY=1")
    (line,) = lines(daemon, "reloaded")
    assert (line["unchanged"], line["added"]) == (1, ["other"])
    assert daemon.manager.stop(within=10) == 0
    assert daemon.log.splitlines()[-1] == NOTHING_LEFT


def test_hup_does_the_same_and_tells_it_to_the_log(daemon: Daemon) -> None:
    daemon.start()
    daemon.configure(connections={"peer": peer(to="127.0.0.9/32")})
    daemon.process.send_signal(signal.SIGHUP)
    eventually(lambda: lines(daemon, "reloaded"))
    assert networks(daemon) == {"127.0.0.9/32"}
    daemon.manager.expect("RELOADING=1")
    daemon.manager.expect("READY=1")


@pytest.mark.parametrize("how", ["command", "hup"])
def test_a_file_that_cannot_be_used_changes_nothing_and_is_told_with_file_line_and_key(
    daemon: Daemon, how: str
) -> None:
    daemon.start()
    before = networks(daemon)
    daemon.configure(connections={"peer": peer(remote="127.0.0.1000", to="127.0.0.9/32")})
    if how == "command":
        answer = daemon.client.reload()
        assert not answer["ok"]
        assert any(":1:" in one and "connections.peer.remote" in one for one in answer["problems"])
    else:
        daemon.process.send_signal(signal.SIGHUP)
    told = eventually(lambda: lines(daemon, "not reloaded"))
    assert all(line["text"].startswith(f"nothing has changed: {daemon.folder}/ikevd.yaml:1:") for line in told)
    assert networks(daemon) == before
    daemon.manager.expect("RELOADING=1")
    daemon.manager.expect("READY=1")


def test_a_dry_run_only_tells_the_plan(daemon: Daemon) -> None:
    daemon.start()
    before = networks(daemon)
    daemon.configure(connections={"peer": peer(to="127.0.0.9/32")})
    answer = daemon.client.reload(dry_run=True)
    (changed,) = answer["changed"]
    assert changed["children"] == [{"name": "lan", "keys": ["remote"], "reach": "replaced"}]
    assert networks(daemon) == before
    assert not lines(daemon, "reloaded")


def test_what_takes_effect_at_the_next_start_only_is_told(daemon: Daemon) -> None:
    daemon.start()
    daemon.configure(listen={"addresses": ["127.0.0.1"], "port": 1, "nat_port": 2}, log={"level": "debug"})
    answer = daemon.client.reload()
    assert "listen.port takes effect at the next start" in answer["remarks"]
    assert {"key": "log.level", "at_next_start": False} in answer["settings"]
    again = daemon.client.reload()
    assert [one for one in again["settings"] if not one["at_next_start"]] == []


def test_a_secret_in_a_file_is_read_again_and_one_of_the_environment_is_told_to_be_that_of_the_start(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PSK", "a long key of the environment, once and for all")
    key = daemon.folder / "psk"
    key.touch(mode=0o600)
    key.write_text("a long key in a file of its own")
    other = peer(remote="127.0.0.3", to="127.0.0.3/32", psk={"env": "PSK"})
    daemon.configure(connections={"peer": peer(psk={"file": "psk"}), "other": other})
    daemon.start()
    key.write_text("another long key in the same file")
    answer = daemon.client.reload()
    (changed,) = answer["changed"]
    assert (changed["name"], changed["keys"]) == ("peer", ["psk"])
    assert any("a new key of other takes effect at the next start" in remark for remark in answer["remarks"])
    assert "another long key" not in daemon.log


def test_the_blocks_of_the_next_boot_are_written_anew(
    daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    daemon.start()
    daemon.configure(connections={"peer": peer(to="127.0.0.9/32")})
    assert daemon.client.reload()["ok"]
    blocked = {str(one.id.destination) for one in read_blocks(tmp_path / "blocks") if one.action is Action.BLOCK}
    assert blocked == {"127.0.0.9/32"}
