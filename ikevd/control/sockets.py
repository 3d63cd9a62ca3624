"""The unix socket of the control API: with its owner and mode before anybody can reach it."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import shutil
import socket
import stat
import struct
import tempfile
from pathlib import Path

from ikevd.errors import CannotStart, ConfigError
from ikevd.frozen import frozen
from ikevd.obstacles import obstacle
from ikevd.policy.settings import Control, Looks

BACKLOG = 64
PROBE_SECONDS = 1.0
_UCRED = struct.Struct("3i")


@frozen
class Peer:
    """The process at the other end, as the kernel saw it connect."""

    pid: int
    uid: int


class ListeningSocket:
    """A listening socket at its path. Raises `ConfigError`, and `CannotStart` for what this machine has in the way."""

    def __init__(self, settings: Control | Looks) -> None:
        self.path = settings.path
        looks = isinstance(settings, Looks)
        self._key = "control.read_only" if looks else "control.socket"
        self._owner_key = "control.read_only_owner" if looks else "control.owner"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            self._inode = self._open(settings)
        except OSError as error:
            self.socket.close()
            if error.errno is None:
                raise ConfigError((f"{self._key} {self.path}: {error}",)) from error
            raise obstacle(self._key, self.path, error) from error
        except BaseException:
            self.socket.close()
            raise

    def _open(self, settings: Control | Looks) -> tuple[int, int]:
        self.path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        _refuse_what_is_not_ours(f"{self._key} {self.path}", self.path)
        folder = Path(tempfile.mkdtemp(prefix=".", dir=self.path.parent))  # mode 0700
        try:
            hidden = folder / "s"
            self.socket.bind(str(hidden))
            if settings.owner is not None:
                os.chown(hidden, *_ids(self._owner_key, settings.owner))
            hidden.chmod(settings.mode)
            self.socket.listen(BACKLOG)
            found = hidden.stat()
            hidden.rename(self.path)  # replaces a stale one in the same step
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return found.st_dev, found.st_ino

    def close(self) -> None:
        """Remove the file, unless another daemon has put its own there."""
        self.socket.close()
        try:
            found = self.path.lstat()
            if (found.st_dev, found.st_ino) == self._inode:
                self.path.unlink()
        except OSError:
            pass  # gone, or no longer ours to remove


def peer_of(connected: socket.socket) -> Peer:
    """SO_PEERCRED of a connected unix socket."""
    pid, uid, _ = _UCRED.unpack(connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    return Peer(pid, uid)


def _refuse_what_is_not_ours(what: str, path: Path) -> None:
    """A stale socket may be replaced; a living one and any other kind of file may not."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise CannotStart(f"{what}: a file that is no socket is in the way")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(PROBE_SECONDS)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return
        except OSError as error:
            if error.errno not in (errno.EAGAIN, None):  # a full backlog is a living one
                raise
            raise CannotStart(f"{what}: another ikevd is listening there") from None
        holder = peer_of(probe).pid
    raise CannotStart(f"{what}: another ikevd (pid {holder}) is listening there")


def _ids(key: str, owner: str) -> tuple[int, int]:
    """User and group id; -1 leaves the group as it is."""
    user, _, group = owner.partition(":")
    try:
        uid = int(user) if user.isdecimal() else pwd.getpwnam(user).pw_uid
    except KeyError:
        raise ConfigError((f"{key}: this machine has no user {user!r}",)) from None
    try:
        gid = int(group) if group.isdecimal() else grp.getgrnam(group).gr_gid if group else -1
    except KeyError:
        raise ConfigError((f"{key}: this machine has no group {group!r}",)) from None
    return uid, gid
