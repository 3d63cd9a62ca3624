"""Where this machine swaps to, as far as nothing encrypts it: what is in memory may then stand on a disk for ever."""

from __future__ import annotations

import os
import stat
from pathlib import Path

SWAPS, DEVICES = Path("/proc/swaps"), Path("/sys/dev/block")
IN_MEMORY = "zram"
ENCRYPTED = "CRYPT-"
"""The UUID of a device that dm-crypt makes begins so."""


def plain_swaps(swaps: Path = SWAPS, devices: Path = DEVICES) -> tuple[str, ...]:
    """Paths of swap areas, devices and files, that stand on no encrypted device; none where that cannot be read."""
    try:
        lines = swaps.read_bytes().splitlines()[1:]
    except OSError:
        return ()
    paths = [_path(line.split()[0]) for line in lines]
    return tuple(str(path) for path in paths if not path.name.startswith(IN_MEMORY) and _plain(path, devices))


def _path(word: bytes) -> Path:
    """The kernel writes blanks as in C: `\\040`."""
    return Path(os.fsdecode(word.decode("unicode_escape").encode("latin-1")))


def _plain(path: Path, devices: Path) -> bool:
    try:
        status = path.stat()
    except OSError:  # of another mount namespace
        return False
    number = status.st_rdev if stat.S_ISBLK(status.st_mode) else status.st_dev
    return not _encrypted(devices / f"{os.major(number)}:{os.minor(number)}")


def _encrypted(device: Path) -> bool:
    """Is it dm-crypt's, or does it lie on such alone (LVM, RAID)?"""
    try:
        if (device / "dm" / "uuid").read_text().startswith(ENCRYPTED):
            return True
    except OSError:
        pass
    below = list((device / "slaves").glob("*"))
    return bool(below) and all(map(_encrypted, below))
