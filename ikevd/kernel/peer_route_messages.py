"""The bodies of rtnetlink messages about routes that follow tunnels, and about rules, built and read; pure. All of them
bear our protocol number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address

from ikevd.addresses import Address
from ikevd.frozen import frozen
from ikevd.host.routes import PROTOCOL, RULE_PRIORITY, PeerRoute, Rule
from ikevd.kernel.netlink import attribute, attributes
from ikevd.kernel.rtnetlink import (
    FR_ACT_TO_TBL,
    LOCAL,
    NUMBER,
    RTAX_MTU,
    RTM_F_CLONED,
    RTMSG,
    RTNH_F_ONLINK,
    SCOPE_LINK,
    SCOPE_UNIVERSE,
    TABLE_OF_ATTRIBUTE,
    THROW,
    UNICAST,
    Fra,
    Rta,
    family,
)
from ikevd.policy.selectors import Network


@frozen
class Hop:
    """Where a way begins now."""

    index: int
    """Of its interface."""
    gateway: Address | None
    source: Address | None


def build_peer_route(route: PeerRoute, index: int | None) -> bytes:
    """The body of NEWROUTE and DELROUTE. `index` of its interface; None: of a `throw`. What the kernel itself has told
    as the next hop is one, whatever its check would look for."""
    unicast, gateway = index is not None, route.gateway
    kind, flags = (UNICAST, RTNH_F_ONLINK * (gateway is not None)) if unicast else (THROW, 0)
    on_link = unicast and gateway is None and route.to.version == 4
    scope = SCOPE_LINK if on_link else SCOPE_UNIVERSE
    head = family(route.to.version), route.to.prefixlen, 0, 0, TABLE_OF_ATTRIBUTE
    body = RTMSG.pack(*head, PROTOCOL, scope, kind, flags)
    body += attribute(Rta.DST, route.to.network_address.packed) if route.to.prefixlen else b""
    body += attribute(Rta.TABLE, NUMBER.pack(route.table)) + attribute(Rta.PRIORITY, NUMBER.pack(route.metric))
    body += attribute(Rta.OIF, NUMBER.pack(index)) if index is not None else b""
    body += attribute(Rta.GATEWAY, gateway.packed) if gateway is not None else b""
    body += attribute(Rta.PREFSRC, route.source.packed) if route.source is not None else b""
    return body + (attribute(Rta.METRICS, attribute(RTAX_MTU, NUMBER.pack(route.mtu))) if route.mtu else b"")


def read_peer_route(body: bytes, name_of: Callable[[int], str]) -> PeerRoute | None:
    """The body of an answered NEWROUTE; None for one that is not ours. `name_of` an interface."""
    version_family, prefix, _, _, table, protocol, _, kind, _ = RTMSG.unpack_from(body)
    if protocol != PROTOCOL or kind not in (UNICAST, THROW):
        return None
    present = dict(attributes(body[RTMSG.size :]))
    metrics = dict(attributes(present.get(Rta.METRICS, b"")))
    return PeerRoute(
        _network(version_family, present.get(Rta.DST), prefix),
        _number(present, Rta.TABLE) or table,
        _number(present, Rta.PRIORITY) or 0,
        name_of(_number(present, Rta.OIF) or 0) if kind == UNICAST else None,
        _address(present, Rta.GATEWAY),
        _address(present, Rta.PREFSRC),
        _number(metrics, RTAX_MTU),
    )


def build_rule(rule: Rule) -> bytes:
    """The body of NEWRULE and DELRULE."""
    body = RTMSG.pack(family(rule.version), 0, 0, 0, TABLE_OF_ATTRIBUTE, 0, 0, FR_ACT_TO_TBL, 0)
    body += attribute(Fra.PRIORITY, NUMBER.pack(RULE_PRIORITY)) + attribute(Fra.TABLE, NUMBER.pack(rule.table))
    return body + attribute(Fra.PROTOCOL, bytes([PROTOCOL]))


def build_rule_dump(version: int) -> bytes:
    """The body of GETRULE."""
    return RTMSG.pack(family(version), 0, 0, 0, 0, 0, 0, 0, 0)


def read_rule(body: bytes) -> Rule | None:
    """The body of an answered NEWRULE; None for one that is not ours."""
    version_family, _, _, _, table, *_ = RTMSG.unpack_from(body)
    present = dict(attributes(body[RTMSG.size :]))
    if present.get(Fra.PROTOCOL) != bytes([PROTOCOL]) or _number(present, Fra.PRIORITY) != RULE_PRIORITY:
        return None
    return Rule(4 if version_family == family(4) else 6, _number(present, Fra.TABLE) or table)


def read_other(body: bytes) -> Network | None:
    """The network of a route that is not ours and leads somewhere; None for others, and for one to everywhere."""
    version_family, prefix, _, _, _, protocol, _, kind, flags = RTMSG.unpack_from(body)
    if protocol == PROTOCOL or kind not in (UNICAST, LOCAL) or not prefix or flags & RTM_F_CLONED:
        return None
    return _network(version_family, dict(attributes(body[RTMSG.size :])).get(Rta.DST), prefix)


def build_route_dump(version: int, protocol: int = PROTOCOL) -> bytes:
    """The body of GETROUTE: those of that protocol, as far as the kernel heeds that; 0: of all."""
    return RTMSG.pack(family(version), 0, 0, 0, 0, protocol, 0, 0, 0)


def build_way(destination: Address, source: Address | None, below: int = 0) -> bytes:
    """The body of GETROUTE: how a packet would go there; `below`: by the VRF of that index."""
    bits = destination.max_prefixlen
    body = RTMSG.pack(family(destination.version), bits, bits if source is not None else 0, 0, 0, 0, 0, 0, 0)
    body += attribute(Rta.DST, destination.packed)
    body += attribute(Rta.OIF, NUMBER.pack(below)) if below else b""
    return body + attribute(Rta.SRC, source.packed) if source is not None else body


def read_way(body: bytes) -> Hop | None:
    """The body of the answer; None: it leads nowhere."""
    present = dict(attributes(body[RTMSG.size :]))
    index = _number(present, Rta.OIF)
    return Hop(index, _address(present, Rta.GATEWAY), _address(present, Rta.PREFSRC)) if index else None


def _network(version_family: int, octets: bytes | None, prefix: int) -> Network:
    if version_family == family(4):
        return IPv4Network((octets or bytes(4), prefix))
    return IPv6Network((octets or bytes(16), prefix))


def _number(present: Mapping[int, bytes], kind: int) -> int | None:
    return int(NUMBER.unpack(present[kind])[0]) if kind in present else None


def _address(present: Mapping[int, bytes], kind: int) -> Address | None:
    return ip_address(present[kind]) if kind in present else None
