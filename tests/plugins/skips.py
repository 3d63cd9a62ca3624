"""With IKEVD_STRICT_SKIPS set (`make test`), a skip whose reason is not in tests/skips.txt is a failure.

Otherwise a guest kernel that lacks a module, or a peer that was not fetched, would turn a whole suite green.
"""

import os
from collections.abc import Generator
from pathlib import Path

import pytest

ALLOWED_FILE = Path(__file__).resolve().parent.parent / "skips.txt"


def allowed_reasons() -> frozenset[str]:
    """The reasons that tests/skips.txt lists, one a line; `#` starts a comment line."""
    lines = (line.strip() for line in ALLOWED_FILE.read_text().splitlines())
    return frozenset(line for line in lines if line and not line.startswith("#"))


def _judge(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip without leave into a failure; an expected failure is no skip."""
    if not (report.skipped and os.environ.get("IKEVD_STRICT_SKIPS")) or hasattr(report, "wasxfail"):
        return
    assert isinstance(report.longrepr, tuple)
    where, line, text = report.longrepr
    reason = text.removeprefix("Skipped: ")
    if reason not in allowed_reasons():
        report.outcome = "failed"
        report.longrepr = f"{where}:{line}: skipped, and tests/skips.txt does not allow it: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _judge(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _judge(report)
    return report
