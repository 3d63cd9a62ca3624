"""Every obstacle is one sentence: what cannot be used, why, and what mends it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ikevd.obstacles import obstacle, unforeseen

JOURNAL = Path("/run/ikevd/journal")


@pytest.mark.parametrize(
    ("number", "mended"),
    [
        (errno.ENOSPC, "No space left on device; make room on its file system (df /run/ikevd)"),
        (errno.EROFS, "Read-only file system; let it be on a file system that can be written"),
        (errno.ENOTDIR, "Not a directory; a file stands where a folder should be"),
        (errno.ENOENT, "No such file or directory; make the folder /run/ikevd"),
        (
            errno.EMFILE,
            "Too many open files; let ikevd have more descriptors (LimitNOFILE= in the unit, ulimit -n in a shell)",
        ),
        (
            errno.EACCES,
            f"Permission denied; the user with uid {os.geteuid()}, as whom ikevd runs, must be allowed to write in "
            "/run/ikevd",
        ),
        (errno.EIO, "Input/output error"),
    ],
    ids=lambda value: errno.errorcode.get(value, "") if isinstance(value, int) else "",
)
def test_the_sentence_names_path_cause_and_remedy(number: int, mended: str) -> None:
    error = OSError(number, os.strerror(number))
    assert str(obstacle("the journal", JOURNAL, error)) == f"the journal {JOURNAL} cannot be used: {mended}"


def test_an_error_without_a_file_is_told_with_its_remedy() -> None:
    told = str(unforeseen(OSError(errno.EMFILE, os.strerror(errno.EMFILE))))
    assert told.startswith("Too many open files; let ikevd have more descriptors")


def test_an_error_with_a_file_names_it() -> None:
    told = str(unforeseen(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/run/ikevd/x")))
    assert told == "/run/ikevd/x: No space left on device; make room on its file system (df /run/ikevd)"
