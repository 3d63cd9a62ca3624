"""What `make test` ends with: the time of each file, and one line about all runs."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.summary import line, main

RECORDING = """
    import pytest

    def test_good():
        pass

    def test_bad():
        assert False

    def test_skipped():
        pytest.skip("no reason")

    @pytest.fixture
    def broken():
        raise OSError

    def test_broken(broken):
        pass
"""


@pytest.fixture
def record(tmp_path: Path) -> Path:
    return tmp_path / "record.json"


def recorded(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, record: Path, text: str, *more: str) -> None:
    monkeypatch.setenv("IKEVD_RECORD", str(record))
    pytester.makepyfile(text)
    pytester.runpytest("-p", "tests.plugins.record", "-p", "no:asyncio", *more)


def written(path: Path, failures: dict[str, str] | None = None, /, **outcomes: int) -> str:
    record = {"outcomes": outcomes, "files": {"tests/test_a.py": 7.0}, "tests": {}, "failed": failures or {}}
    path.write_text(json.dumps(record))
    return str(path)


def test_a_run_records_its_outcomes_and_the_time_of_each_file(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, record: Path
) -> None:
    recorded(pytester, monkeypatch, record, RECORDING)
    found = json.loads(record.read_text())
    assert found["outcomes"] == {"passed": 1, "failed": 1, "skipped": 1, "error": 1}
    assert len(found["files"]) == 1
    assert {name.partition("::")[2]: said.splitlines()[-1].split()[-1] for name, said in found["failed"].items()} == {
        "test_bad": "AssertionError",
        "test_broken": "OSError",
    }


def test_a_file_that_cannot_be_collected_is_an_error(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, record: Path
) -> None:
    recorded(pytester, monkeypatch, record, "import no_such_module")
    assert json.loads(record.read_text())["outcomes"] == {"error": 1}


def test_the_runs_are_added_up_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([written(tmp_path / "a", passed=5, skipped=2), written(tmp_path / "b", passed=6)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "seconds  file",
        "   14.0  tests/test_a.py",
        "11 passed, 0 failed, 2 skipped",
    ]


@pytest.mark.parametrize("outcomes", [{"passed": 5, "failed": 1}, {"passed": 5, "error": 1}, {"skipped": 5}, {}])
def test_a_failure_and_a_run_without_tests_end_with_code_1(tmp_path: Path, outcomes: dict[str, int]) -> None:
    assert main([written(tmp_path / "a", **outcomes)]) == 1


def test_a_failure_is_told_with_what_pytest_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([written(tmp_path / "a", {"tests/test_a.py::test_bad": "E  1 != 2\ntest_a.py:5"}, passed=1)])
    assert "FAILED tests/test_a.py::test_bad\n    E  1 != 2\n    test_a.py:5\n" in capsys.readouterr().out


def test_a_run_that_left_no_record_counts_as_failed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "b").touch()
    assert main([written(tmp_path / "a", passed=5), str(tmp_path / "b")]) == 1
    assert capsys.readouterr().out.endswith(f"{tmp_path / 'b'}\n5 passed, 1 failed, 0 skipped\n")


def test_what_breaks_outside_a_test_is_no_success() -> None:
    assert line(Counter(passed=3, error=1)) == "3 passed, 1 failed, 0 skipped"
