"""The configuration file as a whole: its sections, from the top of the file down.

Each key reads its own notation (`schema_values`, `schema_addresses`, `schema_durations`). What needs two keys to be
judged is judged in `checks`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from ikevd.config.schema_addresses import SelectorValue
from ikevd.config.schema_child import ChildSection
from ikevd.config.schema_connection import ConnectionSection, DpdSection, RetransmitSection
from ikevd.config.schema_interface import InterfaceSection
from ikevd.config.schema_route import RouteSection
from ikevd.config.schema_settings import ControlSection, LimitsSection, ListenSection, LogSection
from ikevd.config.schema_values import OneOrMore, PathValue, PskValue, Switch, one_of
from ikevd.config.section import Section


class ShuntSection(Section):
    """Traffic that no tunnel carries."""

    local: OneOrMore[SelectorValue] = Field(description="networks on this side, for example 10.1.0.0/16")
    remote: OneOrMore[SelectorValue] = Field(description="networks on the other side, for example 10.1.0.0/16")


class BypassSection(ShuntSection):
    """Traffic that stays outside of every tunnel and is never blocked, both ways: for example that of the own networks
    with one another, where `remote` of a child is 10.0.0.0/8."""


class DropSection(ShuntSection):
    """Traffic that is dropped, both ways, whether a tunnel stands or not: for example that of one host, where the
    networks of a child hold it. Of a child and a drop the narrower one wins, and the drop where neither is narrower; a
    bypass always."""


class FileSection(Section):
    """The configuration of ikevd."""

    connections: dict[str, ConnectionSection] = Field(description="a mapping of names to peers")
    bypass: dict[str, BypassSection] = Field(
        default={}, description="a mapping of names to traffic that stays outside of every tunnel"
    )
    drop: dict[str, DropSection] = Field(
        default={}, description="a mapping of names to traffic that is dropped, though it may be for a wider tunnel"
    )
    bypass_connected: Switch = Field(
        default=False,
        description="does what stays within a network of this machine's interfaces stay outside of every tunnel, too?",
    )
    listen: ListenSection = Field(default=ListenSection(), description="the UDP sockets")
    control: ControlSection = Field(default=ControlSection(), description="the socket of `ikevd status` and the like")
    limits: LimitsSection = Field(default=LimitsSection(), description="bounds that protect from strangers")
    log: LogSection = Field(default=LogSection(), description="what is written to standard error")
    on_stop: Annotated[str, one_of("keep", "down")] = Field(
        default="keep",
        description="what becomes of the tunnels when ikevd stops: keep (they go on, the next start takes them over) "
        "or down (the peers hear Delete)",
    )
    unknown_esp: Switch = Field(
        default=False,
        description="shall peers that send ESP under SPIs that nobody has here be told INVALID-SPI, or called anew? It "
        "needs the capability CAP_NET_RAW (docs/service.md)",
    )
    remove_unknown: Switch = Field(
        default=True,
        description="may ikevd remove SAs and policies of the kernel that bear its marks, and that it knows nothing "
        "of? Each removal is logged",
    )
    runtime_directory: PathValue = Field(
        default=Path("/run/ikevd"),
        description="for what outlives the process, keys of ISAKMP SAs too: on tmpfs, or with a store_key",
    )
    store_key: PskValue | None = Field(
        default=None,
        description="seals what outlives the process, so that a runtime_directory on a disk may hold it: {file: NAME}, "
        "{env: NAME} or {credential: NAME}, of 32 octets or more, on another medium than that disk",
    )


def section_at(path: tuple[str | int, ...]) -> type[Section] | None:
    """The section that stands at a path of the file, or None where none does."""
    match path:
        case ():
            return FileSection
        case ("listen",):
            return ListenSection
        case ("control",):
            return ControlSection
        case ("limits",):
            return LimitsSection
        case ("log",):
            return LogSection
        case ("bypass", _):
            return BypassSection
        case ("drop", _):
            return DropSection
        case ("connections", _):
            return ConnectionSection
        case ("connections", _, "retransmit"):
            return RetransmitSection
        case ("connections", _, "dpd"):
            return DpdSection
        case ("connections", _, "interface"):
            return InterfaceSection
        case ("connections", _, "route"):
            return RouteSection
        case ("connections", _, "children", _):
            return ChildSection
        case _:
            return None
