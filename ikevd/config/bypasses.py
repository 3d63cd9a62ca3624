"""What stays outside of every tunnel, judged against the children that it would empty."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from ikevd.config.problems import Problems
from ikevd.config.schema import BypassSection, FileSection
from ikevd.config.schema_child import ChildSection
from ikevd.config.yaml_locations import YamlPath
from ikevd.policy.selectors import TrafficSelector

Pair = tuple[TrafficSelector, TrafficSelector]


def check(problems: Problems, file: FileSection) -> None:
    """A pair of networks is either outside or in a tunnel."""
    for connection_name, connection in file.connections.items():
        for name, child in connection.children.items():
            _check_child(problems, ("connections", connection_name, "children", name), child, file)


def _check_child(problems: Problems, path: YamlPath, child: ChildSection, file: FileSection) -> None:
    """One problem at most."""
    for name, bypass in file.bypass.items():
        for pair, other in product(_pairs(child), _pairs(bypass)):
            if all(map(_lies_within, pair, other)):
                line = problems.mark(("bypass", name), at_key=True).line
                problems.error(
                    path,
                    f"the pair {pair[0]} to {pair[1]} lies within the bypass {name} on line {line}, so nothing of it "
                    "would go into the tunnel; wanted a narrower bypass",
                    at_key=True,
                )
                return


def _pairs(section: ChildSection | BypassSection) -> Iterator[Pair]:
    return product(section.local, section.remote)


def _lies_within(one: TrafficSelector, other: TrafficSelector) -> bool:
    return (
        one.first.version == other.first.version
        and int(other.first) <= int(one.first)
        and int(one.last) <= int(other.last)
        and other.protocol in (0, one.protocol)
        and other.port in (0, one.port)
    )
