"""Network namespaces for tests that run in this very process: Python 3.11 has no `os.setns`."""

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class Namespace:
    """A network namespace that lives as long as this object is open."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    @property
    def path(self) -> str:
        """Names it to `ip ... netns PATH`."""
        return f"/proc/{os.getpid()}/fd/{self.fd}"

    @contextmanager
    def entered(self) -> Iterator[None]:
        """This thread, and the programs that it starts, are inside; sockets stay where they are made."""
        outside = _current()
        _checked(_libc.setns(self.fd, CLONE_NEWNET))
        try:
            yield
        finally:
            _checked(_libc.setns(outside, CLONE_NEWNET))
            os.close(outside)

    def run(self, *command: str) -> str:
        """Run a program inside; its output."""
        with self.entered():
            return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout

    def ip(self, *lines: str) -> None:
        """Run `ip` once for many lines."""
        with self.entered():
            text = "".join(f"{line}\n" for line in lines)
            subprocess.run(["ip", "-batch", "-"], input=text, check=True, capture_output=True, text=True, timeout=60)

    def close(self) -> None:
        """Give it up: the kernel removes it with its SAs, policies and links."""
        os.close(self.fd)


def new_namespace() -> Namespace:
    """A network namespace of our own, its loopback up."""
    outside = _current()
    try:
        _checked(_libc.unshare(CLONE_NEWNET))
        namespace = Namespace(_current())
        _checked(_libc.setns(outside, CLONE_NEWNET))
    finally:
        os.close(outside)
    namespace.run("ip", "link", "set", "lo", "up")
    return namespace


def _current() -> int:
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _checked(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
