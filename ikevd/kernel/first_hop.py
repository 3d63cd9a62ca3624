"""Where the way to an address begins: asked of the routing tables (rtnetlink(7)). Needs no privilege."""

from __future__ import annotations

import socket
from ipaddress import ip_address

from ikevd.addresses import Address
from ikevd.config.surroundings import FirstHop
from ikevd.kernel.netlink import (
    NETLINK_ROUTE,
    NLM_F_REQUEST,
    RECEIVE_OCTETS,
    attribute,
    attributes,
    pack,
    split,
)
from ikevd.kernel.route_layout import INDEX, RTA_DST, RTA_OIF, RTM_GETROUTE, RTM_NEWROUTE, RTMSG
from ikevd.kernel.xfrm_layout import family_of
from ikevd.vrf import index_of, is_away

RTA_GATEWAY, RTA_PREFSRC = 5, 7
SECONDS = 1.0


def first_hop(destination: Address, vrf: str = "") -> FirstHop | None:
    """None: there is no way now, or it cannot be asked for."""
    if is_away(vrf):
        return None
    body = RTMSG.pack(family_of(destination), destination.max_prefixlen, 0, 0, 0, 0, 0, 0, 0)
    body += attribute(RTA_DST, destination.packed)
    body += attribute(RTA_OIF, INDEX.pack(index_of(vrf))) if vrf else b""
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_ROUTE) as netlink:
            netlink.settimeout(SECONDS)
            netlink.send(pack(RTM_GETROUTE, NLM_F_REQUEST, 1, 0, body))
            for answer in split(netlink.recv(RECEIVE_OCTETS)):
                if answer.kind == RTM_NEWROUTE:
                    return _hop(answer.body)
    except OSError:
        pass
    return None


def _hop(body: bytes) -> FirstHop:
    """Raises OSError."""
    found = dict(attributes(body[RTMSG.size :]))
    interface = socket.if_indextoname(*INDEX.unpack(found[RTA_OIF])) if RTA_OIF in found else None
    gateway = ip_address(found[RTA_GATEWAY]) if RTA_GATEWAY in found else None
    source = ip_address(found[RTA_PREFSRC]) if RTA_PREFSRC in found else None
    return FirstHop(interface, gateway, source)
