"""A marked secret stands in the tests' configurations; a test whose output shows it in any notation fails."""

from __future__ import annotations

import base64
from collections.abc import Generator

import pytest

MARK = "m4rked-secret"
"""Part of every pre-shared key that the tests configure, at a place where its base64 form is recognisable."""

REPORTED = pytest.StashKey[bool]()


def shows_secret(text: str) -> bool:
    """Does `text` hold the mark: plain, in hex or in base64 (at any of its three offsets)?"""
    octets = MARK.encode()
    shifted = [base64.b64encode(bytes(shift) + octets).decode()[4:-4] for shift in range(3)]
    return any(form in text for form in (MARK, octets.hex(), *shifted))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Captured output is looked at after each phase of each test."""
    report = yield
    shown = [name for name, content in report.sections if shows_secret(content)]
    if shown and report.passed and not item.stash.get(REPORTED, False):
        item.stash[REPORTED] = True
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: the marked secret stands in: {', '.join(shown)}"
    return report
