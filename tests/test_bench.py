"""The bench runs: one handshake of each suite, and two tunnels. What it measures is not looked at."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from ikevd.errors import IkeError
from ikevd.kernel.bypass import bypass_ipsec


def may_run_the_daemon() -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            bypass_ipsec(probe)
        except IkeError:
            return False
    return True


@pytest.mark.skipif(not may_run_the_daemon(), reason="the daemon needs CAP_NET_ADMIN, in memory too")
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["handshake", "--rounds", "1", "--each", "1"], "curve25519 with PFS"),
        (["scale", "--tunnels", "2"], "kB for each of 2 tunnels"),
    ],
)
def test_each_benchmark_prints_its_figures(arguments: list[str], expected: str) -> None:
    command = [sys.executable, "-m", "bench", *arguments, "--alone"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert expected in done.stdout
