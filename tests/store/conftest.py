"""A medium for each kind of store."""

from pathlib import Path

import pytest

from ikevd.crypto.secret import Secret
from tests.store.media import InFile, InMemory, Medium

SEALING = Secret(bytes(range(100, 132)))


@pytest.fixture(params=["memory", "file", "sealed file"])
def medium(request: pytest.FixtureRequest, tmp_path: Path) -> Medium:
    if request.param == "memory":
        return InMemory()
    return InFile(_folder(tmp_path) / "store", SEALING if request.param == "sealed file" else None)


@pytest.fixture
def file(tmp_path: Path) -> InFile:
    return InFile(_folder(tmp_path) / "store")


def _folder(tmp_path: Path) -> Path:
    """As the service manager makes it: nobody else may write there."""
    folder = tmp_path / "run"
    folder.mkdir(mode=0o750)
    return folder
