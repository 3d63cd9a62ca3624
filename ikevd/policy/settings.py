"""All of one configuration file, and what it settles for the daemon as a whole."""

from __future__ import annotations

from dataclasses import field
from enum import Enum
from pathlib import Path

from ikevd.addresses import Address
from ikevd.crypto.secret import Secret
from ikevd.frozen import frozen
from ikevd.policy.connection import Connection
from ikevd.policy.selectors import TrafficSelector


@frozen
class Shunt:
    """Traffic that no tunnel carries: it passes in the clear, or is dropped."""

    name: str
    local: TrafficSelector
    remote: TrafficSelector


@frozen
class Limits:
    """Bounds that protect this machine from strangers."""

    half_open: int = 500
    """Negotiations that cost a key pair and whose peer is not authenticated yet, of strangers: of all addresses that
    are not configured as `remote`, together."""
    half_open_per_address: int = 128
    """Of these, the share of one address, behind which a whole office may be."""
    first_messages: int = 32_768
    """First messages of Main Mode whose senders have not echoed our cookie: of configured addresses together, and as
    many of strangers."""
    first_messages_per_address: int = 1024
    """Of these, the share of one configured address."""
    secrets: int = 8
    """Pre-shared keys that are tried against one message 5 of Main Mode."""


class OnStop(Enum):
    """What becomes of the tunnels when the daemon is told to stop."""

    KEEP = "keep"
    """They go on without it, each until its lifetime ends; the next start takes them over."""
    DOWN = "down"
    """The peers hear Delete, and the kernel holds nothing of them any more."""


class LogFormat(Enum):
    CONSOLE = "console"
    JSON = "json"


@frozen
class Listen:
    """The UDP sockets."""

    addresses: tuple[Address, ...] = ()
    """Empty: every address of this machine, IPv4 and IPv6."""
    port: int = 500
    nat_port: int = 4500
    holder: bool = True
    """Where no service manager keeps them open while ikevd is away: by a process of ours."""
    vrf: str = ""
    """Empty: in none."""


@frozen
class Looks:
    """A unix socket through which nothing can be changed, and no key be read."""

    path: Path
    owner: str | None = None
    """As of `Control`."""
    mode: int = 0o660


@frozen
class Control:
    """The unix socket of the control API."""

    path: Path = Path("/run/ikevd/control.sock")
    owner: str | None = None
    """`user` or `user:group`; None: whoever runs the daemon."""
    mode: int = 0o600
    looks: Looks | None = None
    """A second socket; None: there is none."""


@frozen
class Config:
    """All of one configuration file."""

    connections: tuple[Connection, ...]
    listen: Listen = field(default_factory=Listen)
    control: Control = field(default_factory=Control)
    limits: Limits = field(default_factory=Limits)
    log_format: LogFormat = LogFormat.CONSOLE
    log_level: str = "info"
    runtime: Path = Path("/run/ikevd")
    """Folder of what outlives the process."""
    store_key: Secret | None = None
    """Under which the store is sealed; None: it is not, and kept in memory only."""
    bypasses: tuple[Shunt, ...] = ()
    """They win over every tunnel, block and drop, however narrow."""
    drops: tuple[Shunt, ...] = ()
    """They win over what is as wide or wider."""
    bypass_connected: bool = False
    """Does what stays within a network to which this machine is connected stay outside of every tunnel?"""
    on_stop: OnStop = OnStop.KEEP
    unknown_esp: bool = False
    """Is who sends ESP under SPIs that nobody has told so? It needs CAP_NET_RAW."""
    remove_unknown: bool = True
    """May what bears our marks in the kernel, and no store knows, be removed?"""
    export_keys: bool = False
    """May the control socket hand out the keys of ISAKMP SAs (`ikevd capture --keys`)?"""
