"""Children in transport mode are for the ends of the SA: what the connection says of these, and a child may say."""

from __future__ import annotations

from ikevd.addresses import Address
from ikevd.config.problems import Problems
from ikevd.config.schema import FileSection
from ikevd.config.schema_addresses import ANY_END, Places, Within
from ikevd.config.schema_child import ChildSection
from ikevd.config.schema_connection import ConnectionSection
from ikevd.config.yaml_locations import YamlPath
from ikevd.policy.connection import AddressRange
from ikevd.policy.selectors import Dynamic, TrafficSelector

SIDES = ("local", "remote")


def resolved(file: FileSection) -> FileSection:
    """The same, where `dynamic` is the address that the connection names, as far as it names one."""
    connections = {
        name: _resolved(connection) if any(child.transport for child in connection.children.values()) else connection
        for name, connection in file.connections.items()
    }
    return file.model_copy(update={"connections": connections})


def check(problems: Problems, path: YamlPath, child: ChildSection, connection: ConnectionSection) -> None:
    """What one child says of its ends."""
    for side, selectors in zip(SIDES, (child.local, child.remote), strict=True):
        if not child.transport and side not in child.model_fields_set:
            wanted = type(child).model_fields[side].description
            problems.error(path, f"has no {side}; wanted {wanted}", at_key=True)
            continue
        for index, selector in enumerate(selectors):
            if told := _told(selector, _end(connection, side), side, transport=child.transport):
                problems.error((*path, side, index), told)
    named = {selector.first.version for selector in (*child.local, *child.remote) if not isinstance(selector, Dynamic)}
    if child.transport and len(named) > 1:
        problems.error((*path, "mode"), "is transport, but the ends are of two IP versions")


def _told(selector: TrafficSelector, end: Address | None, side: str, *, transport: bool) -> str | None:
    """Why one selector cannot be."""
    if not transport:
        tunnel = isinstance(selector, Dynamic)
        return f"is {selector}, an end itself, which is for mode: transport; wanted networks" if tunnel else None
    if isinstance(selector, Dynamic):
        return None
    if isinstance(selector, Within) or selector.first != selector.last:
        return f"is {selector}, but mode: transport is for the two peers themselves; wanted dynamic, or mode: tunnel"
    if selector.first == end:
        return None
    says = f"the {side} of the connection is {end}" if end else f"the connection names no address as its {side}"
    return f"is {selector}, and {says}: mode: transport is for the two peers themselves; wanted dynamic"


def _resolved(connection: ConnectionSection) -> ConnectionSection:
    ours, theirs = (_end(connection, side) for side in SIDES)
    like = ours or theirs or (connection.remote.first if isinstance(connection.remote, AddressRange) else ANY_END)
    children = {
        name: child.model_copy(
            update={
                "local": tuple(_at(one, ours, like) for one in child.local),
                "remote": tuple(_at(one, theirs, like) for one in child.remote),
            }
        )
        if child.transport
        else child
        for name, child in connection.children.items()
    }
    return connection.model_copy(update={"children": children})


def _at(selector: TrafficSelector, end: Address | None, like: Address) -> TrafficSelector:
    if not isinstance(selector, Dynamic):
        return selector
    return selector.at(end) if end else Dynamic.of_end(type(like)(0), selector.protocol, selector.port)


def _end(connection: ConnectionSection, side: str) -> Address | None:
    """Its address, if it is one."""
    end = connection.local if side == "local" else connection.remote
    return None if isinstance(end, AddressRange | Places) else end
