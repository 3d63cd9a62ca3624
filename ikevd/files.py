"""Opening files of which it matters whose they are."""

from __future__ import annotations

import errno
import os
import stat
from difflib import get_close_matches
from pathlib import Path

from ikevd.owners import Account, intruder, owner_flaw, why_closed

NEAR = 0.75
"""How much of two names must be the same (`difflib`)."""


def open_regular(path: Path) -> int:
    """Open a file for reading. Raises ValueError for anything but a regular file; waits for nobody (a FIFO)."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise ValueError(f"there is no file {path}{_near(path)}") from None
    except PermissionError:
        raise ValueError(f"{path} cannot be opened: {why_closed(path, Account.current())}") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be opened: {error.strerror or 'unknown reason'}") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ValueError(f"{path} is not a regular file")
    return descriptor


def _near(path: Path) -> str:
    """A file beside it whose name is nearly the same."""
    try:
        names = [entry.name for entry in os.scandir(path.parent) if entry.is_file()]
    except OSError:
        return ""
    close = get_close_matches(path.name, names, n=1, cutoff=NEAR)
    return f"; did you mean {close[0]!r}?" if close else ""


def open_private(path: Path, flags: int) -> int:
    """Open a file, or make it, to write secrets to: mode 600, no link, no other name.

    Raises ValueError where somebody else could read or change it; then what is there stays untouched. Raises OSError.
    """
    account = Account.current()
    if stranger := intruder(path.parent, account):
        raise ValueError(stranger)
    flags |= os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        if error.errno == errno.ELOOP and path.is_symlink():
            raise ValueError("is a symbolic link") from None
        raise
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("not a regular file")
        if stranger := owner_flaw(path, status, account):
            raise ValueError(stranger)
        if status.st_nlink > 1:
            raise ValueError(f"{path} has another name as well (a hard link); wanted a file of its own")
        os.fchmod(descriptor, 0o600)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
