"""Whether what is written in a folder stays in memory, and so ends with the machine."""

from __future__ import annotations

import os
from pathlib import Path

IN_MEMORY = ("tmpfs", "ramfs")
MOUNTS = Path("/proc/self/mountinfo")


def disk_of(folder: Path, mounts: Path = MOUNTS) -> str | None:
    """What kind of file system the folder is on, where that is none in memory alone; None where it is.

    Where it cannot be told it counts as a disk. Raises OSError where there is no folder.
    """
    device = os.stat(folder).st_dev
    kind = _kinds(mounts).get(f"{os.major(device)}:{os.minor(device)}")
    return None if kind in IN_MEMORY else kind or "an unknown file system"


def _kinds(mounts: Path) -> dict[str, str]:
    """File system types by device (proc(5): third field, and first behind the `-`)."""
    try:
        lines = [line.split() for line in mounts.read_text(errors="replace").splitlines()]
    except OSError:
        return {}
    return {words[2]: words[words.index("-") + 1] for words in lines if "-" in words[6:-1]}
