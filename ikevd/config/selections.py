"""`selection: narrow`, by which a peer chooses less than a child is for: where may it?"""

from __future__ import annotations

from collections.abc import Iterator

from ikevd.config.problems import Problems
from ikevd.config.schema import FileSection
from ikevd.config.schema_connection import ConnectionSection
from ikevd.config.yaml_locations import YamlPath
from ikevd.policy.connection import AddressRange


def check(problems: Problems, file: FileSection) -> None:
    """Not among many peers, but in transport mode, where each has no more than its own address; nor where another
    connection has the same networks: both hold what the file has whole."""
    stood_in_for = {connection.backup_of for connection in file.connections.values()}
    for name, connection in file.connections.items():
        why, also_transport = None, True
        if connection.remote is None or isinstance(connection.remote, AddressRange):
            why = "many peers may come by this connection: one could take what another has; wanted strict, or a remote"
            also_transport = False
        elif connection.backup_of is not None or name in stood_in_for:
            why = "this connection has a backup or is one, and both must have the same networks; wanted strict"
        for path in _narrow(name, connection, also_transport=also_transport) if why else ():
            problems.error(path, f"is narrow, and {why}")


def _narrow(name: str, connection: ConnectionSection, *, also_transport: bool) -> Iterator[YamlPath]:
    """Where the file says so."""
    children = {key: child for key, child in connection.children.items() if also_transport or not child.transport}
    if connection.selection == "narrow" and any(child.selection is None for child in children.values()):
        yield "connections", name, "selection"
    for child_name, child in children.items():
        if child.selection == "narrow":
            yield "connections", name, "children", child_name, "selection"
