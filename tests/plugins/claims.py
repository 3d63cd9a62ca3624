"""With IKEVD_CLAIMS set to a folder that several runs share, each test is run by one of them alone.

The tests of a file are claimed in blocks, by making a folder: who comes to a block first runs it, the others pass it
over. A test with a time limit of its own, which takes minutes, is a block of its own. So guests, and the
processes of `tests/share`, share the work whatever each test takes.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

BLOCK = 20
"""Tests of one file that stay together: they share its topology, which takes seconds to make."""


class Claims:
    """Of one run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._blocks: dict[str, str] = {}
        self._ours: dict[str, bool] = {}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        met: Counter[Path] = Counter()
        for item in items:
            part = f"{met[item.path] // BLOCK}" + (f"-{met[item.path]}" if item.get_closest_marker("timeout") else "")
            self._blocks[item.nodeid] = f"{item.path.parent.name}-{item.path.stem}-{part}"
            met[item.path] += 1

    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        if self._is_ours(self._blocks[item.nodeid]):
            return None
        # What the test before left standing because this one was to follow it.
        item.session._setupstate.teardown_exact(nextitem)
        return True  # it is dealt with, and nothing is reported

    def _is_ours(self, block: str) -> bool:
        """Claims the block unless another run has it."""
        if block not in self._ours:
            try:
                (self._folder / block).mkdir()
                self._ours[block] = True
            except FileExistsError:
                self._ours[block] = False
        return self._ours[block]


def pytest_configure(config: pytest.Config) -> None:
    folder = os.environ.get("IKEVD_CLAIMS")
    if folder:
        config.pluginmanager.register(Claims(Path(folder)), "claims")
