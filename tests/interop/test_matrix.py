"""The pairwise part of the interop matrix; `tests/interop/matrix.py` runs the whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.trial import Stage, run_case, stage
from tests.matrix.cases import Case, pairwise_cases


@pytest.fixture(scope="module")
def place(request: pytest.FixtureRequest) -> Iterator[Stage]:
    topology, peer = request.param
    with stage(topology, peer) as place:
        yield place


@pytest.mark.parametrize(
    ("place", "case"),
    [pytest.param((case.topology, case.peer), case, id=str(case).replace(" ", "_")) for case in pairwise_cases()],
    indirect=["place"],
)
def test_packets_cross(place: Stage, case: Case, tmp_path: Path) -> None:
    run_case(place, case, tmp_path / "ours")
