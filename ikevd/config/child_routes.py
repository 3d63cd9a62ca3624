"""What is wrong with the routes that follow policy-based children, in the file and on this machine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ikevd.addresses import Address
from ikevd.config.interfaces import is_routed
from ikevd.config.problems import Problems
from ikevd.config.schema import FileSection
from ikevd.config.schema_addresses import Places, Within
from ikevd.config.schema_child import ChildSection
from ikevd.config.schema_connection import ConnectionSection
from ikevd.config.schema_route import RouteSection
from ikevd.config.surroundings import Surroundings
from ikevd.config.yaml_locations import YamlPath
from ikevd.host.links import METRIC_6
from ikevd.policy.connection import AddressRange
from ikevd.policy.interface import MAIN_TABLE
from ikevd.policy.selectors import Network, TrafficSelector


def check(problems: Problems, file: FileSection, known: Surroundings | None) -> None:
    """Every check and doubt of this module. `known`: of this machine; None where it does not matter."""
    for name, connection in file.connections.items():
        path: YamlPath = ("connections", name)
        for child_name, child in connection.children.items():
            if child.route and connection.route is None:
                at = (*path, "children", child_name, "route")
                problems.error(at, "its connection has no route; wanted `route` there, as `route: auto`")
        if connection.route is not None:
            _check_route(problems, path, connection, connection.route, known)
        if connection.mss is not None:
            _check_mss(problems, (*path, "mss"), connection, known)
    _doubt_same(problems, file)


def _check_mss(problems: Problems, path: YamlPath, connection: ConnectionSection, known: Surroundings | None) -> None:
    namespace = connection.interface.namespace if connection.interface else None
    if namespace is not None:
        problems.warn(
            path,
            f"is for what is forwarded here, and does nothing for the interface in the network namespace {namespace}; "
            "wanted rules of nftables there, or `mtu` of the interface",
        )
    if known is not None and known.lacks_nft:
        problems.warn(path, "needs the program nft, which is not here; wanted the package nftables, or no `mss`")


def _check_route(
    problems: Problems, path: YamlPath, connection: ConnectionSection, route: RouteSection, known: Surroundings | None
) -> None:
    led = {name: child for name, child in connection.children.items() if leads(connection, child)}
    if not led:
        problems.warn(
            (*path, "route"), "has no effect: each child has an interface, is in transport mode or says route: false"
        )
    for name, child in led.items():
        _check_source(problems, (*path, "route", "source"), name, child, route, known)
        _check_way(problems, (*path, "children", name, "remote"), connection, child, route)
        _doubt_within(problems, (*path, "children", name, "remote"), child, known)
        _doubt_marked(problems, (*path, "children", name, "route"), child)
    if known is not None and known.addresses:
        _doubt_own(problems, (*path, "route", "source"), route, known)


def _doubt_marked(problems: Problems, path: YamlPath, child: ChildSection) -> None:
    """A route knows no mark, unless a rule of `ip rule` looks at it."""
    if child.mark or child.mark_out or child.if_id:
        problems.warn(
            path,
            "leads all packets there, and the child takes only those with its mark or if_id: the others leave in the "
            "clear, with the source of the route; wanted route: false, and rules of your own (`ip rule add fwmark`)",
        )


def leads(connection: ConnectionSection, child: ChildSection) -> bool:
    """Do routes follow it, where its connection has `route`?"""
    return child.route is not False and not child.transport and not is_routed(connection, child)


def _check_source(
    problems: Problems,
    path: YamlPath,
    name: str,
    child: ChildSection,
    route: RouteSection,
    known: Surroundings | None,
) -> None:
    local = " and ".join(map(str, child.local))
    if route.source and not _has_one(child, route.source):
        problems.error(
            path,
            f"has no address in {local}, which the child {name} carries; wanted one, or route: false of that child",
        )
    own = [each.address for each in known.addresses if not each.address.is_loopback] if known is not None else []
    if own and not route.source and not _has_one(child, own):
        problems.warn(
            path,
            f"is auto, but this machine has no address in {local}: packets of its own do not go into the tunnel of the "
            f"child {name}, and its route serves routing daemons alone",
        )


def _has_one(child: ChildSection, addresses: Iterable[Address]) -> bool:
    return any(_holds(selector, address) for address in addresses for selector in child.local)


def _holds(selector: TrafficSelector, address: Address) -> bool:
    return selector.first.version == address.version and int(selector.first) <= int(address) <= int(selector.last)


def _check_way(
    problems: Problems, path: YamlPath, connection: ConnectionSection, child: ChildSection, route: RouteSection
) -> None:
    """What carries the tunnel would go by the route."""
    peers = [*_peers(connection)] if route.table == MAIN_TABLE else []
    for index, selector in enumerate(child.remote):
        for peer in peers:
            if _holds(selector, peer):
                problems.error(
                    (*path, index),
                    f"{selector} covers {peer}, the peer itself, and the route to it would be in table main; wanted a "
                    "table of its own, as `route: {table: 220}`, or route: false of the child",
                )


def _doubt_within(problems: Problems, path: YamlPath, child: ChildSection, known: Surroundings | None) -> None:
    """A peer chooses its part: no route leads there where this machine has a network of its own."""
    for index, selector in enumerate(child.remote):
        for own in known.addresses if known is not None and isinstance(selector, Within) else ():
            if not own.address.is_loopback and not own.address.is_link_local and _holds(selector, own.address):
                problems.warn(
                    (*path, index),
                    f"{selector} holds {own.address}, which is on {own.interface} here: a peer may ask for networks of "
                    "this site, and gets no route to them; wanted networks of peers alone",
                )
                break


def _peers(connection: ConnectionSection) -> Iterator[Address]:
    """As far as they stand in the file."""
    remote = connection.remote
    if isinstance(remote, Places):
        yield from (place for place in remote.all if not isinstance(place, str))
    elif remote is not None and not isinstance(remote, AddressRange):
        yield remote


def _doubt_own(problems: Problems, path: YamlPath, route: RouteSection, known: Surroundings) -> None:
    for index, source in enumerate(route.source):
        if known.interface_of(source) is None:
            problems.warn(
                (*path, index), f"{source} is no address of this machine now, and until it is no route can be set"
            )


def _doubt_same(problems: Problems, file: FileSection) -> None:
    """Once for each connection at most. A backup takes turns with its first."""
    holders: dict[tuple[Network, int, int], str] = {}
    for name, connection in file.connections.items():
        for network, table, metric in _places(connection):
            other = holders.setdefault((network, table, metric), name)
            if other not in (name, connection.backup_of) and file.connections[other].backup_of != name:
                line = problems.mark(("connections", other, "route")).line
                problems.warn(
                    ("connections", name, "route"),
                    f"{network} is routed by {other}, too (line {line}), with the same table and metric, and there can "
                    "be one such route: that of the other is set; wanted another `metric`",
                )
                break


def _places(connection: ConnectionSection) -> Iterator[tuple[Network, int, int]]:
    """Network, table and metric. Of peers from anywhere nobody knows which they ask for."""
    route = connection.route
    if route is None or connection.remote is None or isinstance(connection.remote, AddressRange):
        return
    for child in connection.children.values():
        if leads(connection, child):
            for network in (network for selector in child.remote for network in selector.networks):
                yield network, route.table, route.metric or (METRIC_6 if network.version == 6 else 0)
