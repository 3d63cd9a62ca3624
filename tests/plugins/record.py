"""With IKEVD_RECORD set to a file (`make test`), a run writes down what it came to: outcomes, time of each file.

`python -m tests.summary` adds up the records of several runs.
"""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from pathlib import Path
from typing import TypedDict

import pytest


class Record(TypedDict):
    """One run of pytest."""

    outcomes: dict[str, int]
    """How many tests passed, failed, were skipped; `error` counts what broke before or after a test."""
    files: dict[str, float]
    """Seconds that the tests of each file took, with their set-up."""
    tests: dict[str, float]
    """The same of each test that took over a second."""
    failed: dict[str, str]
    """Of each test that failed or broke, and each file that could not be collected, the end of what pytest said."""


WORTH_A_LINE = 1.0
LAST_LINES = 25


class Recorder:
    """Listens to the reports of a run; under xdist, in the process that collects them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._outcomes: Counter[str] = Counter()
        self._files: defaultdict[str, float] = defaultdict(float)
        self._tests: defaultdict[str, float] = defaultdict(float)
        self._failed: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._files[report.nodeid.partition("::")[0]] += report.duration
        self._tests[report.nodeid] += report.duration
        if report.when == "call" or not report.passed:
            self._outcomes[report.outcome if report.when == "call" or report.skipped else "error"] += 1
        self._keep_failure(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if not report.passed:
            self._outcomes["skipped" if report.skipped else "error"] += 1
        self._keep_failure(report)

    def _keep_failure(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.failed:
            self._failed[report.nodeid] = "\n".join(report.longreprtext.splitlines()[-LAST_LINES:])

    def pytest_sessionfinish(self) -> None:
        tests = {name: seconds for name, seconds in self._tests.items() if seconds > WORTH_A_LINE}
        record: Record = {
            "outcomes": dict(self._outcomes),
            "files": dict(self._files),
            "tests": tests,
            "failed": self._failed,
        }
        self._path.write_text(json.dumps(record, indent=1) + "\n")


def pytest_configure(config: pytest.Config) -> None:
    path = os.environ.get("IKEVD_RECORD")
    if path and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(Path(path)), "recorder")
