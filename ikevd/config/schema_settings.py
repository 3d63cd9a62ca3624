"""The settings of the daemon as a whole: keys, defaults, and a line on each for editors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field

from ikevd.config.foreign_words import LEVELS
from ikevd.config.schema_addresses import AddressValue
from ikevd.config.schema_interface import interface_name
from ikevd.config.schema_text import parsed
from ikevd.config.schema_values import ModeValue, OwnerOrNone, SocketOrNone, SocketValue, Switch, listed, number, one_of
from ikevd.config.section import Section


class ListenSection(Section):
    """The UDP sockets."""

    addresses: Annotated[
        tuple[AddressValue, ...], BeforeValidator(lambda value: () if value == [] else listed(value))
    ] = Field(default=(), description="left out: every address of this machine")
    vrf: Annotated[str | None, parsed(interface_name)] = Field(
        default=None,
        description="the VRF in which the peers are reached, for example internet (docs/vrf.md); left out: none",
    )
    port: Annotated[int, number(1, 65535)] = Field(default=500, description="of IKE")
    nat_port: Annotated[int, number(1, 65535)] = Field(default=4500, description="of IKE and ESP behind a NAT")
    holder: Switch = Field(
        default=True,
        description="where no service manager does, keep the sockets open while ikevd is away, by a small process",
    )


class ControlSection(Section):
    """The socket of `ikevd status` and the other commands."""

    socket: SocketValue = Field(default=Path("/run/ikevd/control.sock"), description="its path")
    owner: OwnerOrNone = Field(default=None, description="user or user:group; left out: whoever runs ikevd")
    mode: ModeValue = Field(default=0o600, description="its permissions: four octal digits")
    read_only: SocketOrNone = Field(
        default=None,
        description="the path of a second socket, for who may look and not act: status, trace and capture, no keys; "
        "left out: there is none",
    )
    read_only_owner: OwnerOrNone = Field(default=None, description="as owner, of that socket")
    read_only_mode: ModeValue = Field(default=0o660, description="as mode, of that socket")
    export_keys: Switch = Field(
        default=False, description="may `ikevd capture --keys` hand out the keys of ISAKMP SAs, to decrypt with?"
    )


class LimitsSection(Section):
    """Bounds that protect this machine from strangers."""

    half_open: Annotated[int, number(1, 1_000_000)] = Field(
        default=500,
        description="negotiations with strangers (addresses that stand as no `remote`) that have answered and not "
        "proved themselves yet, in all",
    )
    half_open_per_address: Annotated[int, number(1, 1_000_000)] = Field(
        default=128,
        description="such negotiations with one stranger, behind whose address a whole office may be; an IPv6 network "
        "of 64 bits counts as one",
    )
    first_messages: Annotated[int, number(1, 1_000_000)] = Field(
        default=32_768,
        description="first messages that wait for their sender's answer, in all, at most 1 kB each; the newest makes "
        "the oldest leave. As many again of strangers",
    )
    first_messages_per_address: Annotated[int, number(1, 1_000_000)] = Field(
        default=1024,
        description="of these, with one address that stands as a `remote`: forgeries a second, times the seconds of "
        "the longest round trip",
    )
    secrets: Annotated[int, number(1, 64)] = Field(
        default=8, description="different pre-shared keys tried against one peer that may be several (Main Mode)"
    )


class LogSection(Section):
    """What is written to standard error."""

    format: Annotated[str, one_of("console", "json")] = Field(default="console", description="console or json")
    level: Annotated[str, one_of("debug", "info", "warning", "error", others=LEVELS)] = Field(
        default="info", description="the least important that is written"
    )
