"""The journal on a disk that is full: only a small file system writes half a line."""

import errno
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ikevd.errors import CannotStart, KernelRefused
from ikevd.host.interface import SaId
from ikevd.kernel.journal import Journal, load
from ikevd.sa.model import Spi
from tests.kernel.contract import PEER, REQID

pytestmark = pytest.mark.kernel

OCTETS = 8192
"""Two pages: one is for the lock, which holds a pid."""


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


def test_a_disk_that_is_full_at_start_is_told_with_what_mends_it(small_disk: Path) -> None:
    (small_disk / "other").write_bytes(bytes(OCTETS))
    told = f"the journal {small_disk}/journal cannot be used: No space left on device; make room on its file system"
    with pytest.raises(CannotStart, match=re.escape(told)):
        Journal(small_disk / "journal")


def note_many(journal: Journal) -> None:
    for number in range(OCTETS):
        journal.note_sa(SaId(PEER, Spi(number)), REQID)
