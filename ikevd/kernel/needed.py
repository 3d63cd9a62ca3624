"""What this machine and its operator need from the network, tunnel or not: resolvers, and the way of an SSH session."""

from __future__ import annotations

import os
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

from ikevd.addresses import Address, Endpoint
from ikevd.addresses import Path as Way

RESOLV_CONF = Path("/etc/resolv.conf")
UPSTREAM = Path("/run/systemd/resolve/resolv.conf")
"""Whom systemd-resolved asks, where /etc/resolv.conf names only its own 127.0.0.53."""
PROC = Path("/proc")
VARIABLE = b"SSH_CONNECTION="
PARENT = 1
"""Field of /proc/PID/stat behind the name of the program, which is in brackets (proc(5))."""
MAX_PARENTS = 64


def resolvers(conf: Path = RESOLV_CONF, upstream: Path = UPSTREAM) -> tuple[Address, ...]:
    """In the order of the file; none where it cannot be read (resolv.conf(5))."""
    named = tuple(_name_servers(conf))
    return tuple(_name_servers(upstream)) if named and all(one.is_loopback for one in named) else named


def _name_servers(conf: Path) -> Iterator[Address]:
    try:
        lines = conf.read_text(errors="replace").splitlines()
    except OSError:
        return
    for words in (line.split() for line in lines):
        if words[:1] == ["nameserver"] and (address := _address("".join(words[1:2]))):
            yield address


def session(pid: int | None = None, proc: Path = PROC) -> Way | None:
    """In which a process was started: sudo leaves SSH_CONNECTION (ssh(1)) away, so its parents are asked for it."""
    asked = os.getpid() if pid is None else pid
    for _ in range(MAX_PARENTS):
        try:
            environ = (proc / str(asked) / "environ").read_bytes().split(b"\0")
            found = next((one.removeprefix(VARIABLE) for one in environ if one.startswith(VARIABLE)), None)
            if found is not None:
                return _way(found.decode(errors="replace").split())
            asked = int((proc / str(asked) / "stat").read_text(errors="replace").rpartition(")")[2].split()[PARENT])
        except (OSError, ValueError, IndexError):
            return None
    return None


def _way(words: list[str]) -> Way | None:
    """Of the client's address and port, then ours."""
    if len(words) != 4 or not (words[1].isdecimal() and words[3].isdecimal()):
        return None
    client, ours = _address(words[0]), _address(words[2])
    return Way(Endpoint(ours, int(words[3])), Endpoint(client, int(words[1]))) if client and ours else None


def _address(text: str) -> Address | None:
    try:
        return ip_address(text.partition("%")[0])
    except ValueError:
        return None
