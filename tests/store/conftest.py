"""A medium for each kind of store."""

from pathlib import Path

import pytest

from tests.store.media import InFile, InMemory, Medium


@pytest.fixture(params=["memory", "file"])
def medium(request: pytest.FixtureRequest, tmp_path: Path) -> Medium:
    return InMemory() if request.param == "memory" else InFile(_folder(tmp_path) / "store")


@pytest.fixture
def file(tmp_path: Path) -> InFile:
    return InFile(_folder(tmp_path) / "store")


def _folder(tmp_path: Path) -> Path:
    """As the service manager makes it: nobody else may write there."""
    folder = tmp_path / "run"
    folder.mkdir(mode=0o750)
    return folder
