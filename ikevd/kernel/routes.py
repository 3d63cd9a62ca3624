"""The bodies of rtnetlink messages about routes, built and read; pure. All of them bear our protocol number."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network

from ikevd.host.links import ROUTE_PROTOCOL, Route
from ikevd.kernel.netlink import attribute, attributes
from ikevd.kernel.rtnetlink import (
    NUMBER,
    RTMSG,
    SCOPE_LINK,
    SCOPE_UNIVERSE,
    TABLE_OF_ATTRIBUTE,
    UNICAST,
    UNREACHABLE,
    Rta,
    family,
)
from ikevd.policy.selectors import Network


def build_route(route: Route, index: int | None) -> bytes:
    """The body of NEWROUTE and DELROUTE. `index` of its interface; None where it is unreachable."""
    unicast = index is not None
    body = RTMSG.pack(
        family(route.to.version),
        route.to.prefixlen,
        0,
        0,
        TABLE_OF_ATTRIBUTE,
        ROUTE_PROTOCOL,
        SCOPE_LINK if unicast and route.to.version == 4 else SCOPE_UNIVERSE,
        UNICAST if unicast else UNREACHABLE,
        0,
    )
    body += attribute(Rta.DST, route.to.network_address.packed) if route.to.prefixlen else b""
    body += attribute(Rta.TABLE, NUMBER.pack(route.table)) + attribute(Rta.PRIORITY, NUMBER.pack(route.metric))
    return body + attribute(Rta.OIF, NUMBER.pack(index)) if index is not None else body


def build_route_dump(version: int) -> bytes:
    """The body of GETROUTE: those of our protocol, as far as the kernel heeds that."""
    return RTMSG.pack(family(version), 0, 0, 0, 0, ROUTE_PROTOCOL, 0, 0, 0)


def read_route(body: bytes, name_of: Callable[[int], str]) -> Route | None:
    """The body of an answered NEWROUTE; None for one that is not ours. `name_of` an interface."""
    version_family, prefix, _, _, table, protocol, _, kind, _ = RTMSG.unpack_from(body)
    if protocol != ROUTE_PROTOCOL or kind not in (UNICAST, UNREACHABLE):
        return None
    present = dict(attributes(body[RTMSG.size :]))
    if Rta.TABLE in present:
        (table,) = NUMBER.unpack(present[Rta.TABLE])
    metric = NUMBER.unpack(present[Rta.PRIORITY])[0] if Rta.PRIORITY in present else 0
    link = name_of(NUMBER.unpack(present[Rta.OIF])[0]) if kind == UNICAST and Rta.OIF in present else None
    return Route(_network(version_family, present.get(Rta.DST), prefix), link, table, metric)


def _network(version_family: int, octets: bytes | None, prefix: int) -> Network:
    if version_family == family(4):
        return IPv4Network((octets or bytes(4), prefix))
    return IPv6Network((octets or bytes(16), prefix))
