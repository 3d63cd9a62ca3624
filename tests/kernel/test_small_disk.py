"""The lock and the store on a disk that is full: only a small file system writes half a page."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ikevd.errors import CannotStart
from ikevd.runtime import RuntimeLock
from ikevd.store.about import Found
from ikevd.store.interface import Changes
from ikevd.store.opening import open_store
from tests.store.media import HERE
from tests.store.records import KEY, child_state

pytestmark = pytest.mark.kernel

OCTETS = 4096


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={OCTETS}", "small", tmp_path], check=True)
    yield tmp_path
    subprocess.run(["umount", tmp_path], check=True)


def test_the_lock_of_the_runtime_folder_needs_no_room(small_disk: Path) -> None:
    (small_disk / "other").write_bytes(bytes(OCTETS))
    lock = RuntimeLock(small_disk)
    with pytest.raises(CannotStart, match="another ikevd uses the runtime folder"):
        RuntimeLock(small_disk)
    lock.release()


# -- the store --------------------------------------------------------------------------------------------------------

ROOM = 256 * 1024


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """With room for a store of a few hundred children."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM},mode=0750", "small", tmp_path], check=True)
    yield tmp_path
    subprocess.run(["umount", tmp_path], check=True)


def test_a_store_that_finds_no_room_is_gone_at_once_and_says_so_once(disk: Path) -> None:
    store = open_store(disk / "store", HERE, "1.2.3").store
    said = [store.put(Changes(KEY, children={f"child {n}": child_state()})) for n in range(ROOM // 512)]
    (sentence,) = filter(None, said)
    assert f"(SQLITE_FULL); make room on its file system (df {disk})" in sentence
    assert list(disk.iterdir()) == []


def test_a_store_that_found_no_room_is_not_read_by_the_next_process(disk: Path) -> None:
    store = open_store(disk / "store", HERE, "1.2.3").store
    store.put(Changes(KEY, children={"lan": child_state()}))
    (disk / "other").write_bytes(bytes(ROOM - sum(entry.stat().st_size for entry in disk.iterdir()) - 4096))
    while store.invalid is None:
        store.put(Changes(KEY, children={f"child {n}": child_state() for n in range(100)}))
    (disk / "other").unlink()
    opened = open_store(disk / "store", HERE, "1.2.3")
    opened.store.close()
    assert opened.found is Found.NOTHING


def test_a_disk_without_any_room_at_start_leaves_the_daemon_without_a_store(disk: Path) -> None:
    (disk / "other").write_bytes(bytes(ROOM))
    opened = open_store(disk / "store", HERE, "1.2.3")
    assert opened.found is Found.UNUSABLE
    assert f"make room on its file system (df {disk})" in (opened.said or "")
    assert [entry.name for entry in disk.iterdir()] == ["other"]
