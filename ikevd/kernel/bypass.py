"""IKE itself must not be sent through the tunnels that it makes."""

from __future__ import annotations

import errno
import socket

from ikevd.host.policies import Direction
from ikevd.kernel.refusals import refused
from ikevd.kernel.xfrm_layout import (
    ACTION_ALLOW,
    DIRECTIONS,
    LIFETIME_CUR,
    SELECTOR,
    UNLIMITED,
    USERPOLICY_INFO,
)

IP_XFRM_POLICY = 17
IPV6_XFRM_POLICY = 35


def bypass_ipsec(ike: socket.socket) -> None:
    """Let the packets of this socket pass in the clear both ways, whatever the policies say.

    An IPv6 socket must be IPV6_V6ONLY: it can hold such a policy for one family only. Needs CAP_NET_ADMIN.
    Raises `MissingPrivilege`, and `KernelRefused` where the kernel has no XFRM.
    """
    four = ike.family == socket.AF_INET
    level, option = (socket.IPPROTO_IP, IP_XFRM_POLICY) if four else (socket.IPPROTO_IPV6, IPV6_XFRM_POLICY)
    any_packet = SELECTOR.pack(b"", b"", b"", b"", b"", b"", ike.family, 0, 0, 0, 0, 0)
    for direction in (Direction.IN, Direction.OUT):
        policy = USERPOLICY_INFO.pack(
            any_packet, UNLIMITED, bytes(LIFETIME_CUR.size), 0, 0, DIRECTIONS[direction], ACTION_ALLOW, 0, 0
        )
        try:
            ike.setsockopt(level, option, policy)
        except OSError as error:
            raise refused("exempt the IKE socket from IPsec", error.errno or errno.EIO) from error
