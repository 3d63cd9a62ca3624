"""The runtime folder: what outlives the process and not the machine. One ikevd uses it at a time."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from ikevd.errors import CannotStart
from ikevd.obstacles import obstacle


class RuntimeLock:
    """Held by this process until it ends or lets go; the folder is made where there is none.

    Raises `CannotStart` where another process holds it: that one lives, and what stands in the folder is its own.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / "lock"
        try:
            folder.mkdir(mode=0o750, parents=True, exist_ok=True)
            self._lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                _take(self._lock, folder)
            except BaseException:
                os.close(self._lock)
                raise
        except OSError as error:
            raise obstacle("runtime_directory: the lock", path, error) from error

    def release(self) -> None:
        """Let another ikevd have the folder. Idempotent."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _take(lock: int, folder: Path) -> None:
    """The lock file holds the pid of who has the lock."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = os.pread(lock, 20, 0).decode(errors="replace").strip()
        holder = f"another ikevd (pid {pid})" if pid.isdecimal() else "another ikevd"
        raise CannotStart(f"{holder} uses the runtime folder {folder}; each needs its own runtime_directory") from None
    with suppress(OSError):  # on a full disk its holder has no number
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
