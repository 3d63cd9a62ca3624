"""Descriptors that the service manager hands to a process that it starts (sd_listen_fds(3))."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

from ikevd.service.holding import Held

FIRST = 3
"""SD_LISTEN_FDS_START."""


def handed_down(environ: Mapping[str, str]) -> list[Held]:
    """The sockets of LISTEN_FDS; what is no socket, and what is not open, is closed or passed over.

    Call it once: the descriptors belong to the caller from then on.
    """
    count = environ.get("LISTEN_FDS", "")
    if environ.get("LISTEN_PID") != str(os.getpid()) or not count.isdecimal():
        return []
    names = environ.get("LISTEN_FDNAMES", "").split(":")
    found = []
    for number in range(int(count)):
        kept = _socket(FIRST + number)
        if kept is not None:
            found.append(Held(names[number] if number < len(names) else "unknown", kept))
    return found


def _socket(descriptor: int) -> socket.socket | None:
    try:
        os.set_inheritable(descriptor, False)
    except OSError:
        return None
    try:
        return socket.socket(fileno=descriptor)
    except OSError:  # a file, a pipe: nothing of ours
        os.close(descriptor)
        return None
