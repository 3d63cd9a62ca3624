"""ikevd as a process that starts at once: forked from one that has loaded all its modules.

In User Mode Linux to import them takes two seconds, a fork a few hundredths. What is forked has its own pid, signals,
exit code, environment, descriptors and network namespace, as `nsenter ... ikevd ARGUMENTS` has; only its name in
/proc is that of its parent. Tests of the command itself, and of its units, start it by its path.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import BinaryIO, TypedDict

from ikevd.cli.main import main as command
from tests.interop.node import enter_netns
from tests.service import launch

LONGEST = 1 << 17
"""Octets of a request, environment included."""
MOST_DESCRIPTORS = 64


class Request(TypedDict):
    """What the next process shall be. Its input, its output and what a service manager hands it come beside this."""

    netns: str
    arguments: list[str]
    environ: dict[str, str]
    names: list[str]
    """Of what is handed to it (LISTEN_FDNAMES)."""


class Forked:
    """One such process, as far as a test wants what `subprocess.Popen` has."""

    def __init__(self, pid: int, told: int) -> None:
        """`told` is where its exit code can be read once it has ended."""
        self.pid = pid
        self.returncode: int | None = None
        self._told = told

    def poll(self) -> int | None:
        """Its exit code; None while it runs."""
        return self._look(0)

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code. Raises `subprocess.TimeoutExpired` after so many seconds."""
        code = self._look(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(f"ikevd, pid {self.pid}", timeout or 0.0)
        return code

    def send_signal(self, number: int) -> None:
        """Unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """As a crash would."""
        self.send_signal(signal.SIGKILL)

    def _look(self, within: float | None) -> int | None:
        if self.returncode is None and select.select([self._told], [], [], within)[0]:
            self.returncode = int(os.read(self._told, 16))
            os.close(self._told)
        return self.returncode


class Forker:
    """The process that has loaded ikevd and is forked for each start. It lives as long as this one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._channel, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its:
            server = [sys.executable, "-m", "tests.interop.forking", str(its.fileno())]
            environ = os.environ | {"NO_COLOR": "1"}
            self._process = subprocess.Popen(
                server, env=environ, pass_fds=[its.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
            )

    def start(
        self,
        netns: str,
        arguments: Sequence[str],
        environ: Mapping[str, str],
        output: BinaryIO,
        handed: Sequence[tuple[str, int]] = (),
    ) -> Forked:
        """`ikevd ARGUMENTS` in a namespace, with what a service manager hands to it: names and descriptors."""
        names = [name for name, _ in handed]
        request = Request(netns=netns, arguments=list(arguments), environ=dict(environ), names=names)
        told, tells = os.pipe()
        descriptors = [tells, output.fileno(), *(descriptor for _, descriptor in handed)]
        try:
            with self._lock:
                socket.send_fds(self._channel, [json.dumps(request).encode()], descriptors)
                return Forked(int(self._channel.recv(16)), told)
        finally:
            os.close(tells)


@cache
def forker() -> Forker:
    """That of this run."""
    return Forker()


# -- in the process that is forked


def _serve(channel: socket.socket) -> tuple[Request, *tuple[int, ...]] | None:
    """Fork for each request, and tell of each end. Returns in each child, with its request; in the parent, with None,
    once nobody is there to ask."""
    running: dict[int, tuple[int, int]] = {}  # by pidfd: its pid, and where its end is told
    while True:
        for descriptor in select.select([channel.fileno(), *running], [], [])[0]:
            if descriptor in running:
                _tell(descriptor, *running.pop(descriptor))
                continue
            octets, descriptors, _, _ = socket.recv_fds(channel, LONGEST, MOST_DESCRIPTORS)
            if not octets:
                return None
            tells, *rest = descriptors
            if (pid := os.fork()) == 0:
                channel.detach()
                return json.loads(octets), *rest
            for each in rest:
                os.close(each)
            running[os.pidfd_open(pid)] = pid, tells
            channel.send(str(pid).encode())


def _tell(pidfd: int, pid: int, tells: int) -> None:
    os.close(pidfd)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    try:
        os.write(tells, str(code).encode())
    except BrokenPipeError:  # nobody wants to know
        pass
    os.close(tells)


def _become(request: Request, output: int, *handed: int) -> None:
    """All that `nsenter` and a service manager give to a program, and no descriptor of the parent's."""
    enter_netns(request["netns"])
    for number in (1, 2):
        os.dup2(output, number)
    os.environ.clear()
    os.environ.update(request["environ"])
    launch.take(list(zip(request["names"], handed, strict=True)))
    os.closerange(launch.FIRST + len(handed), os.sysconf("SC_OPEN_MAX"))


def main() -> None:
    """Load ikevd, and become it as often as asked for."""
    for name in ("ikevd.cli.run", "uvloop"):
        import_module(name)
    gc.collect()
    gc.freeze()  # else each child would copy all of it when it looks for garbage
    request = _serve(socket.socket(fileno=int(sys.argv[1])))
    if request is not None:
        _become(*request)
        _end(_run(request[0]["arguments"]))


def _run(arguments: list[str]) -> int:
    """The exit code of the command."""
    try:
        command(arguments, "ikevd")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(bool(end.code))
    except BaseException:
        traceback.print_exc()
    return 1


def _end(code: int) -> None:
    """At once: the interpreter would free every object, each page of which is still shared with the parent."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
