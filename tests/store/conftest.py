"""A medium for each kind of store."""

from pathlib import Path

import pytest

from tests.store.media import InFile, InMemory, Medium


@pytest.fixture(params=["memory", "file"])
def medium(request: pytest.FixtureRequest, tmp_path: Path) -> Medium:
    return InMemory() if request.param == "memory" else InFile(tmp_path / "store")


@pytest.fixture
def file(tmp_path: Path) -> InFile:
    return InFile(tmp_path / "store")
