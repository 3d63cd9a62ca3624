"""`selection: narrow`, by which a peer chooses less than a child is for: where may it?"""

from __future__ import annotations

from collections.abc import Iterator

from ikevd.config.problems import Problems
from ikevd.config.schema import FileSection
from ikevd.config.schema_connection import ConnectionSection
from ikevd.config.yaml_locations import YamlPath
from ikevd.policy.connection import AddressRange


def check(problems: Problems, file: FileSection) -> None:
    """Not among many peers, nor where another connection has the same networks: both hold what the file has whole."""
    stood_in_for = {connection.backup_of for connection in file.connections.values()}
    for name, connection in file.connections.items():
        why = None
        if connection.remote is None or isinstance(connection.remote, AddressRange):
            why = "many peers may come by this connection: one could take what another has; wanted strict, or a remote"
        elif connection.backup_of is not None or name in stood_in_for:
            why = "this connection has a backup or is one, and both must have the same networks; wanted strict"
        for path in _narrow(name, connection) if why else ():
            problems.error(path, f"is narrow, and {why}")


def _narrow(name: str, connection: ConnectionSection) -> Iterator[YamlPath]:
    """Where the file says so."""
    if connection.selection == "narrow":
        yield "connections", name, "selection"
    for child_name, child in connection.children.items():
        if child.selection == "narrow":
            yield "connections", name, "children", child_name, "selection"
