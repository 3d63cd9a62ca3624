"""The journal on a disk that is full: only a small file system writes half a line."""

import errno
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ikevd.errors import KernelRefused
from ikevd.host.interface import SaId
from ikevd.kernel.journal import Journal, load
from ikevd.sa.model import Spi
from tests.kernel.contract import PEER, REQID

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


def note_many(journal: Journal) -> None:
    for number in range(OCTETS):
        journal.note_sa(SaId(PEER, Spi(number)), REQID)
