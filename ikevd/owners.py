"""Whose a file is: who but root and ourselves could read it, change it, or put another one in its place."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path

from ikevd.frozen import frozen

ROOT = 0
MAX_LINKS = 40
"""As the kernel follows."""
CLOSED, GROUP_READS, WRITERS, EXECUTABLE = 0o077, 0o040, 0o022, 0o111
"""Permissions that group and others have, that the group may have, with which they write, that make a program."""


@frozen
class Account:
    """Whom a process runs as."""

    uid: int
    gid: int
    groups: frozenset[int]
    """With `gid`."""

    @classmethod
    def current(cls) -> Account:
        """Of this process."""
        return cls(os.geteuid(), os.getegid(), frozenset((os.getegid(), *os.getgroups())))

    @classmethod
    def owner_of(cls, path: Path) -> Account:
        """Where root looks at the file of another user, the daemon that it is for most likely runs as that user."""
        account = cls.current()
        try:
            uid = os.stat(path).st_uid
            entry = pwd.getpwuid(uid)
        except (OSError, KeyError):
            return account
        if account.uid != ROOT or uid == ROOT:
            return account
        return cls(uid, entry.pw_gid, frozenset(os.getgrouplist(entry.pw_name, entry.pw_gid)))

    def __str__(self) -> str:
        return user(self.uid)


def exposure(path: Path, status: os.stat_result, account: Account) -> str | None:
    """Why a file does not keep a secret, with the cure; None if nobody but root and `account` can read it.

    A secret of Kubernetes or Docker is root's; a daemon that is not root reads it as a member of its group.
    """
    mode = stat.S_IMODE(status.st_mode)
    if mode & CLOSED == 0:
        return None
    shared = status.st_uid == ROOT != account.uid
    if shared and mode & CLOSED == GROUP_READS and status.st_gid in account.groups:
        return None
    cure = _container_cure(account) if shared or _mounted(path) else f"run: chmod 600 {path}"
    return f"{path} is open to its group or to others (mode {mode:04o}); {cure}"


def intruder(path: Path, account: Account) -> str | None:
    """Who but root and `account` could change what `path` names or put something else there, and the cure; or None.

    Every folder and link on the way counts. In a sticky folder, such as /tmp, nobody can replace what is not theirs,
    so there the owner of the next entry decides.
    """
    try:
        for entry, status in steps(path):
            if found := owner_flaw(entry, status, account) or _writers_of(entry, status, account):
                return found
    except OSError:
        return None  # whoever opens it is told why it cannot be reached
    return None


def program_flaw(path: Path, account: Account) -> str | None:
    """Why the program at `path` is not to be run, and the cure; None: it may be. Who could change it could do with our
    rights what they like. The same is said to root, who may pass everywhere, as to `account`."""
    if found := _closed_folder(path, account):
        return found
    try:
        status = os.stat(path)
    except OSError as error:
        return f"{path} cannot be run: {error.strerror}"
    if not stat.S_ISREG(status.st_mode):
        return f"{path} is no file"
    if not status.st_mode & EXECUTABLE:
        return f"{path} is not executable; run: chmod 755 {path}"
    if not _may_pass(path, status, account):
        return f"{path} is not for {account}, whom ikevd runs as, to run{_mode(status)}; run: chmod 755 {path}"
    return intruder(path, account)


def _closed_folder(path: Path, account: Account) -> str | None:
    try:
        for entry, status in steps(path):
            if stat.S_ISDIR(status.st_mode) and not _may_pass(entry, status, account):
                who = f"{account}, whom ikevd runs as,"
                return f"{entry} is closed to {who} on the way to {path}{_mode(status)}; run: chmod go+x {entry}"
    except OSError:
        pass  # whoever opens it is told why it cannot be reached
    return None


def _may_pass(entry: Path, status: os.stat_result, account: Account) -> bool:
    """May `account` run this program, or look for a name in this folder? An updown program is run without the
    capabilities by which root passes everywhere."""
    if status.st_uid == account.uid:
        wanted = stat.S_IXUSR
    else:
        wanted = stat.S_IXGRP if status.st_gid in account.groups else stat.S_IXOTH
    return bool(status.st_mode & wanted) or _has_access_list(entry)


def _has_access_list(entry: Path) -> bool:
    """It may let in whom the mode does not; only the kernel can tell."""
    try:
        return "system.posix_acl_access" in os.listxattr(entry)
    except OSError:
        return False


def _mode(status: os.stat_result) -> str:
    return f" (mode {stat.S_IMODE(status.st_mode):04o})"


def sticky_folder(path: Path) -> Path | None:
    """The first folder on the way, for example /tmp, in which everybody may make a file while none of that name is
    there."""
    try:
        for entry, status in steps(path):
            if stat.S_ISDIR(status.st_mode) and _is_sticky(status) and not _mounted(entry):
                return entry
    except OSError:
        pass
    return None


def steps(path: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Every folder and link on the way from `/` to `path`, and what is there. Raises OSError."""
    here, left, links = Path("/"), list(reversed(path.absolute().parts[1:])), 0
    yield here, os.lstat(here)
    while left:
        part = left.pop()
        entry = here.parent if part == ".." else here / part
        status = os.lstat(entry)
        yield entry, status
        if not stat.S_ISLNK(status.st_mode):
            here = entry
            continue
        links += 1
        if links > MAX_LINKS:
            raise OSError(f"{path} is more than {MAX_LINKS} links away")
        target = Path(os.readlink(entry))
        here = Path("/") if target.is_absolute() else here
        left += reversed(target.parts[1:] if target.is_absolute() else target.parts)


def owner_flaw(entry: Path, status: os.stat_result, account: Account) -> str | None:
    """That somebody else than root and `account` owns it, and the cure; or None."""
    if status.st_uid in (ROOT, account.uid):
        return None
    follow = "-h " if stat.S_ISLNK(status.st_mode) else ""
    return f"{entry} belongs to {user(status.st_uid)}, who could change it; run: chown {follow}root {entry}"


def _writers_of(entry: Path, status: os.stat_result, account: Account) -> str | None:
    writers = 0 if stat.S_ISLNK(status.st_mode) else status.st_mode & WRITERS
    if status.st_gid in (ROOT, account.gid):
        writers &= ~stat.S_IWGRP
    if not writers or _is_sticky(status):
        return None
    who = "everybody" if writers & stat.S_IWOTH else f"the group {group(status.st_gid)}"
    what = "put another file there" if stat.S_ISDIR(status.st_mode) else "change it"
    return (
        f"{entry} is open to {who}, who could {what} (mode {stat.S_IMODE(status.st_mode):04o}); run: chmod go-w {entry}"
    )


def _is_sticky(status: os.stat_result) -> bool:
    return stat.S_ISDIR(status.st_mode) and bool(status.st_mode & stat.S_ISVTX)


def _mounted(path: Path) -> bool:
    """Does it lie on a read-only mount, as secrets of containers do?"""
    try:
        return bool(os.statvfs(path).f_flag & os.ST_RDONLY)
    except OSError:
        return False


def _container_cure(account: Account) -> str:
    if account.uid == ROOT:
        return "wanted mode 0400 (Kubernetes: defaultMode; Docker: mode)"
    return (
        f"ikevd runs as {account}, so wanted the owner root, mode 0440 and one of its groups (Kubernetes: "
        "fsGroup and defaultMode; Docker: gid and mode), or it as owner and mode 0400"
    )


def why_closed(path: Path, account: Account) -> str:
    """Why `account` may not read what is at `path`, and what would work."""
    try:
        status = os.stat(path)
    except OSError:
        return f"{account}, whom ikevd runs as, may not look into a folder on the way"
    owner = f"it belongs to {user(status.st_uid)} and the group {group(status.st_gid)}"
    return f"{owner} (mode {stat.S_IMODE(status.st_mode):04o}); {_container_cure(account)}"


def user(uid: int) -> str:
    """The name, or the number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def group(gid: int) -> str:
    """The name, or the number where it has none."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
