"""What of this machine keeps the daemon from starting, in one sentence with what mends it."""

from __future__ import annotations

import errno
import os
import resource
from pathlib import Path

from ikevd.errors import CannotStart

_REMEDIES = {
    errno.ENOSPC: "make room on its file system (df {folder})",
    errno.EDQUOT: "make room, or raise the quota of its file system",
    errno.EROFS: "let it be on a file system that can be written",
    errno.ENOTDIR: "a file stands where a folder should be",
    errno.EEXIST: "a file stands where a folder should be",
    errno.EISDIR: "a folder stands where a file should be",
    errno.ELOOP: "a link stands where a file should be",
    errno.ENOENT: "make the folder {folder}",
    errno.EMFILE: "let ikevd have more descriptors (LimitNOFILE= in the unit, ulimit -n in a shell)",
    errno.ENFILE: "this machine has no descriptor left (sysctl fs.file-max)",
    errno.ENAMETOOLONG: "choose a shorter path",
}


LEAST_DESCRIPTORS = 32
"""With fewer the daemon would have none for its control socket, or not even an event loop."""


def enough_descriptors() -> None:
    """Raises `CannotStart` where this process may have too few."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < LEAST_DESCRIPTORS:
        few = f"this process may have {soft} descriptors, it needs {LEAST_DESCRIPTORS} at least"
        raise CannotStart(f"{few}; {_REMEDIES[errno.EMFILE]}")


def obstacle(what: str, path: Path, error: OSError) -> CannotStart:
    """`what` at `path` cannot be used. It is to be raised from `error`."""
    return CannotStart(f"{what} {path} cannot be used: {error.strerror or error}{_mended(error, path.parent)}")


def unforeseen(error: OSError) -> CannotStart:
    """An error that names no file of ours, as when no descriptor is left."""
    where = f"{error.filename}: " if error.filename else ""
    return CannotStart(f"{where}{error.strerror or error}{_mended(error, Path(str(error.filename or '/')).parent)}")


def _mended(error: OSError, folder: Path) -> str:
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"; the user with uid {os.geteuid()}, as whom ikevd runs, must be allowed to write in {folder}"
    remedy = _REMEDIES.get(error.errno or 0)
    return f"; {remedy.format(folder=folder)}" if remedy else ""
