"""What a program that is begun by the calling thread may do: nothing, but for the capabilities that are named.

Ambient capabilities of the daemon would be those of every program that it begins. They are the thread's own
(capabilities(7)): so a thread gives up its own, begins the program and ends, and the daemon's others keep theirs.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterable

from ikevd.policy.updown import CAPABILITIES

PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, PR_CAP_AMBIENT_CLEAR_ALL = 47, 2, 4
VERSION_3 = 0x20080522
WORDS = 2
"""Of 32 capabilities each."""

_libc = ctypes.CDLL(None, use_errno=True)


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def confine(names: Iterable[str]) -> None:
    """This thread and what it begins have these of `CAPABILITIES` and no other, for ever, and gain no more by any
    program. Raises OSError, with the reason in words."""
    numbers = [CAPABILITIES.index(name) for name in names]
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    _prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    _set(numbers)
    for number in numbers:
        try:
            _prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number)
        except OSError as error:
            raise OSError(error.errno, f"ikevd has no capability {CAPABILITIES[number]} to give") from None


def _set(numbers: Iterable[int]) -> None:
    """All three sets of the thread. Root, who has every capability by being root, would get them back with the program
    but for that; for others it matters little, and a service manager may forbid it."""
    words = (_Sets * WORDS)()
    for number in numbers:
        word = words[number // 32]
        word.effective = word.permitted = word.inheritable = word.effective | 1 << number % 32
    if _libc.capset(ctypes.byref(_Header(VERSION_3, 0)), ctypes.byref(words)) == 0:
        return
    code = ctypes.get_errno()
    if os.geteuid() == 0:
        missing = "ikevd lacks one of them" if code == errno.EPERM else os.strerror(code)
        raise OSError(code, f"its capabilities cannot be set: {missing}, or its service manager forbids capset")


def _prctl(option: int, first: int, second: int = 0) -> None:
    if _libc.prctl(option, *map(ctypes.c_ulong, (first, second, 0, 0))) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
