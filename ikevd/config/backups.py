"""Connections that stand in for another one (`backup_of`): can the one that is named be stood in for by this one?"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from ikevd.config.interfaces import is_routed
from ikevd.config.problems import Problems
from ikevd.config.schema import FileSection
from ikevd.config.schema_connection import ConnectionSection
from ikevd.policy.connection import AddressRange
from ikevd.policy.selectors import Selectors
from ikevd.wording import suggestion


def check(problems: Problems, file: FileSection) -> None:
    """One problem of each at most."""
    backups: dict[str, str] = {}
    for name, connection in file.connections.items():
        first = connection.backup_of
        if first is None:
            continue
        if why := _problem(name, connection, first, file, backups):
            problems.error(("connections", name, "backup_of"), why)
        backups.setdefault(first, name)


def are_couple(file: FileSection, one: str, other: str) -> bool:
    """May both have the same networks?"""
    return other == file.connections[one].backup_of or one == file.connections[other].backup_of


def _problem(
    name: str, connection: ConnectionSection, first: str, file: FileSection, backups: dict[str, str]
) -> str | None:
    known = file.connections.get(first)
    if first == name:
        return "is this connection itself; wanted another one"
    if known is None:
        others = [each for each in file.connections if each != name]
        return f"names {first}, which is no connection; {suggestion(first, others)}"
    if known.backup_of is not None:
        return f"names {first}, which is a backup itself; wanted a connection that is none"
    if first in backups:
        return f"names {first}, whose backup is {backups[first]} already; wanted one backup of each"
    for each, section in ((name, connection), (first, known)):
        if section.remote is None or isinstance(section.remote, AddressRange):
            return f"is for one peer that can be called, and the remote of {each} is none; wanted an address or a name"
    if not set(_pairs(connection)) & set(_pairs(known)):  # of an interface routing tells who carries
        return (
            f"names {first}, but no child of this connection has the networks of one of {first}; wanted the same local "
            "and remote"
        )
    return None


def _pairs(connection: ConnectionSection) -> Iterator[Selectors]:
    for child in connection.children.values():
        if is_routed(connection, child):
            continue
        yield from product(child.local, child.remote)
