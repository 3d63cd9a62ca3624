"""`ikevd check`: what it makes of files, and of whose they are."""

from __future__ import annotations

import os
import pwd
import socket
from pathlib import Path

import pytest

from ikevd.kernel import surroundings
from tests.cli.invoked import GOOD, ikevd

NOBODY = pwd.getpwnam("nobody")
only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")


@only_root
def test_root_checks_the_file_of_another_user_as_that_users_daemon_would_and_says_so(config: Path) -> None:
    os.chown(config, NOBODY.pw_uid, NOBODY.pw_gid)
    result = ikevd("check", "-c", str(config))
    assert result.exit_code == 0
    assert (
        f"warning: {config}:1:1: belongs to nobody; it was checked as for a daemon that runs as nobody, and one that "
        "runs as root refuses it\n"
    ) in result.stdout
    run = ikevd("run", "-c", str(config))
    assert run.exit_code == 2
    assert f"{config}:1:1: {config} belongs to nobody, who could change it; run: chown root {config}" in run.stderr


@only_root
def test_a_key_of_a_third_user_is_refused_in_a_file_of_another_user(config: Path) -> None:
    key = config.parent / "a.psk"
    key.touch(mode=0o600)
    config.write_text(GOOD.replace(GOOD.splitlines()[3], "    psk: {file: a.psk}"))
    os.chown(config, NOBODY.pw_uid, NOBODY.pw_gid)
    os.chown(key, 4711, 4711)
    result = ikevd("check", "-c", str(config))
    assert result.exit_code == 1
    assert "connections.berlin.psk: " in result.stderr
    assert "a.psk belongs to user 4711, who could change it" in result.stderr


def test_a_file_in_a_folder_where_everybody_may_make_files_is_doubted(config: Path) -> None:
    config.parent.chmod(0o1777)
    assert ("where everybody may make a file of this name while there is none; wanted a folder of root's") in ikevd(
        "check", "-c", str(config)
    ).stdout


def test_what_is_known_of_this_machine_is_true_and_doubts_come_of_it(config: Path) -> None:
    """Whatever machine this is: a socket binds to each address, and a peer that is one of them is doubted."""
    known = surroundings.read()
    assert known is not None
    for each in known.addresses:
        family = socket.AF_INET if each.address.version == 4 else socket.AF_INET6
        scope = (0, socket.if_nametoindex(each.interface)) if each.address.is_link_local else ()
        with socket.socket(family, socket.SOCK_DGRAM) as bound:
            bound.bind((str(each.address), 0, *scope))
    outer = [each for each in known.addresses if not each.address.is_loopback and not each.address.is_link_local]
    for own in outer[:1]:
        config.write_text(GOOD.replace("198.51.100.1", f"'{own.address}'"))
        told = f"{own.address} is an address of this machine ({own.interface}); wanted that of the peer"
        assert f":3:13: connections.berlin.remote: {told}\n" in ikevd("check", "-c", str(config)).stdout


def test_a_port_that_another_program_holds_is_told_with_its_name(config: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as theirs:
        theirs.bind(("127.0.0.1", 0))
        port = theirs.getsockname()[1]
        config.write_text(f"{GOOD}listen: {{addresses: 127.0.0.1, port: {port}}}\n")
        told = f"(pid {os.getpid()}) holds UDP 127.0.0.1:{port}: ikevd cannot start while it does; stop that first\n"
        assert told in ikevd("check", "-c", str(config)).stdout
    assert "holds UDP" not in ikevd("check", "-c", str(config)).stdout
