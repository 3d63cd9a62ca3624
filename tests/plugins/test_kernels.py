"""What needs XFRM interfaces, or nftables, is skipped where there are none, in words, but never in the guest that is
there for it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.plugins.kernels import LACKING, NEEDS

ALONE = ("-p", "tests.plugins.kernels", "-p", "no:asyncio", "-o", "markers=xfrm_interface\nnftables")
MARKED = """
    import pytest

    @pytest.fixture(scope="session")
    def costly():
        raise OSError

    @pytest.mark.MARK
    def test_marked(costly):
        pass

    def test_other():
        pass
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What tries the kernel; it fails."""
    path = tmp_path / "unshare"
    path.write_text("#!/bin/sh\nexit 2\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    return path


@pytest.mark.parametrize("mark", NEEDS)
def test_without_it_a_marked_test_is_skipped_before_anything_is_made_for_it(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, program: Path, mark: str
) -> None:
    monkeypatch.setenv("RIG_KERNEL", "uml")
    pytester.makepyfile(MARKED.replace("MARK", mark))
    result = pytester.runpytest(*ALONE, "-rs")
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines([f"*{LACKING.format(NEEDS[mark][0])}"])


def test_in_the_second_guest_a_marked_test_runs_whatever_the_kernel_has(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, program: Path
) -> None:
    monkeypatch.setenv("RIG_KERNEL", "qemu")
    pytester.makepyfile(MARKED.replace("MARK", "xfrm_interface"))
    pytester.runpytest(*ALONE).assert_outcomes(passed=1, errors=1)


def test_where_the_kernel_has_them_a_marked_test_runs(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, program: Path
) -> None:
    monkeypatch.setenv("RIG_KERNEL", "host")
    program.write_text("#!/bin/sh\nexit 0\n")
    pytester.makepyfile(MARKED.replace("MARK", "xfrm_interface"))
    pytester.runpytest(*ALONE).assert_outcomes(passed=1, errors=1)
