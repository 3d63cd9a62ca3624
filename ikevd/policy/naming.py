"""What a name that the operator types means: a connection, a child, or all children that one entry makes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ikevd.policy.child import Child
from ikevd.policy.connection import Connection
from ikevd.wording import Names

Owned = tuple[Connection, Child]


def configured_names(connections: Iterable[Connection]) -> Names:
    """All that can be typed, but `connection/child`."""
    return {connection.name: _entries(connection) for connection in connections}


def _entries(connection: Connection) -> dict[str, list[str]]:
    entries: dict[str, list[str]] = {}
    for child in connection.children:
        members = entries.setdefault(child.group or child.name, [])
        if child.group is not None:
            members.append(child.name)
    return entries


def children_named(name: str, connections: Iterable[Connection]) -> list[Owned]:
    """All children that `name` fits in any way, in the order of the configuration."""
    return [
        (connection, child)
        for connection in connections
        for child in connection.children
        if name == connection.name or name in child.names or name in _paths(connection, child)
    ]


def children_meant(name: str, connections: Iterable[Connection]) -> list[Owned]:
    """The children to act on: those of the connection or the path, or else those that are named so."""
    found = children_named(name, connections)
    exactly = [(c, child) for c, child in found if name == c.name or name in _paths(c, child)]
    return exactly or found


def choices(name: str, found: Iterable[Owned]) -> list[str]:
    """`berlin/lan`, `paris/lan`: the different things that are `found` under a child's name; else nothing."""
    return list(dict.fromkeys(f"{connection.name}/{name}" for connection, child in found if name in child.names))


def names_on_record(name: str, connections: Iterable[Connection]) -> frozenset[str]:
    """Records name connections and single children only: the names of all that `name` means."""
    members = (f"{c.name}/{child.name}" for c, child in children_named(name, connections) if name != c.name)
    return frozenset((name, *members))


def _paths(connection: Connection, child: Child) -> Iterator[str]:
    return (f"{connection.name}/{name}" for name in child.names)
