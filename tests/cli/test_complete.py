"""Completion in the shell: through click, and through a real bash."""

from __future__ import annotations

import os
import shutil
import socket as sockets
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from ikevd.cli.main import main
from tests.cli.invoked import HEAVY, SECONDS, ikevd

FILE = """\
connections:
  berlin:
    remote: 198.51.100.1
    children:
      lan: {local: 10.1.0.0/24, remote: 10.2.0.0/24}
      dmz: {local: 10.1.9.0/24, remote: 10.2.0.0/24}
  munich:
    children:
      lan: {local: 10.1.0.0/24, remote: 10.3.0.0/24}
  paris:
"""
SERVED = ["berlin", "munich", "lan", "dmz", "halls", "halls[1]", "halls[2]"]
"""Of `tests.control.standin`: connections, children, the children that several networks make."""
ROOT = Path(__file__).parents[2]
SCRIPT = """\
source <(ikevd completion bash)
COMP_WORDS=(ikevd up ''); COMP_CWORD=2
_ikevd_completion ikevd '' up
printf '%s\\n' "${COMPREPLY[@]}"
"""


def completed(*words: str, incomplete: str = "") -> list[str]:
    return [item.value for item in ShellComplete(main, {}, "ikevd", "_").get_completions([*words], incomplete)]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where no daemon runs."""
    path = tmp_path / "ikevd.yaml"
    path.write_text(FILE)
    monkeypatch.setenv("IKEVD_CONFIG", str(path))
    monkeypatch.setenv("IKEVD_SOCKET", str(tmp_path / "none.sock"))
    return path


def test_commands_and_options_are_completed() -> None:
    assert completed(incomplete="st") == ["status"]
    assert "--wide" in completed("status", incomplete="--")


@pytest.mark.parametrize("command", ["up", "down", "rekey", "reset", "status"])
def test_names_come_from_the_running_daemon(served: str, command: str) -> None:
    assert completed(command, "--socket", served) == SERVED
    assert completed(command, "--socket", served, incomplete="b") == ["berlin"]


def test_the_socket_in_the_environment_is_asked(served: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IKEVD_SOCKET", served)
    assert completed("up", incomplete="mu") == ["munich"]
    assert completed("trace", incomplete="mu") == ["munich"]


def test_a_slash_asks_for_the_children_of_a_connection(served: str) -> None:
    assert completed("up", "--socket", served, incomplete="berlin/") == ["berlin/lan", "berlin/dmz"]


def test_without_a_daemon_names_come_from_the_configuration(config: Path) -> None:
    assert completed("up") == ["berlin", "munich", "paris", "berlin/lan", "dmz", "munich/lan"]


def test_a_child_name_that_several_have_is_offered_with_its_connection(config: Path) -> None:
    assert completed("up", incomplete="lan") == []
    assert completed("up", incomplete="munich") == ["munich", "munich/lan"]


def test_the_configuration_on_the_command_line_is_read(config: Path, tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("connections: {rome: {children: {}}}")
    assert completed("run", "--config", str(tmp_path / "other.yaml"), "--connection") == ["rome"]


@pytest.mark.parametrize(
    "text",
    ["", "connections:", "connections: [a]", "- a", "{", "connections: {a: 1, b: {children: 7}}", "\x00", "[" * 900],
)
def test_a_file_that_cannot_be_read_is_no_reason_for_noise(config: Path, text: str) -> None:
    config.write_text(text)
    assert set(completed("up")) <= {"a", "b"}


def test_a_daemon_that_does_not_answer_delays_the_key_by_a_second_and_no_more(config: Path, tmp_path: Path) -> None:
    with sockets.socket(sockets.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "mute"))
        listening.listen()
        assert "berlin" in completed("up", "--socket", str(tmp_path / "mute"))


def test_a_press_of_the_key_loads_nothing_heavy(served: str) -> None:
    code = (
        "import sys\nfrom ikevd.cli.main import main\n"
        "try: main(prog_name='ikevd')\nexcept SystemExit: print(*sys.modules)"
    )
    environment = {"_IKEVD_COMPLETE": "bash_complete", "COMP_WORDS": "ikevd up ", "COMP_CWORD": "2"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment, "IKEVD_SOCKET": served},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    *offered, modules = done.stdout.splitlines()
    assert offered == [f"plain,{name}" for name in SERVED]
    assert not {name.partition(".")[0] for name in modules.split()} & HEAVY


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_is_printed(shell: str) -> None:
    result = ikevd("completion", shell)
    assert result.exit_code == 0
    assert f"_IKEVD_COMPLETE={shell}_complete" in result.stdout


def test_a_real_bash_completes_names(served: str) -> None:
    bash = shutil.which("bash")
    assert bash
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        [bash, "-c", SCRIPT],
        env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "IKEVD_SOCKET": served},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    assert (done.stdout.splitlines(), done.stderr) == (SERVED, "")
