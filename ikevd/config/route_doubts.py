"""Routes of interfaces against what is policy-based, which Linux looks for first, and against each other: doubts of
`ikevd check`.
"""

from __future__ import annotations

from collections.abc import Iterator

from ikevd.config.interfaces import is_routed
from ikevd.config.problems import Problems
from ikevd.config.schema import FileSection, ShuntSection
from ikevd.config.schema_child import ChildSection
from ikevd.config.yaml_locations import YamlPath
from ikevd.frozen import frozen
from ikevd.host.links import METRIC_6
from ikevd.policy.selectors import Network, TrafficSelector

FIRST = "Linux looks for policies without an interface before a packet comes to one, so what fits both"


@frozen
class _Route:
    """A network that is routed to an interface."""

    connection: str
    index: int
    network: TrafficSelector
    sources: tuple[TrafficSelector, ...]
    """The local networks of the children that take it."""

    def meets(self, section: ChildSection | ShuntSection, remote: TrafficSelector) -> bool:
        return self.network.meet(remote) is not None and any(
            source.meet(local) for source in self.sources for local in section.local
        )

    def holds_part(self, remote: TrafficSelector) -> bool:
        """Is `remote` within it, and less?"""
        network = self.network
        inside = int(network.first) <= int(remote.first) and int(remote.last) <= int(network.last)
        return inside and network != remote

    def name(self, problems: Problems) -> str:
        line = problems.mark(("connections", self.connection, "interface")).line
        return f"{self.network}, which is routed to the interface of {self.connection} on line {line}"


def doubt(problems: Problems, file: FileSection) -> None:
    """Every doubt of this module."""
    routes = [*_routes(file)]
    for name, connection in file.connections.items() if routes else ():
        for child_name, child in connection.children.items():
            if not child.transport and not is_routed(connection, child):
                others = [route for route in routes if route.connection != name]
                fails_open = connection.fail_open if child.fail_open is None else child.fail_open
                path: YamlPath = ("connections", name, "children", child_name, "remote")
                _doubt_child(problems, path, child, others, fails_open=fails_open)
    for name, drop in file.drop.items():
        _doubt_drop(problems, ("drop", name, "remote"), drop, routes)
    _doubt_same(problems, file)


def _routes(file: FileSection) -> Iterator[_Route]:
    for name, connection in file.connections.items():
        if connection.interface is not None and not connection.interface.namespace:
            routed = (child for child in connection.children.values() if is_routed(connection, child))
            sources = tuple(local for child in routed for local in child.local)
            for index, network in enumerate(connection.interface.routes):
                yield _Route(name, index, TrafficSelector.of(network), sources)


def _doubt_child(
    problems: Problems, path: YamlPath, child: ChildSection, routes: list[_Route], *, fails_open: bool
) -> None:
    """Once at most."""
    found = ((index, remote, route) for index, remote in enumerate(child.remote) for route in routes)
    for index, remote, route in found:
        if route.meets(child, remote):
            down = "" if fails_open else ", and is dropped while this child is down"
            problems.warn(
                (*path, index),
                f"{remote} overlaps {route.name(problems)}: {FIRST} never goes into that tunnel{down}; wanted networks "
                "apart, or an interface for both connections",
            )
            return


def _doubt_drop(problems: Problems, path: YamlPath, drop: ShuntSection, routes: list[_Route]) -> None:
    """Once at most. One within a network that is routed is meant."""
    found = ((index, remote, route) for index, remote in enumerate(drop.remote) for route in routes)
    for index, remote, route in found:
        if route.meets(drop, remote) and not route.holds_part(remote):
            problems.warn(
                (*path, index),
                f"{remote} overlaps {route.name(problems)}: {FIRST} is dropped and never goes into that tunnel; wanted "
                "a drop that leaves that network out, or lies within it",
            )
            return


def _doubt_same(problems: Problems, file: FileSection) -> None:
    """Once for each interface at most."""
    holders: dict[tuple[str | None, Network, int, int], str] = {}
    for name, connection in file.connections.items():
        section, told = connection.interface, False
        for index, network in enumerate(section.routes if section else ()):
            assert section is not None
            metric = section.metric or (METRIC_6 if network.version == 6 else 0)
            other = holders.setdefault((section.namespace, network, section.table, metric), name)
            if other != name and not told:
                told = True
                line = problems.mark(("connections", other, "interface")).line
                problems.warn(
                    ("connections", name, "interface", "routes", index),
                    f"{network} is also routed to the interface of {other} on line {line}, with the same table and "
                    "metric, and the kernel takes one such route: this one is refused as long as that one stands; "
                    "wanted another `metric`",
                )
