"""The runtime folder belongs to one daemon at a time."""

import os
from pathlib import Path

import pytest

from ikevd.errors import CannotStart
from ikevd.runtime import RuntimeLock


def test_a_second_daemon_is_refused(tmp_path: Path) -> None:
    lock = RuntimeLock(tmp_path)
    with pytest.raises(CannotStart, match=rf"another ikevd \(pid {os.getpid()}\) uses the runtime folder {tmp_path};"):
        RuntimeLock(tmp_path)
    lock.release()
    lock.release()
    RuntimeLock(tmp_path).release()


def test_a_folder_that_is_not_there_is_made(tmp_path: Path) -> None:
    RuntimeLock(tmp_path / "run" / "ikevd").release()
    assert (tmp_path / "run" / "ikevd").is_dir()


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file")
    with pytest.raises(CannotStart, match=r"the lock .*/run/lock cannot be used: .*; a file stands where a folder"):
        RuntimeLock(tmp_path / "run")


def test_a_link_in_the_place_of_the_lock_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CannotStart, match="a link stands where a file should be"):
        RuntimeLock(tmp_path)
