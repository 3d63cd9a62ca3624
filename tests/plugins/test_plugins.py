"""The test tools' own promises: both event loops, and no skip without leave."""

import asyncio

import pytest
import uvloop


async def test_every_async_test_runs_on_both_loops(request: pytest.FixtureRequest) -> None:
    wanted = "uvloop" if "uvloop" in request.node.name else "asyncio"
    is_uvloop = isinstance(asyncio.get_running_loop(), uvloop.Loop)
    assert is_uvloop == (wanted == "uvloop"), request.node.name


ALONE = ("-p", "tests.plugins.skips", "-p", "no:asyncio")

SKIPPING = """
    import pytest

    def test_allowed():
        pytest.skip("shared test data not found (set IKEVD_TESTDATA)")

    def test_not_allowed():
        pytest.skip("no time today")

    @pytest.mark.skip(reason="nor by mark")
    def test_marked():
        pass

    @pytest.mark.xfail(reason="known")
    def test_expected_failure():
        assert False
"""


def test_a_skip_is_a_skip(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IKEVD_STRICT_SKIPS", raising=False)
    pytester.makepyfile(SKIPPING)
    pytester.runpytest(*ALONE).assert_outcomes(skipped=3, xfailed=1)


def test_a_skip_without_leave_fails(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IKEVD_STRICT_SKIPS", "1")
    pytester.makepyfile(SKIPPING)
    result = pytester.runpytest(*ALONE)
    result.assert_outcomes(skipped=1, failed=1, errors=1, xfailed=1)
    result.stdout.fnmatch_lines(["*tests/skips.txt does not allow it: no time today*"])


def test_a_module_skipped_without_leave_fails(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IKEVD_STRICT_SKIPS", "1")
    pytester.makepyfile("import pytest\npytest.importorskip('no_such_module')")
    pytester.runpytest(*ALONE).assert_outcomes(errors=1)
