"""Who holds a UDP port: for the one sentence that says why it cannot be bound."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

from ikevd.addresses import Address

PROC = Path("/proc")
INIT = "1"
"""The service manager's process."""
LOCAL_ADDRESS, INODE = 1, 9
"""Columns of /proc/self/net/udp (/proc/net is hidden where systemd sets ProcSubset=pid)."""


def holder_of(address: Address, port: int) -> str | None:
    """`name (pid N)` of a process in this network namespace whose UDP socket is in the way, if it can be seen.

    Only root (CAP_SYS_PTRACE) sees the sockets of other users' processes.
    """
    inodes = set(_inodes(address, port))
    for process in PROC.iterdir() if inodes else ():
        if process.name.isdigit() and not inodes.isdisjoint(_sockets(process)):
            return f"{_name(process)} (pid {process.name})"
    return None


def stranger_at(address: Address, port: int) -> str | None:
    """As `holder_of`; None also where it is an ikevd, or the service manager that keeps the sockets of one."""
    found = holder_of(address, port)
    pid = found.rpartition(" ")[2].rstrip(")") if found else ""
    return None if found is None or pid == INIT or _is_ikevd(PROC / pid) else found


def _is_ikevd(process: Path) -> bool:
    try:
        words = (process / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return any(word.rpartition(b"/")[2] == b"ikevd" for word in words) or _name(process).startswith("ikevd")


def _inodes(address: Address, port: int) -> Iterator[str]:
    """Sockets whose binding overlaps with ours; an IPv6 one on `::` may hold the IPv4 port too."""
    for held, held_port, inode in _bound():
        same = held.version == address.version and (int(address) == 0 or held == address)
        if held_port == port and (same or int(held) == 0):
            yield inode


def _bound() -> Iterator[tuple[Address, int, str]]:
    for table in ("udp", "udp6"):
        try:
            rows = (PROC / "self" / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for columns in map(str.split, rows):
            host, _, port = columns[LOCAL_ADDRESS].rpartition(":")
            yield _address(host), int(port, 16), columns[INODE]


def _address(words: str) -> Address:
    """The kernel prints the words of an address in its own byte order."""
    order = sys.byteorder
    octets = b"".join(int(words[at : at + 8], 16).to_bytes(4, order) for at in range(0, len(words), 8))
    return ip_address(octets)


def _sockets(process: Path) -> Iterator[str]:
    """Inodes of the sockets that a process has open; descriptors and processes may go while we look."""
    for descriptor in _entries(process / "fd"):
        try:
            target = str(descriptor.readlink())
        except OSError:
            continue
        if target.startswith("socket:["):
            yield target.removeprefix("socket:[").removesuffix("]")


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _name(process: Path) -> str:
    try:
        return (process / "comm").read_text().strip()
    except OSError:
        return "a process"
