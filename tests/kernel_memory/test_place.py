"""Where the process runs: boot id and network namespace."""

from pathlib import Path

import pytest

from ikevd.kernel.place import BOOT_ID, BOOT_ID_VARIABLE, boot_id, namespace_cookie, place


def test_the_boot_id_is_that_of_the_machine() -> None:
    assert boot_id() == BOOT_ID.read_text().strip().replace("-", "")
    assert place() == place()


def test_where_proc_is_hidden_the_unit_tells_the_boot_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(BOOT_ID_VARIABLE, "BBDAC2EC6236448A83FC8FC00F161C11")
    assert boot_id(tmp_path / "hidden") == "bbdac2ec6236448a83fc8fc00f161c11"


def test_without_either_the_boot_is_not_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(BOOT_ID_VARIABLE, raising=False)
    assert boot_id(tmp_path / "hidden") is None


def test_a_namespace_keeps_its_cookie() -> None:
    assert namespace_cookie() == namespace_cookie()
