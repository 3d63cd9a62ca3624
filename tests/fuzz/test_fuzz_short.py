"""A short run of each fuzz target; the recorded long ones are `python -m tests.fuzz.run`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.run import TARGETS, fuzz

EXECUTIONS = 10_000
FLOOR = {"parser": 200, "heard": 500}
"""Edges that a run must reach: less means that the harness no longer reaches the code."""


@pytest.mark.parametrize("target", TARGETS)
def test_a_short_run_finds_nothing(target: str, tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="atheris is not installed: it needs Python 3.11")
    outcome = fuzz(target, EXECUTIONS, seed=2, artifacts=tmp_path)
    assert not outcome.finding, outcome.finding
    assert outcome.executions == EXECUTIONS
    assert outcome.edges >= FLOOR[target], outcome
