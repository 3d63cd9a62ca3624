"""Two guests share the tests: none is run twice, none is left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugins.claims import BLOCK

PASSING = "def test_one(): pass\ndef test_two(): pass"


MANY = f"import pytest\n@pytest.mark.parametrize('n', range({2 * BLOCK + 1}))\ndef test_many(n): pass"


def test_a_long_file_is_shared_block_by_block(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("IKEVD_CLAIMS", str(tmp_path))
    pytester.makepyfile(test_many=MANY)
    (tmp_path / f"{pytester.path.name}-test_many-1").mkdir()  # by another run
    result = pytester.runpytest("-p", "tests.plugins.claims", "-p", "no:asyncio")
    result.assert_outcomes(passed=BLOCK + 1)


FIXTURE = "import pytest\n@pytest.fixture(scope='package', autouse=True)\ndef shared(): yield\n"


def test_a_file_passed_over_leaves_nothing_standing_for_the_next(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("IKEVD_CLAIMS", str(tmp_path))
    for folder in ("one", "two"):
        pytester.mkpydir(folder).joinpath("conftest.py").write_text(FIXTURE)
        pytester.path.joinpath(folder, f"test_{folder}_a.py").write_text(PASSING)
        pytester.path.joinpath(folder, f"test_{folder}_b.py").write_text(PASSING)
    (tmp_path / "one-test_one_b-0").mkdir()  # by another run
    pytester.runpytest("-p", "tests.plugins.claims", "-p", "no:asyncio").assert_outcomes(passed=6)


def test_each_file_is_run_by_one_of_two_runs(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("IKEVD_CLAIMS", str(tmp_path))
    alone = ("-p", "tests.plugins.claims", "-p", "no:asyncio")
    pytester.makepyfile(test_first=PASSING)
    pytester.runpytest(*alone).assert_outcomes(passed=2)
    pytester.makepyfile(test_second=PASSING)
    pytester.runpytest(*alone).assert_outcomes(passed=2)
    pytester.runpytest(*alone).assert_outcomes(passed=0)


def test_without_a_folder_every_test_is_run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IKEVD_CLAIMS", raising=False)
    pytester.makepyfile(PASSING)
    pytester.runpytest("-p", "tests.plugins.claims", "-p", "no:asyncio").assert_outcomes(passed=2)


TAKES_MINUTES = """
import pytest

@pytest.mark.timeout(500)
@pytest.mark.parametrize("n", range(2))
def test_long(n): pass
"""


def test_a_test_with_a_time_limit_of_its_own_is_claimed_alone(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("IKEVD_CLAIMS", str(tmp_path))
    pytester.makepyfile(test_long=TAKES_MINUTES)
    (tmp_path / f"{pytester.path.name}-test_long-0-1").mkdir()  # by another run
    pytester.runpytest("-p", "tests.plugins.claims", "-p", "no:asyncio").assert_outcomes(passed=1)
