"""Updown programs in the file: how they are written, and what is doubted of them on this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from ikevd.policy.updown import CAPABILITIES, Updown
from tests.config.files import CHILD, child, connection, problems, read

HEADER = Path("/usr/include/linux/capability.h")


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "updown"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def updown(tmp_path: Path, text: str) -> Updown | None:
    """Of the only child."""
    (only,) = read(tmp_path, text).config.connections
    return only.children[0].updown


def test_nothing_is_run_by_default(tmp_path: Path) -> None:
    assert updown(tmp_path, connection()) is None


def test_a_program_may_stand_alone_or_with_arguments(tmp_path: Path, program: Path) -> None:
    assert updown(tmp_path, connection(updown=str(program))) == Updown(str(program))
    assert updown(tmp_path, connection(updown=f"[{program}, --table, 200]")) == Updown(str(program), ("--table", "200"))


def test_all_that_a_connection_says_of_it_holds_for_its_children(tmp_path: Path, program: Path) -> None:
    text = connection(
        updown=str(program), updown_timeout="5s", updown_after_restart="true", hook_capabilities="[net_admin, net_raw]"
    )
    assert updown(tmp_path, text) == Updown(str(program), (), 5.0, ("net_admin", "net_raw"), after_restart=True)


def test_a_child_may_have_another_one_or_none(tmp_path: Path, program: Path) -> None:
    assert updown(tmp_path, child(updown=str(program))) == Updown(str(program))
    children = f"{{lan: {CHILD[:-1]}, updown: none}}}}"
    assert updown(tmp_path, connection(updown="/nowhere", children=children)) is None


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"updown": "updown.sh"}, "updown: is 'updown.sh'; wanted an absolute path, as /etc/ikevd/updown or"),
        ({"updown": "ip route"}, "each argument a word of the list, since no shell reads it"),
        ({"updown": "[]"}, "updown: is an empty list; wanted /etc/ikevd/updown or [/etc/ikevd/updown, --table, 200]"),
        ({"updown": "{run: /x}"}, "updown: is a mapping; wanted text"),
        ({"updown_timeout": "0"}, "updown_timeout: is 0; wanted a duration from 1s to 10m"),
        ({"hook_capabilities": "[cap_net_admin]"}, "is 'cap_net_admin'; did you mean 'net_admin'?"),
        ({"hook_capabilities": "NET_ADMIN"}, "is 'NET_ADMIN'; did you mean 'net_admin'?"),
        ({"hook_capabilities": "[everything]"}, "wanted a capability of Linux, as net_admin"),
        ({"leftupdown": "/etc/x"}, "leftupdown: is not a known key; did you mean 'updown'?"),
    ],
)
def test_what_cannot_be_meant_is_told_with_what_could_be(tmp_path: Path, keys: dict[str, str], told: str) -> None:
    (problem,) = problems(tmp_path, connection(**keys))
    assert told in problem


def test_a_program_that_would_not_be_run_is_doubted(tmp_path: Path, program: Path) -> None:
    program.chmod(0o777)
    (warning,) = read(tmp_path, connection(updown=str(program))).warnings
    assert f"connections.berlin.updown: {program} is open to everybody, who could change it (mode 0777)" in warning
    assert warning.endswith("; as it is, it is not run, and tunnels come and go without it")


def test_the_program_of_a_child_is_doubted_there(tmp_path: Path) -> None:
    (warning,) = read(tmp_path, child(updown="/nowhere/updown")).warnings
    assert "connections.berlin.children.lan.updown: /nowhere/updown cannot be run: No such file" in warning


@pytest.mark.parametrize("key", ["updown_timeout: 5s", "updown_after_restart: true", "hook_capabilities: [net_admin]"])
def test_what_is_said_of_a_program_that_there_is_not_is_doubted(tmp_path: Path, key: str) -> None:
    name, _, value = key.partition(": ")
    (warning,) = read(tmp_path, connection(**{name: value})).warnings
    assert f"berlin.{name}: has no effect: neither the connection nor a child has an updown" in warning


@pytest.mark.skipif(not HEADER.exists(), reason="no headers of Linux here")
def test_capabilities_have_the_numbers_of_linux() -> None:
    defined = [line.split() for line in HEADER.read_text().splitlines() if line.startswith("#define CAP_")]
    numbers = {words[1][4:].lower(): int(words[2]) for words in defined if len(words) > 2 and words[2].isdigit()}
    assert {name: number for number, name in enumerate(CAPABILITIES)} == {**numbers}
