"""The command line: against a small real server, and as a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from ikevd import __version__
from ikevd.cli.main import main
from ikevd.cli.show import NOT_UP
from tests.cli.invoked import GOOD, HEAVY, SECONDS, ikevd
from tests.config.files import peers
from tests.control.standin import RECORD, STATUS, StandIn
from tests.plugins.secrets import MARK
from tools.man_page import every

BAD = GOOD.replace("remote: 198.51.100.1", "remote: 198.51.100.1000").replace("10.2.0.0/24", "10.2.0.0/99")


def process(*words: str) -> subprocess.CompletedProcess[str]:
    code = "from ikevd.cli.main import main; main(prog_name='ikevd')"
    return subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=SECONDS, check=False
    )


# -- start and help -----------------------------------------------------------------------------------------------


def test_version_prints_the_version() -> None:
    assert ikevd("version").stdout == f"ikevd {__version__}\n"


def test_version_as_json() -> None:
    assert json.loads(ikevd("version", "--json").stdout) == {"schema": 1, "version": __version__}


@pytest.mark.parametrize("words", ["version", "status", "trace", "capture x", "up berlin", "down berlin", "reload"])
def test_short_commands_load_nothing_heavy(words: str, tmp_path: Path) -> None:
    code = (
        "import sys\nfrom ikevd.cli.main import main\n"
        "try: main(sys.argv[1:], standalone_mode=False)\nexcept SystemExit: pass\n"
        "print(*sys.modules)"
    )
    arguments = words.split() + ([] if words == "version" else ["--socket", str(tmp_path / "none")])
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=SECONDS, check=True
    )
    loaded = {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}
    assert not loaded & HEAVY


def test_the_version_is_an_option_too() -> None:
    assert ikevd("--version").stdout == ikevd("version").stdout


@pytest.mark.parametrize("option", ["-h", "--help"])
@pytest.mark.parametrize("command", [[], *(name.split() for name, _ in every(main))], ids=" ".join)
def test_every_command_has_help(command: list[str], option: str) -> None:
    result = ikevd(*command, option)
    assert result.exit_code == 0
    assert result.stdout.startswith("Usage:")


def test_wrong_usage_exits_with_2() -> None:
    assert ikevd("up").exit_code == 2
    assert ikevd("trace", "--last", "0").exit_code == 2
    assert ikevd("fly").exit_code == 2


@pytest.mark.parametrize(("typed", "meant"), [("stauts", "status"), ("decod", "decode"), ("dwon", "down")])
def test_a_command_that_is_nearly_right_is_suggested(typed: str, meant: str) -> None:
    result = ikevd(typed)
    assert result.exit_code == 2
    assert result.stderr.endswith(f"No such command '{typed}'. Did you mean '{meant}'?\n")


def test_nothing_is_suggested_for_what_is_like_no_command() -> None:
    assert ikevd("fly").stderr.endswith("No such command 'fly'.\n")


@pytest.mark.parametrize("command", ["trace", "run"])
@pytest.mark.parametrize(("option", "value"), [("--peer", "berlin"), ("--peer", "192.0.2.256"), ("--spi", "berlin")])
def test_a_filter_that_could_never_fit_is_wrong_usage(command: str, option: str, value: str) -> None:
    result = ikevd(command, option, value)
    assert result.exit_code == 2
    assert f"'{value}', wanted" in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["status", ""],
        ["up", ""],
        ["status", "--peer", ""],
        ["trace", "--spi", ""],
        ["trace", "--spi", "0x"],
        ["trace", ""],
        ["trace", "--last", "0.5"],
        ["capture", "x", "--last", "0"],
        ["up", "berlin", "--timeout", "nan"],
        ["down", "berlin", "--timeout", "inf"],
    ],
    ids=" ".join,
)
def test_a_value_that_cannot_be_meant_is_wrong_usage(words: list[str]) -> None:
    result = ikevd(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Invalid value for " in result.stderr


# -- check and run ------------------------------------------------------------------------------------------------


def test_check_of_a_good_file_says_what_is_in_it(config: Path) -> None:
    result = ikevd("check", "-c", str(config))
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == f"{config}: ok, 1 connection, 1 child"


def test_check_counts_in_good_english(config: Path) -> None:
    config.write_text(peers("remote: 198.51.100.1", "remote: 198.51.100.2"))
    assert ikevd("check", "-c", str(config)).stdout.splitlines()[0] == f"{config}: ok, 2 connections, 2 children"


def test_check_prints_every_problem_with_its_place_and_exits_with_1(config: Path) -> None:
    config.write_text(BAD)
    result = ikevd("check", "-c", str(config))
    assert result.exit_code == 1
    assert [line.partition(" ")[0] for line in result.stderr.splitlines()] == [f"{config}:3:13:", f"{config}:6:41:"]
    assert MARK not in result.output


def test_check_tells_warnings_too(config: Path) -> None:
    config.write_text(GOOD.replace("    psk", "    ike_proposals: [aes128-sha1-modp1024]\n    psk"))
    result = ikevd("check", "-c", str(config))
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1].startswith("warning: ")


def test_check_of_a_missing_file_exits_with_1(tmp_path: Path) -> None:
    result = ikevd("check", "-c", str(tmp_path / "none.yaml"))
    assert result.exit_code == 1
    assert "none.yaml" in result.stderr


@pytest.mark.long
def test_run_with_an_unusable_configuration_exits_with_2_for_systemd(config: Path) -> None:
    config.write_text(BAD)
    done = process("run", "-c", str(config))
    assert done.returncode == 2
    assert f"{config}:3:13:" in done.stderr
    assert "Traceback" not in done.stderr


def test_run_for_a_connection_that_is_not_configured_is_refused(config: Path) -> None:
    result = ikevd("run", "-c", str(config), "--connection", "berln")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.endswith("--connection: no connection or child is named berln; did you mean berlin?\n")


# -- status and trace ---------------------------------------------------------------------------------------------


def test_status_shows_every_connection(served: str) -> None:
    result = ikevd("status", "--socket", served)
    lines = result.stdout.splitlines()
    assert result.exit_code == 0
    assert lines[0] == "ikevd 1.2.3, pid 4711, up 1:02:05, listening on 192.0.2.1:500, 192.0.2.1:4500"
    assert [line for line in lines if line[:1].strip()][2:] == [
        "berlin  192.0.2.1 ── 198.51.100.1",
        "munich  any ── any",
    ]
    assert "\x1b" not in result.stdout


def test_what_is_no_terminal_gets_80_columns_whatever_columns_says(served: str) -> None:
    runs = [CliRunner().invoke(main, ["status", "--socket", served], env={"COLUMNS": width}) for width in ("200", "40")]
    assert runs[0].stdout == runs[1].stdout
    assert max(map(len, runs[0].stdout.splitlines())) <= 80


def test_status_wide_gives_each_child_one_line(served: str) -> None:
    lines = ikevd("status", "--wide", "--socket", served).stdout.splitlines()
    assert len([line for line in lines if "10.1.0.0/24 === 10.2.0.0/24" in line and "c0ffee01" in line]) == 1


def test_status_of_one_connection_shows_no_other(served: str) -> None:
    result = ikevd("status", "munich", "--socket", served)
    assert "berlin" not in result.stdout


@pytest.mark.parametrize("more", [[], ["--json"]], ids=["text", "json"])
@pytest.mark.parametrize(
    ("states", "code"),
    [
        (["up", "up"], 0),
        (["up", "down"], NOT_UP),
        (["waiting", "waiting"], NOT_UP),
        (["negotiating"], NOT_UP),
        ([], NOT_UP),
    ],
)
def test_status_of_a_name_exits_with_0_only_if_all_of_it_is_up(
    served: str, controller: StandIn, states: list[str], code: int, more: list[str]
) -> None:
    (berlin, *_) = STATUS["connections"]
    child = berlin["children"][0]
    controller.connections = [{**berlin, "children": [{**child, "state": state} for state in states]}]
    assert ikevd("status", "berlin", *more, "--socket", served).exit_code == code
    assert ikevd("status", *more, "--socket", served).exit_code == 0


def test_status_of_an_unknown_name_exits_with_1(served: str) -> None:
    result = ikevd("status", "paris", "--socket", served)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("no connection or child is named paris")


@pytest.mark.parametrize("more", [[], ["--json"]], ids=["text", "json"])
def test_status_of_a_peer_that_no_connection_has_exits_with_1(served: str, more: list[str]) -> None:
    assert ikevd("status", "--peer", "203.0.113.9", *more, "--socket", served).exit_code == 1
    assert ikevd("status", "--peer", "198.51.100.1", *more, "--socket", served).exit_code == 0


def test_status_as_json_is_what_the_daemon_said(served: str) -> None:
    assert json.loads(ikevd("status", "--json", "--socket", served).stdout) == STATUS


def test_the_socket_may_be_named_in_the_environment(served: str) -> None:
    assert CliRunner().invoke(main, ["status"], env={"IKEVD_SOCKET": served}).exit_code == 0


def test_trace_draws_ladders(served: str) -> None:
    result = ikevd("trace", "--socket", served)
    assert result.exit_code == 0
    assert result.stdout == (
        "Main Mode  berlin  as initiator, peer 198.51.100.1:500\n"
        "  began 2023-11-14 22:13:20.000 UTC   ▶ from us, ◀ to us\n"
        "  cookies 0123456789abcdef:fedcba9876543210\n"
        "      500.0 ms  note  a note \\x1b[2J\n"
    )


def test_trace_as_json_holds_the_records(served: str) -> None:
    assert json.loads(ikevd("trace", "--json", "--socket", served).stdout) == {"schema": 1, "records": [RECORD]}


def test_trace_of_a_name_that_is_not_configured_tells_it_from_nothing_yet(served: str) -> None:
    result = ikevd("trace", "paris", "--socket", served)
    assert (result.exit_code, result.stderr) == (
        1,
        "no connection or child is named paris; configured: berlin (lan, dmz)\n",
    )


def test_trace_passes_its_filters_on(served: str, controller: StandIn) -> None:
    ikevd("trace", "lan", "--spi", "0xC0ff", "--peer", "198.51.100.1", "--last", "3", "--socket", served)
    assert controller.filters == ("0xC0ff", "lan", "198.51.100.1", 3)


def test_trace_that_finds_nothing_says_of_what(served: str) -> None:
    result = ikevd("trace", "nobody", "--peer", "198.51.100.1", "--socket", served)
    assert (result.exit_code, result.stderr) == (1, "no negotiation of nobody with 198.51.100.1 is on record yet\n")


# -- odd surroundings ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", ["status", "trace", "up berlin", "down berlin"])
def test_without_a_daemon_every_command_says_so_in_one_line(words: str, tmp_path: Path) -> None:
    result = ikevd(*words.split(), "--socket", str(tmp_path / "none.sock"))
    assert result.exit_code == 1
    assert result.stderr == f"is ikevd running? Nothing listens on its control socket {tmp_path / 'none.sock'}\n"


def test_a_terminal_without_unicode_gets_no_traceback(served: str) -> None:
    code = "from ikevd.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "status", "--socket", served],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
        env={**os.environ, "PYTHONIOENCODING": "latin-1"},
    )
    assert "berlin  192.0.2.1 ?? 198.51.100.1" in done.stdout


def test_a_reader_that_stops_reading_gets_no_traceback(served: str) -> None:
    code = "from ikevd.cli.main import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", code, "trace", "--socket", served],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout
        assert running.stderr
        running.stdout.close()
        assert running.stderr.read() == ""
        running.wait(SECONDS)


# -- blocks


def test_blocks_that_were_never_kept_are_told(tmp_path: Path) -> None:
    result = ikevd("blocks", str(tmp_path / "blocks"))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"the file of blocks {tmp_path}/blocks cannot be read: No such file or directory\n"
