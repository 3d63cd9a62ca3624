"""The pairwise part of the interop matrix; `tests/interop/matrix.py` runs the whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.trial import Stages
from tests.matrix.cases import Case, pairwise_cases


@pytest.fixture(scope="module")
def stages() -> Iterator[Stages]:
    with Stages() as stages:
        yield stages


@pytest.mark.parametrize("case", pairwise_cases(), ids=lambda case: str(case).replace(" ", "_"))
def test_packets_cross(stages: Stages, case: Case, tmp_path: Path) -> None:
    stages.run(case, tmp_path / "ours")
