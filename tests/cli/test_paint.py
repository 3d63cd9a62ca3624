"""Colours on a terminal, and on nothing else."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from contextlib import suppress

import pytest

from ikevd.cli.paint import has_colours, painted

RED, GREEN, DIM, BOLD, PLAIN = "\x1b[31m", "\x1b[32m", "\x1b[2m", "\x1b[1m", "\x1b[0m"
LINES = [
    "  began 2023-11-14 22:13:20.000 UTC   ▶ from us, ◀ to us",
    "       12.5 ms  MM1   ──▶  SA, VID, VID                               136 B",
    "    41000.0 ms  FAIL  no MM2: MM1 was sent 6 times in 41 s",
    "       37.5 ms  up    ISAKMP SA with 198.51.100.1",
    "       37.5 ms  note  FAIL  up    it said 12 B",
]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_failure_is_red_and_what_stands_is_green() -> None:
    assert f"{RED}{BOLD}FAIL{PLAIN}  no MM2" in painted(LINES[2])
    assert f"{GREEN}up{PLAIN}    ISAKMP SA" in painted(LINES[3])


def test_times_and_sizes_are_dim() -> None:
    assert painted(LINES[1]).startswith(f"{DIM}       12.5 ms{PLAIN}  MM1")
    assert painted(LINES[1]).endswith(f"{DIM} 136 B{PLAIN}")


def test_words_of_a_peer_are_not_taken_for_ours() -> None:
    assert RED not in painted(LINES[4])
    assert GREEN not in painted(LINES[4])


@pytest.mark.parametrize("line", LINES)
def test_colours_change_no_word(line: str) -> None:
    assert re.sub(r"\x1b\[\d+m", "", painted(line)) == line


@pytest.mark.parametrize(
    ("stream", "environment", "colours"),
    [
        (Terminal(), {}, True),
        (Terminal(), {"NO_COLOR": ""}, True),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
    ],
)
def test_there_are_colours_on_a_terminal_unless_they_are_declined(
    stream: io.StringIO, environment: dict[str, str], colours: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert has_colours(stream) is colours


def on_a_terminal(*words: str, **environment: str) -> str:
    """What the command shows on a terminal, with plain line ends."""
    ours, its = os.openpty()
    code = "from ikevd.cli.main import main; main()"
    variables = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    variables |= {"TERM": "xterm", **environment}
    with subprocess.Popen([sys.executable, "-c", code, *words], stdout=its, stderr=its, env=variables) as running:
        os.close(its)
        shown = b""
        with suppress(OSError):  # the end of a terminal
            while piece := os.read(ours, 65_536):
                shown += piece
        running.wait(30)
    os.close(ours)
    return shown.decode().replace("\r\n", "\n")


def test_on_a_terminal_a_failure_stands_once_in_red_and_within_the_columns(served: str) -> None:
    shown = on_a_terminal("up", "dmz", "--socket", served, COLUMNS="44")
    assert f"{RED}{BOLD}FAIL{PLAIN}  the" in shown
    plain = re.sub(r"\x1b\[\d+m", "", shown)
    assert plain.split().count("INVALID_ID_INFORMATION") == 1
    assert max(map(len, plain.splitlines())) <= 44


def test_on_a_terminal_a_command_that_is_not_done_in_time_fails_in_red_too(served: str) -> None:
    shown = on_a_terminal("up", "silent", "--timeout", "0.1", "--socket", served, COLUMNS="60")
    assert f"\n{RED}{BOLD}FAIL{PLAIN}  not done within 0.1 s: MM5 sent 3 times, no answer;" in shown


def test_a_trace_has_colours_on_a_terminal_and_none_with_no_color(served: str) -> None:
    assert DIM in on_a_terminal("trace", "--socket", served)
    assert "\x1b" not in on_a_terminal("trace", "--socket", served, NO_COLOR="1")
