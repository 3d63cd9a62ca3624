"""Who holds a UDP port: for the one sentence that says why it cannot be bound."""

from __future__ import annotations

from pathlib import Path

PROC = Path("/proc")
LOCAL_ADDRESS, INODE = 1, 9
"""Columns of /proc/net/udp."""


def holder_of(port: int) -> str | None:
    """`name (pid N)` of a process in this network namespace with a UDP socket on `port`, if it can be seen."""
    inodes = set(_inodes(port))
    for process in PROC.iterdir() if inodes else ():
        if process.name.isdigit() and inodes & set(_sockets(process)):
            return f"{_name(process)} (pid {process.name})"
    return None


def _inodes(port: int) -> list[str]:
    found = []
    for table in ("udp", "udp6"):
        try:
            rows = (PROC / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue
        columns = [row.split() for row in rows]
        found += [row[INODE] for row in columns if int(row[LOCAL_ADDRESS].rsplit(":", 1)[1], 16) == port]
    return found


def _sockets(process: Path) -> list[str]:
    try:
        links = [str(link.readlink()) for link in (process / "fd").iterdir()]
    except OSError:
        return []
    return [link[len("socket:[") : -1] for link in links if link.startswith("socket:[")]


def _name(process: Path) -> str:
    try:
        return (process / "comm").read_text().strip()
    except OSError:
        return "a process"
