"""ESP that arrives in UDP (RFC 3948) goes to IPsec; the socket keeps what has the non-ESP marker."""

from __future__ import annotations

import errno
import socket

from ikevd.kernel.refusals import refused
from ikevd.kernel.xfrm_layout import UDP_ENCAP_ESPINUDP

UDP_ENCAP = 100


def take_esp(ike: socket.socket) -> None:
    """Let the kernel take ESP, and NAT keepalives, out of what arrives at this socket.

    Raises `KernelRefused` where the kernel cannot.
    """
    try:
        ike.setsockopt(socket.IPPROTO_UDP, UDP_ENCAP, UDP_ENCAP_ESPINUDP)
    except OSError as error:
        raise refused("receive ESP in UDP (UDP_ENCAP, for NAT traversal)", error.errno or errno.EIO) from error
