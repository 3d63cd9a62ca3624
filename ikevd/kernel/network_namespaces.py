"""Other network namespaces of this machine, as `ip netns` names them: a socket in one.

They may go and come back under the same name at any time. A socket would keep a namespace that was deleted alive, with
the interfaces in it: so one is opened for each request, and closed.
"""

from __future__ import annotations

import ctypes
import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ikevd.errors import IkeError, KernelRefused, MissingPrivilege
from ikevd.kernel.refusals import refused
from ikevd.kernel.route_socket import RouteSocket

FOLDER = Path("/run/netns")
CLONE_NEWNET = 0x40000000
GONE = errno.ENOENT
"""Of the refusal where there is none of that name."""
_libc = ctypes.CDLL(None, use_errno=True)


def names() -> frozenset[str] | None:
    """Those that have one; None: that cannot be seen."""
    try:
        return frozenset(found.name for found in FOLDER.iterdir())
    except FileNotFoundError:
        return frozenset()
    except OSError:
        return None


@contextmanager
def opened(name: str) -> Iterator[int]:
    """A descriptor of the namespace. Raises `KernelRefused`."""
    try:
        handle = os.open(FOLDER / name, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise _why_not(name, error) from error
    try:
        yield handle
    finally:
        os.close(handle)


@contextmanager
def route_socket_in(name: str) -> Iterator[RouteSocket]:
    """One that was opened there. Raises `KernelRefused` and `MissingPrivilege`."""
    made = list[RouteSocket | OSError]()

    def enter(handle: int) -> None:
        try:
            if _libc.setns(handle, CLONE_NEWNET):
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number))
            made.append(RouteSocket(name))
        except OSError as error:
            made.append(error)

    with opened(name) as handle:
        # It ends there: no other thread ever leaves the namespace of this process.
        thread = threading.Thread(target=enter, args=(handle,), name="namespace")
        thread.start()
        thread.join()
    (result,) = made
    if isinstance(result, OSError):
        raise _why_not(name, result) from result
    try:
        yield result
    finally:
        result.close()


def is_gone(error: Exception) -> bool:
    """Was there none of that name?"""
    return isinstance(error, KernelRefused) and error.errno == GONE


def _why_not(name: str, error: OSError) -> IkeError:
    if error.errno in (errno.ENOENT, errno.EINVAL):  # EINVAL: a file, and no namespace mounted over it
        return KernelRefused(
            f"there is no network namespace {name} ({FOLDER / name}) for the interface; wanted it made (`ip netns add "
            f"{name}`), or another `namespace` of the interface; ikevd looks for it again and again",
            GONE,
        )
    if error.errno in (errno.EPERM, errno.EACCES):
        return MissingPrivilege(
            f"cannot enter the network namespace {name}: the capability CAP_SYS_ADMIN is missing; wanted the drop-in "
            "ikevd-namespaces.conf (docs/service.md)"
        )
    return refused(f"enter the network namespace {name}", error.errno or errno.EIO)
