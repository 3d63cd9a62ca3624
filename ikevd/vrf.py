"""Sockets of a VRF: they send by its routes alone, and hear only what arrives in it.

A socket that is bound to one that was removed stays so; it never becomes one of the VRF that is made anew under that
name.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import socket
import struct

from ikevd.errors import CannotStart, IkeError, KernelRefused, MissingPrivilege

NAME_OCTETS = 16
"""IFNAMSIZ"""
SIOCETHTOOL, ETHTOOL_GDRVINFO = 0x8946, 3
DRVINFO_OCTETS, DRIVER = 196, slice(4, 36)
"""Of `struct ethtool_drvinfo`, whose second field is the driver's name."""


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


def driver_of(interface: str) -> str | None:
    """As `ethtool -i` tells it: vrf, veth, …; None: it tells nothing, or there is none of that name. Wants no
    privilege."""
    info = ctypes.create_string_buffer(struct.pack("=I", ETHTOOL_GDRVINFO), DRVINFO_OCTETS)
    request = struct.pack("16sP16x", interface.encode()[: NAME_OCTETS - 1], ctypes.addressof(info))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            fcntl.ioctl(asking, SIOCETHTOOL, request)
        except OSError:
            return None
    return info.raw[DRIVER].partition(b"\0")[0].decode(errors="replace") or None


def refuse_other(vrf: str) -> None:
    """Raises `CannotStart` where that is an interface of another kind: its sockets would hear what comes by it, and
    nothing would be looked up in a table of its own."""
    driver = driver_of(vrf) if vrf else None
    if driver not in (None, "vrf"):
        raise CannotStart(
            f"cannot listen in the VRF {vrf}: it is none ({driver}); wanted the one that it is in, or nothing"
        )


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
