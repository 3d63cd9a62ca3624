"""Keys stay in memory: where the store may be kept, unless the operator allows a disk."""

import os
from pathlib import Path

import pytest

from ikevd.store.about import Found
from ikevd.store.opening import open_store
from ikevd.store.volatile import disk_of
from tests.store.media import HERE


def mounts(folder: Path, kind: str) -> Path:
    """A list of mounts in which the folder's file system is of this kind."""
    device = folder.stat().st_dev
    file = folder / "mountinfo"
    file.write_text(
        "22 28 0:1 / /proc rw,nosuid shared:12 - proc proc rw\n"
        f"25 28 {os.major(device)}:{os.minor(device)} / /run rw,nosuid shared:5 master:1 - {kind} x rw,size=1k\n"
    )
    return file


@pytest.mark.parametrize("kind", ["tmpfs", "ramfs"])
def test_a_file_system_in_memory_is_no_disk(tmp_path: Path, kind: str) -> None:
    assert disk_of(tmp_path, mounts(tmp_path, kind)) is None


def test_any_other_file_system_is_named(tmp_path: Path) -> None:
    assert disk_of(tmp_path, mounts(tmp_path, "ext4")) == "ext4"


@pytest.mark.parametrize("text", ["", "a line of another kind", "- -"])
def test_what_cannot_be_told_counts_as_a_disk(tmp_path: Path, text: str) -> None:
    (tmp_path / "odd").write_text(text)
    assert disk_of(tmp_path, tmp_path / "odd") == "an unknown file system"
    assert disk_of(tmp_path, tmp_path / "hidden") == "an unknown file system"


def test_proc_is_no_place_for_keys() -> None:
    assert disk_of(Path("/proc")) == "proc"


def test_on_a_disk_no_store_is_kept_and_it_is_said() -> None:
    opened = open_store(Path("/proc/store"), HERE, "1.2.3")
    assert opened.found is Found.UNUSABLE
    assert opened.said == (
        "the store /proc/store is not used: /proc is on proc, where keys would stay; "
        "wanted a runtime_directory on tmpfs, such as one in /run, or a store_key, under which it is sealed"
    )


def test_a_runtime_folder_that_is_not_there_is_told() -> None:
    said = open_store(Path("/nowhere/store"), HERE, "1.2.3").said
    assert said == "the store /nowhere/store cannot be used: No such file or directory; make the folder /nowhere"
