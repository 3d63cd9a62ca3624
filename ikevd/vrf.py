"""Sockets of a VRF: they send by its routes alone, and hear only what arrives in it.

A socket that is bound to one that was removed stays so; it never becomes one of the VRF that is made anew under that
name.
"""

from __future__ import annotations

import errno
import socket

from ikevd.errors import CannotStart, IkeError, KernelRefused, MissingPrivilege

NAME_OCTETS = 16
"""IFNAMSIZ"""


def bind_to(opened: socket.socket, vrf: str) -> None:
    """Empty: every interface that is in no VRF. Raises OSError. Wants no privilege from Linux 5.7 on, and before it
    CAP_NET_RAW."""
    if vrf:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, vrf.encode() + b"\0")


def vrf_of(opened: socket.socket) -> str | None:
    """What it is bound to, empty where it is not; None: to what is gone."""
    try:
        name = opened.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, NAME_OCTETS)
    except OSError:
        return None
    return name.rstrip(b"\0").decode(errors="replace")


def is_away(vrf: str) -> bool:
    """Is one wanted, and not there? Then nothing may stand in for it, least of all what is in no VRF."""
    return bool(vrf) and not index_of(vrf)


def gone(vrf: str) -> IkeError:
    """It was there."""
    return KernelRefused(f"the VRF {vrf} is gone: no peer is heard until it is back", errno.ENODEV)


def index_of(vrf: str) -> int:
    """0: there is none."""
    try:
        return socket.if_nametoindex(vrf) if vrf else 0
    except OSError:
        return 0


def why_not(error: OSError, vrf: str) -> IkeError:
    """Why no socket can be bound to it."""
    if error.errno == errno.ENODEV:
        return CannotStart(
            f"cannot listen in the VRF {vrf}: this machine has none of that name; wanted it before ikevd starts, as by "
            f"`ip link add {vrf} type vrf table 100` and `ip link set {vrf} up`"
        )
    if error.errno == errno.EPERM:
        return MissingPrivilege(
            f"cannot listen in the VRF {vrf}: before Linux 5.7 that needs the capability CAP_NET_RAW"
        )
    return CannotStart(f"cannot listen in the VRF {vrf}: {error.strerror}")
