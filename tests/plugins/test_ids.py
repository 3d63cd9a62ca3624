"""The names of tests are the same in every process: xdist and `--last-failed` go by them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT


def test_another_process_at_another_second_collects_the_same_names(request: pytest.FixtureRequest) -> None:
    other_seed = {**os.environ, "PYTHONHASHSEED": "7" if os.environ.get("PYTHONHASHSEED") != "7" else "8"}
    command = [sys.executable, "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider", "-p", "no:xdist"]
    command.append("--assert=plain")  # nothing is asserted: half the time is saved
    files = sorted({str(item.path) for item in request.session.items})
    collected = subprocess.run([*command, *files], cwd=ROOT, env=other_seed, capture_output=True, text=True, check=True)
    assert {item.nodeid for item in request.session.items} <= set(collected.stdout.splitlines())
