"""The journal and the store on a disk that is full: only a small file system writes half a line or half a page."""

import errno
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ikevd.errors import CannotStart, KernelRefused
from ikevd.host.interface import SaId
from ikevd.kernel.journal import Journal, load
from ikevd.runtime import RuntimeLock
from ikevd.sa.model import Spi
from ikevd.store.about import Found
from ikevd.store.interface import Changes
from ikevd.store.opening import open_store
from tests.kernel.contract import PEER, REQID
from tests.store.media import HERE
from tests.store.records import KEY, child_state

pytestmark = pytest.mark.kernel

OCTETS = 4096


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={OCTETS}", "small", tmp_path], check=True)
    yield tmp_path
    subprocess.run(["umount", tmp_path], check=True)


def test_half_a_line_is_taken_back(small_disk: Path) -> None:
    journal = Journal(small_disk / "journal")
    with pytest.raises(KernelRefused, match="nothing is installed while the journal") as caught:
        note_many(journal)
    assert caught.value.errno == errno.ENOSPC
    assert list(load(small_disk / "journal")[0]) == list(journal.sas)
    assert (small_disk / "journal").read_bytes().endswith(b"}\n")
    journal.forget_sa(SaId(PEER, Spi(0)))  # cannot be written either, and does not matter
    journal.close()


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


def note_many(journal: Journal) -> None:
    for number in range(OCTETS):
        journal.note_sa(SaId(PEER, Spi(number)), REQID)
