"""What is wrong with the interfaces of connections."""

from __future__ import annotations

from collections.abc import Iterator

from ikevd.config.problems import Problems
from ikevd.config.schema import FileSection
from ikevd.config.schema_addresses import Places
from ikevd.config.schema_child import ChildSection
from ikevd.config.schema_connection import ConnectionSection
from ikevd.config.schema_interface import InterfaceSection
from ikevd.config.yaml_locations import YamlPath
from ikevd.policy.connection import AddressRange
from ikevd.policy.interface import MAIN_TABLE


def is_routed(connection: ConnectionSection, child: ChildSection) -> bool:
    """Does it protect what is routed to the interface of its connection, and nothing else?"""
    return connection.interface is not None and child.interface is not False


def check(problems: Problems, file: FileSection) -> None:
    """Every check and doubt of this module."""
    names, numbers = dict[str | None, dict[object, str]](), dict[object, str]()
    for path, connection, section in _interfaces(file):
        _check_peer(problems, path, connection)
        _check_ends(problems, path, connection, section)
        _refuse_second(problems, (*path, "name"), section.name, names.setdefault(section.namespace, {}))
        if section.if_id is not None:
            _refuse_second(problems, (*path, "if_id"), section.if_id, numbers)
        if not any(is_routed(connection, child) for child in connection.children.values()):
            problems.warn(path, "no child of the connection uses it: each says interface: false")
        _doubt_routes(problems, path, connection, section)
        if file.listen.vrf and section.kind == "vti":
            _doubt_vti(problems, path, connection, file.listen.vrf)
    for name, connection in file.connections.items():
        for child_name, child in connection.children.items():
            _check_child(problems, ("connections", name, "children", child_name), child, connection)


def _check_child(problems: Problems, path: YamlPath, child: ChildSection, connection: ConnectionSection) -> None:
    if is_routed(connection, child) and child.transport:
        problems.error(
            path, "is in transport mode, and what is routed needs a tunnel; wanted interface: false", at_key=True
        )
    if connection.interface is None and child.interface:
        problems.error((*path, "interface"), "its connection has no interface; wanted `interface` there, with a name")


def _interfaces(file: FileSection) -> Iterator[tuple[YamlPath, ConnectionSection, InterfaceSection]]:
    for name, connection in file.connections.items():
        if connection.interface is not None:
            yield ("connections", name, "interface"), connection, connection.interface


def _check_peer(problems: Problems, path: YamlPath, connection: ConnectionSection) -> None:
    if connection.remote is None or isinstance(connection.remote, AddressRange):
        problems.error(
            path,
            f"is the interface of one peer, but the remote is {connection.remote or '`any`'}; wanted the address or "
            "name of one peer, or no interface",
        )


def _check_ends(problems: Problems, path: YamlPath, connection: ConnectionSection, section: InterfaceSection) -> None:
    """The kernel finds a VTI by the outer addresses."""
    if section.kind == "vti" and isinstance(connection.remote, Places) and connection.local is None:
        problems.error(
            (*path, "kind"),
            f"is vti, which is found by its outer addresses, but local is left out, and the remote is "
            f"{connection.remote}; wanted `local`, or kind: xfrm",
        )


def _doubt_vti(problems: Problems, path: YamlPath, connection: ConnectionSection, vrf: str) -> None:
    """Its ESP is routed as what it came from."""
    routed = (child for child in connection.children.values() if is_routed(connection, child))
    if any(child.set_mark_out is None for child in routed):
        problems.warn(
            (*path, "kind"),
            f"is vti, whose ESP leaves by the routes of table main, not by those of the VRF {vrf}; wanted kind: xfrm, "
            "or in each child a number as set_mark_out, for example 5, with `ip rule add fwmark 5 lookup` the table of "
            "that VRF",
        )


def _refuse_second(problems: Problems, path: YamlPath, value: object, seen: dict[object, str]) -> None:
    other = seen.setdefault(value, str(path[1]))
    if other != path[1]:
        line = problems.mark(("connections", other, "interface")).line
        problems.error(path, f"is {value}, as that of {other} on line {line}; wanted one of its own")


def _doubt_routes(problems: Problems, path: YamlPath, connection: ConnectionSection, section: InterfaceSection) -> None:
    """What carries the tunnel would go into it."""
    remote = connection.remote
    if section.namespace or section.table != MAIN_TABLE or remote is None or isinstance(remote, AddressRange | Places):
        return
    for index, network in enumerate(section.unreachable):
        if network.prefixlen and remote.version == network.version and remote in network:
            problems.warn(
                (*path, "unreachable", index),
                f"{network} covers {remote}, the peer itself, which a default route does not lead to any more; wanted "
                f"a narrower network, or a route of its own to {remote}",
            )
    for index, network in enumerate(section.routes):
        if remote.version == network.version and remote in network:
            problems.warn(
                (*path, "routes", index),
                f"{network} covers {remote}, the peer itself: what carries the tunnel would be routed into it; wanted "
                f"a narrower network, another `table`, or a route of its own to {remote}",
            )
