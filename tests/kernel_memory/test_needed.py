"""What this machine and its operator need from the network."""

from __future__ import annotations

import os
import subprocess
import sys
from ipaddress import ip_address
from pathlib import Path

import pytest

from ikevd.kernel import needed


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_resolvers_stand_in_their_order(tmp_path: Path) -> None:
    text = "# nameserver 192.0.2.9\nsearch example.net\nnameserver 192.0.2.53\nnameserver fe80::1%wan # the router\n"
    found = needed.resolvers(written(tmp_path / "resolv.conf", text), tmp_path / "none")
    assert found == (ip_address("192.0.2.53"), ip_address("fe80::1"))


def test_behind_a_resolver_of_this_machine_stand_those_that_it_asks(tmp_path: Path) -> None:
    stub = written(tmp_path / "stub", "nameserver 127.0.0.53\n")
    upstream = written(tmp_path / "upstream", "nameserver 192.0.2.53\n")
    assert needed.resolvers(stub, upstream) == (ip_address("192.0.2.53"),)


@pytest.mark.parametrize("text", ["", "nameserver\n", "nameserver here\n", "\xff\0"])
def test_a_file_without_resolvers_names_none(tmp_path: Path, text: str) -> None:
    assert needed.resolvers(written(tmp_path / "resolv.conf", text), tmp_path / "none") == ()


def test_no_file_names_none(tmp_path: Path) -> None:
    assert needed.resolvers(tmp_path / "none", tmp_path / "none") == ()


ASK = "from ikevd.kernel import needed; print(needed.session())"


def asked(connection: str | None, *between: str) -> str:
    """What a process says that was started in such a session, perhaps through a program that clears its environment."""
    environ = {name: value for name, value in os.environ.items() if name != "SSH_CONNECTION"}
    if connection is not None:
        environ["SSH_CONNECTION"] = connection
    command = [*between, sys.executable, "-c", ASK]
    # The shell stays between, as sudo would: it has the variable, its child need not.
    shell = ["sh", "-c", '"$@"; exit $?', "sh", *command]
    return subprocess.run(
        shell, env=environ, cwd=Path(__file__).parents[2], capture_output=True, text=True
    ).stdout.strip()


def test_the_session_is_that_of_the_environment() -> None:
    assert asked("198.51.100.7 50000 192.0.2.1 22") == "192.0.2.1:22 - 198.51.100.7:50000"


def test_where_the_environment_was_cleared_the_parents_know() -> None:
    told = asked("2001:db8::7 50000 2001:db8::1 22", "env", "-u", "SSH_CONNECTION")
    assert told == "[2001:db8::1]:22 - [2001:db8::7]:50000"


@pytest.mark.parametrize("connection", ["", "198.51.100.7 50000 192.0.2.1", "a 1 b 2", "198.51.100.7 x 192.0.2.1 y"])
def test_nonsense_is_no_session(connection: str) -> None:
    assert asked(connection) == "None"
