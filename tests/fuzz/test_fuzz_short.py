"""A short run of each fuzz target; the recorded long ones are `python -m tests.fuzz.run` and
`python -m tests.fuzz.live`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz import live
from tests.fuzz.run import TARGETS, fuzz

EXECUTIONS = 10_000
FLOOR = {"parser": 200, "heard": 500, "certificates": 150}
"""Edges that a run must reach: less means that the harness no longer reaches the code."""


@pytest.mark.long
@pytest.mark.parametrize("target", TARGETS)
def test_a_short_run_finds_nothing(target: str, tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="atheris is not installed: it needs Python 3.11")
    outcome = fuzz(target, EXECUTIONS, seed=2, artifacts=tmp_path)
    assert not outcome.finding, outcome.finding
    assert outcome.executions >= EXECUTIONS
    assert outcome.edges >= FLOOR[target], outcome


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.long)])
def test_who_holds_the_keys_of_a_tunnel_breaks_no_other_and_leaves_nothing(seed: int) -> None:
    outcome = live.tell(seed)
    assert outcome.forged > 50, "the harness opens and forges messages"
    assert not outcome.left


@pytest.mark.long
def test_refused_deletions_cost_carol_nothing_and_leave_nothing() -> None:
    for seed in range(20):  # until the dice of one refuse any
        outcome = live.tell(seed, refuse_deletions=True)
        assert not outcome.left
        if outcome.deletions_refused:
            return
    pytest.fail("no story refuses a deletion")
