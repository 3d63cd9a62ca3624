"""The numbers and structs of linux/rtnetlink.h, if_link.h and if_addr.h that interfaces and routes need. Host byte
order, except addresses and keys of tunnels."""

from __future__ import annotations

import socket
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address
from struct import Struct

from ikevd.addresses import Address

NLM_F_EXCL, NLM_F_CREATE = 0x200, 0x400
NETLINK_GET_STRICT_CHK = 12
"""Dumps heed what they are asked for (Linux 4.20); before, they give all."""
IFF_UP, IFF_MULTICAST = 0x1, 0x1000
KIND_MASK = 0x3FFF
"""Of the type of an attribute: above are NLA_F_NESTED and NLA_F_NET_BYTEORDER."""

IFINFOMSG = Struct("=BxHiII")  # family, type of hardware, index, flags, which of these change
IFADDRMSG = Struct("=BBBBI")  # family, prefix length, flags, scope, index
RTMSG = Struct("=8BI")  # family dst_len src_len tos table protocol scope type, flags
NUMBER = Struct("=I")
KEY = Struct(">I")


class Rtm(IntEnum):
    """RTM_*"""

    NEWLINK = 16
    DELLINK = 17
    GETLINK = 18
    NEWADDR = 20
    DELADDR = 21
    GETADDR = 22
    NEWROUTE = 24
    DELROUTE = 25
    GETROUTE = 26
    NEWRULE = 32
    DELRULE = 33
    GETRULE = 34


class Ifla(IntEnum):
    """IFLA_*"""

    IFNAME = 3
    MTU = 4
    LINKINFO = 18
    IFALIAS = 20
    GROUP = 27
    NET_NS_FD = 28


class Info(IntEnum):
    """IFLA_INFO_*"""

    KIND = 1
    DATA = 2


class XfrmInfo(IntEnum):
    """IFLA_XFRM_*"""

    LINK = 1
    IF_ID = 2


class VtiInfo(IntEnum):
    """IFLA_VTI_*"""

    IKEY = 2
    OKEY = 3
    LOCAL = 4
    REMOTE = 5


class Ifa(IntEnum):
    """IFA_*"""

    ADDRESS = 1
    LOCAL = 2


class Rta(IntEnum):
    """RTA_*"""

    DST = 1
    SRC = 2
    OIF = 4
    GATEWAY = 5
    PRIORITY = 6
    PREFSRC = 7
    METRICS = 8
    TABLE = 15


class Fra(IntEnum):
    """FRA_*"""

    PRIORITY = 6
    TABLE = 15
    PROTOCOL = 21


RTAX_MTU = 2
NLM_F_REPLACE = 0x100
UNICAST, LOCAL, UNREACHABLE, THROW = 1, 2, 7, 9
"""RTN_*"""
FR_ACT_TO_TBL = 1
RTNH_F_ONLINK, RTM_F_CLONED = 4, 0x200
SCOPE_UNIVERSE, SCOPE_LINK = 0, 253
TABLE_OF_ATTRIBUTE = 0
"""RT_TABLE_UNSPEC: the attribute says which."""


def address_of(octets: bytes) -> Address | None:
    """None for the unspecified one."""
    address = IPv4Address(octets) if len(octets) == 4 else IPv6Address(octets)
    return None if address.is_unspecified else address


def family(version: int) -> int:
    """AF_INET or AF_INET6."""
    return socket.AF_INET if version == 4 else socket.AF_INET6
