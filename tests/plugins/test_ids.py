"""The names of tests are the same in every process: xdist and `--last-failed` go by them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT

COLLECT = (sys.executable, "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider", "-p", "no:xdist", "tests")


@pytest.mark.long
def test_another_process_at_another_second_collects_the_same_names() -> None:
    collecting = []
    for seed in ("7", "8"):
        environ = {**os.environ, "PYTHONHASHSEED": seed}
        # nothing is asserted: without the rewriting of asserts half the time is saved
        command = [*COLLECT, "--assert=plain"]
        collecting.append(subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True))
    first, second = (process.communicate()[0].splitlines()[:-1] for process in collecting)
    assert [process.returncode for process in collecting] == [0, 0]
    assert len(first) > 1000
    assert first == second
