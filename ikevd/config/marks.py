"""Marks and if_id of children: what a child has by them, and what is wrong with that."""

from __future__ import annotations

from collections.abc import Iterator

from ikevd.config.interfaces import is_routed
from ikevd.config.problems import Problems
from ikevd.config.schema import FileSection
from ikevd.config.schema_child import ChildSection
from ikevd.config.schema_connection import ConnectionSection
from ikevd.config.schema_marks import Same
from ikevd.config.yaml_locations import YamlPath
from ikevd.policy import reqids
from ikevd.policy.marks import ALL_BITS, Mark, WantedMark

CHOOSING = ("mark", "mark_in", "mark_out", "if_id")
"""Keys by which a child is for some packets only."""


def wanted(child: ChildSection) -> tuple[WantedMark | None, WantedMark | None]:
    """Of what comes, and of what leaves."""
    return child.mark_in or child.mark, child.mark_out or child.mark


def given(child: ChildSection) -> tuple[WantedMark | None, WantedMark | None]:
    """What its SAs give to packets, inbound and outbound."""
    pairs = zip((child.set_mark_in, child.set_mark_out), wanted(child), strict=True)
    inbound, outbound = (chosen if isinstance(mark, Same) else mark for mark, chosen in pairs)
    return inbound, outbound


def are_rare(child: ChildSection) -> bool:
    """Is it, whatever its networks are, for packets alone that are marked for it or routed to an interface?"""
    return child.if_id is not None or None not in wanted(child)


def apart(one: ChildSection, other: ChildSection) -> bool:
    """Does no packet fit both, whatever their selectors are?"""
    ways = zip(wanted(one), wanted(other), strict=True)
    return one.if_id != other.if_id or all(_differ(*marks) for marks in ways)


def _differ(one: WantedMark | None, other: WantedMark | None) -> bool:
    if one is None or other is None:  # what has no mark takes marked packets, too
        return False
    if isinstance(one, Mark) and isinstance(other, Mark):
        return not one.meets(other)
    given = next((mark for mark in (one, other) if isinstance(mark, Mark)), None)
    return given is None or (given.mask == ALL_BITS and not reqids.is_ours(given.value))


def check(problems: Problems, file: FileSection) -> None:
    """Every check of this module. Two children with one selector and one mark are found elsewhere (`rivals`)."""
    numbers = dict(_numbers_of_interfaces(file))
    for name, connection in file.connections.items():
        for child_name, child in connection.children.items():
            path = ("connections", name, "children", child_name)
            _check_routed(problems, path, child, connection)
            _check_same(problems, path, child)
            if child.if_id is not None and (holder := numbers.get(child.if_id)):
                line = problems.mark(("connections", holder, "interface")).line
                problems.error(
                    (*path, "if_id"),
                    f"is {child.if_id}, as that of the interface of {holder} on line {line}; wanted one of its own",
                )
            if child.mark is not None and child.mark_in is not None and child.mark_out is not None:
                problems.warn((*path, "mark"), "has no effect: mark_in and mark_out stand in its place")


def _numbers_of_interfaces(file: FileSection) -> Iterator[tuple[int, str]]:
    for name, connection in file.connections.items():
        if connection.interface is not None and connection.interface.if_id is not None:
            yield connection.interface.if_id, name


def _check_routed(problems: Problems, path: YamlPath, child: ChildSection, connection: ConnectionSection) -> None:
    for key in CHOOSING if is_routed(connection, child) else ():
        if getattr(child, key) is not None:
            problems.error(
                (*path, key),
                "is of a child for the interface of its connection, whose number chooses its packets; wanted "
                f"interface: false, or no {key}",
            )


def _check_same(problems: Problems, path: YamlPath, child: ChildSection) -> None:
    for key, chosen in zip(("set_mark_in", "set_mark_out"), wanted(child), strict=True):
        if getattr(child, key) is Same.SAME and chosen is None:
            problems.error((*path, key), f"is same, but there is no mark or {key[4:]}; wanted one, or a number")
