"""The bench runs: one handshake of each suite, and two tunnels. What it measures is not looked at."""

from __future__ import annotations

import socket

import pytest

from bench.__main__ import main
from bench.callgrind import by_object
from ikevd.errors import IkeError
from ikevd.kernel.bypass import bypass_ipsec


def may_run_the_daemon() -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            bypass_ipsec(probe)
        except IkeError:
            return False
    return True


@pytest.mark.long
@pytest.mark.skipif(not may_run_the_daemon(), reason="the daemon needs CAP_NET_ADMIN, in memory too")
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["handshake", "--rounds", "1", "--each", "1"], "curve25519 with PFS"),
        (["scale", "--tunnels", "2"], "kB for each of 2 tunnels"),
        (["reload", "--tunnels", "3"], "of 3 connections, one changed"),
    ],
)
def test_each_benchmark_prints_its_figures(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main([*arguments, "--alone"])
    assert expected in capsys.readouterr().out


DUMP = """\
version: 1
positions: line
events: Ir
summary: 111

ob=(1) /usr/bin/python3.11
fl=(1) ceval.c
fn=(1) _PyEval_EvalFrameDefault
0 70
cob=(2) /usr/lib/x86_64-linux-gnu/libc.so.6
cfn=(2) memcpy
calls=3 0
0 30
+2 1

ob=(2)
fl=(2)
fn=(2)
* 30

ob=(1)
fn=(3) PyObject_Free
0 10
"""
"""What callgrind writes, shortened."""


def test_instructions_are_told_apart_by_object_file_and_a_callees_are_not_counted_twice() -> None:
    assert by_object(DUMP.splitlines()) == {"python3.11": 81, "libc.so.6": 30}
