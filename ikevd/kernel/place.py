"""Where this process runs: the boot of the machine and the network namespace, which the kernel's SAs belong to."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

from ikevd.store.about import Place

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
BOOT_ID_VARIABLE = "IKEVD_BOOT_ID"
"""For a sandbox without /proc/sys: `Environment=IKEVD_BOOT_ID=%b` in the unit."""
SO_NETNS_COOKIE = 71
"""Since Linux 5.14; no number is given twice during a boot, as an inode is."""


def place() -> Place:
    """Of this process, now."""
    return Place(boot_id(), namespace_cookie())


def boot_id(file: Path = BOOT_ID) -> str | None:
    """32 hexadecimal digits, or None where this process is not told."""
    try:
        text = file.read_text(encoding="ascii")
    except (OSError, ValueError):
        text = os.environ.get(BOOT_ID_VARIABLE, "")
    digits = text.strip().replace("-", "").lower()
    return digits or None


def namespace_cookie() -> int | None:
    """Of the network namespace, or None where the kernel has none."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as probe:
            return int.from_bytes(probe.getsockopt(socket.SOL_SOCKET, SO_NETNS_COOKIE, 8), sys.byteorder)
    except OSError:
        return None
