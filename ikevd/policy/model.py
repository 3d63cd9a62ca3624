"""The configuration as the program sees it: frozen values, nothing optional that must be filled later."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from ikevd.addresses import Address
from ikevd.crypto.secret import Secret
from ikevd.policy.identity import Identity
from ikevd.policy.selectors import TrafficSelector
from ikevd.wire.registry import AuthMethod, Cipher, Encapsulation, EspTransform, Group, Hash, Integrity


@dataclass(frozen=True, slots=True)
class Location:
    """Where something stands in the configuration."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class PreSharedKey:
    """A pre-shared key and where it is defined; the value is never shown."""

    key: Secret
    source: str
    """In words, for example `/etc/ikevd/ikevd.yaml:12:10 (file /etc/ikevd/berlin.psk)`."""


@dataclass(frozen=True, slots=True)
class IkeSuite:
    """One phase 1 transform: what `aes256-sha256-modp2048` means for IKE."""

    cipher: Cipher
    key_bits: int
    hash: Hash
    group: Group
    auth: AuthMethod = AuthMethod.PSK


@dataclass(frozen=True, slots=True)
class EspSuite:
    """One phase 2 transform: what `aes256-sha256` or, with PFS, `aes256-sha256-modp2048` means for ESP."""

    transform: EspTransform
    key_bits: int
    integrity: Integrity
    group: Group | None = None
    """The PFS group, or None for a Quick Mode without KE."""
    mode: Encapsulation = Encapsulation.TUNNEL


@dataclass(frozen=True, slots=True)
class Lifetime:
    """A hard lifetime. `kilobytes` is None where volume does not matter."""

    seconds: int
    kilobytes: int | None = None


@dataclass(frozen=True, slots=True)
class Resend:
    """How a message that wants an answer is sent again: `sends` times in all, each pause `factor` longer."""

    interval: float = 1.0
    factor: float = 1.8
    sends: int = 6


class Start(Enum):
    """What brings a child up."""

    AUTO = "auto"
    """ikevd initiates at start and again, with back-off, whenever the child is down."""
    MANUAL = "manual"
    """Only `ikevd up` or the peer."""


@dataclass(frozen=True, slots=True)
class Child:
    """One pair of selectors: one Quick Mode. `lan` with 2 x 2 subnets becomes `lan[1]` to `lan[4]`."""

    name: str
    reqid: int
    local: TrafficSelector
    remote: TrafficSelector
    suites: tuple[EspSuite, ...]
    lifetime: Lifetime
    start: Start
    replay_window: int = 128
    """In packets; never 0 (CVE-2006-4436)."""


@dataclass(frozen=True, slots=True)
class Connection:
    """One peer: how it is reached, how it proves itself, and its children."""

    name: str
    local: Address | None
    """None: whichever address routing chooses."""
    remote: Address | None
    """None: the peer may come from anywhere, and only it can initiate."""
    local_id: Identity | None
    """None: the local address of the exchange."""
    remote_id: Identity | None
    """None: the remote address of the exchange."""
    psk: PreSharedKey
    suites: tuple[IkeSuite, ...]
    lifetime: Lifetime
    children: tuple[Child, ...]
    resend: Resend
    location: Location


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that protect this machine from strangers."""

    half_open: int = 500
    """Negotiations whose peer is not authenticated yet, in all."""
    half_open_per_address: int = 5
    reserved_for_static: int = 100
    """Of `half_open`, the share that only addresses configured as `remote` may use."""


class LogFormat(Enum):
    CONSOLE = "console"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Listen:
    """The UDP sockets."""

    addresses: tuple[Address, ...] = ()
    """Empty: every address of this machine, IPv4 and IPv6."""
    port: int = 500
    nat_port: int = 4500


@dataclass(frozen=True, slots=True)
class Control:
    """The unix socket of the control API."""

    path: Path = Path("/run/ikevd/control.sock")
    owner: str | None = None
    """`user` or `user:group`; None: whoever runs the daemon."""
    mode: int = 0o600


@dataclass(frozen=True, slots=True)
class Config:
    """All of one configuration file."""

    connections: tuple[Connection, ...]
    listen: Listen = field(default_factory=Listen)
    control: Control = field(default_factory=Control)
    limits: Limits = field(default_factory=Limits)
    log_format: LogFormat = LogFormat.CONSOLE
    log_level: str = "info"
    runtime: Path = Path("/run/ikevd")
    """Folder of the journal of what this daemon installed in the kernel."""
