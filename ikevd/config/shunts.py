"""What no tunnel carries, bypasses and drops, judged against the children and against each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product

from ikevd.config.interfaces import is_routed
from ikevd.config.problems import Problems
from ikevd.config.schema import FileSection, ShuntSection
from ikevd.config.schema_child import ChildSection
from ikevd.config.yaml_locations import YamlPath
from ikevd.policy.selectors import Selectors, TrafficSelector


def kinds(file: FileSection) -> tuple[tuple[str, Mapping[str, ShuntSection]], ...]:
    """The keys of the file, and their entries."""
    return ("bypass", file.bypass), ("drop", file.drop)


def check(problems: Problems, file: FileSection) -> None:
    """A pair of networks is outside, dropped, or in a tunnel."""
    for connection_name, connection in file.connections.items():
        for name, child in connection.children.items():
            if is_routed(connection, child) or child.if_id:  # a policy of an interface, beside those of shunts
                continue
            path = ("connections", connection_name, "children", name)
            _check_within_bypass(problems, path, child, file, "would go into the tunnel")
            _check_equal_to_drop(problems, path, child, file)
    for name, drop in file.drop.items():
        _check_within_bypass(problems, ("drop", name), drop, file, "would be dropped")


def _check_within_bypass(
    problems: Problems, path: YamlPath, section: ChildSection | ShuntSection, file: FileSection, what: str
) -> None:
    """One problem at most."""
    for name, bypass in file.bypass.items():
        for pair, other in product(pairs(section), pairs(bypass)):
            if all(map(_lies_within, pair, other)):
                line = problems.mark(("bypass", name), at_key=True).line
                problems.error(
                    path,
                    f"the pair {pair[0]} to {pair[1]} lies within the bypass {name} on line {line}, so nothing of it "
                    f"{what}; wanted a narrower bypass",
                    at_key=True,
                )
                return


def _check_equal_to_drop(problems: Problems, path: YamlPath, child: ChildSection, file: FileSection) -> None:
    """The kernel has one policy for a pair: it can't be both. One problem at most."""
    own = set(pairs(child))
    for name, drop in file.drop.items():
        for pair in pairs(drop):
            if pair in own:
                line = problems.mark(("drop", name), at_key=True).line
                problems.error(
                    path,
                    f"the pair {pair[0]} to {pair[1]} is also that of the drop {name} on line {line}, so nothing of it "
                    "would go into the tunnel; wanted one of the two",
                    at_key=True,
                )
                return


def pairs(section: ChildSection | ShuntSection) -> Iterator[Selectors]:
    """Each with each."""
    return product(section.local, section.remote)


def _lies_within(one: TrafficSelector, other: TrafficSelector) -> bool:
    return (
        one.first.version == other.first.version
        and int(other.first) <= int(one.first)
        and int(one.last) <= int(other.last)
        and other.protocol in (0, one.protocol)
        and other.port in (0, one.port)
    )
