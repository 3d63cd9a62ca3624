"""Kills a process that writes one transaction before and after each of its system calls, and looks what is there.

Run as `python -m tests.store.stepped FOLDER`; it prints what was found after each kill: `1` for the old transaction,
`2` for the new one. A process of its own, since it forks and traces.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import sys
from pathlib import Path

from tests.store.media import InFile
from tests.store.writer import number_found, transaction

PTRACE_TRACEME, PTRACE_SYSCALL = 0, 24
_ptrace = ctypes.CDLL(None, use_errno=True).ptrace
_ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)


def trace(request: int, pid: int) -> None:
    if _ptrace(request, pid, None, None):
        raise OSError(ctypes.get_errno(), "ptrace")


def write_traced(file: InFile) -> None:
    """In the child: open the store, then stop and write the new transaction."""
    store = file.open()
    trace(PTRACE_TRACEME, 0)
    os.kill(os.getpid(), signal.SIGSTOP)
    store.put(transaction(2))
    os._exit(0)


def killed_at(stop: int, file: InFile) -> bool:
    """Kill a writer at this stop, of which each system call has two. False: it has fewer."""
    pid = os.fork()
    if pid == 0:
        try:
            write_traced(file)
        finally:
            os._exit(1)
    _, status = os.waitpid(pid, 0)
    for _ in range(stop):
        trace(PTRACE_SYSCALL, pid)
        _, status = os.waitpid(pid, 0)
        if not os.WIFSTOPPED(status):
            assert os.waitstatus_to_exitcode(status) == 0
            return False
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return True


def main(folder: Path) -> None:
    old, run = InFile(folder / "old" / "store"), InFile(folder / "run" / "store")
    old.path.parent.mkdir()
    store = old.open()
    store.put(transaction(1))
    store.close()
    stop, alive = 0, True
    while alive:
        stop += 1
        shutil.rmtree(run.path.parent, ignore_errors=True)
        shutil.copytree(old.path.parent, run.path.parent)
        alive = killed_at(stop, run)
        print(number_found(run), end="", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
