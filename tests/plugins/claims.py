"""With IKEVD_CLAIMS set to a folder that several runs share, each file of tests is run by one of them alone.

Who comes to a file first claims it, by making a folder; the others pass it over. So two guests share the work whatever
each file takes.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest


class Claims:
    """Of one run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[Path, bool] = {}

    def is_ours(self, file: Path) -> bool:
        """Claims the file unless another run has it."""
        if file not in self._known:
            try:
                (self._folder / f"{file.parent.name}-{file.stem}").mkdir()
                self._known[file] = True
            except FileExistsError:
                self._known[file] = False
        return self._known[file]

    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        return None if self.is_ours(item.path) else True  # True: it is dealt with, and nothing is reported


def pytest_configure(config: pytest.Config) -> None:
    folder = os.environ.get("IKEVD_CLAIMS")
    if folder:
        config.pluginmanager.register(Claims(Path(folder)), "claims")
