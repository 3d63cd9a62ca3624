"""The configuration as the program sees it: frozen values, nothing optional that must be filled later."""

from __future__ import annotations

from dataclasses import field
from enum import Enum
from pathlib import Path

from ikevd.addresses import Address
from ikevd.crypto.secret import Secret
from ikevd.frozen import frozen
from ikevd.policy.identity import Identity
from ikevd.policy.selectors import TrafficSelector
from ikevd.wire.registry import AuthMethod, Cipher, Encapsulation, EspTransform, Group, Hash, Integrity


@frozen
class Location:
    """Where something stands in the configuration."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@frozen
class PreSharedKey:
    """A pre-shared key and where it is defined; the value is never shown."""

    key: Secret
    source: str = field(compare=False)
    """In words, for example `/etc/ikevd/ikevd.yaml:12:10 (file /etc/ikevd/berlin.psk)`; the same key stays the same
    wherever it stands."""


@frozen
class IkeSuite:
    """One phase 1 transform: what `aes256-sha256-modp2048` means for IKE."""

    cipher: Cipher
    key_bits: int
    hash: Hash
    group: Group
    auth: AuthMethod = AuthMethod.PSK


@frozen
class EspSuite:
    """One phase 2 transform: what `aes256-sha256` or, with PFS, `aes256-sha256-modp2048` means for ESP."""

    transform: EspTransform
    key_bits: int
    integrity: Integrity
    group: Group | None = None
    """The PFS group, or None for a Quick Mode without KE."""
    mode: Encapsulation = Encapsulation.TUNNEL


@frozen
class Lifetime:
    """A hard lifetime. `kilobytes` is None where volume does not matter."""

    seconds: int
    kilobytes: int | None = None


@frozen
class Resend:
    """How a message that wants an answer is sent again: `sends` times in all, each pause `factor` longer."""

    interval: float = 1.0
    factor: float = 1.8
    sends: int = 6


class Start(Enum):
    """What brings a child up."""

    ALWAYS = "always"
    """ikevd, at its start and again, with back-off, whenever the child is down."""
    ON_DEMAND = "on-demand"
    """The first packet for it, and `ikevd up` or the peer."""
    PASSIVE = "passive"
    """Only the peer."""
    MANUAL = "manual"
    """`ikevd up`, or the peer."""


class DpdMode(Enum):
    """When the peer is asked whether it lives (RFC 3706)."""

    IDLE = "idle"
    """When nothing was heard of it for a while, neither IKE nor ESP."""
    PERIODIC = "periodic"
    """Every so often, whatever was heard."""
    OFF = "off"
    """Never; what the peer asks is answered all the same."""


class DpdAction(Enum):
    """What becomes of a child whose peer is dead."""

    CLEAR = "clear"
    """It is down until it is asked for, by command or by the peer."""
    HOLD = "hold"
    """It is down until there is traffic for it."""
    RESTART = "restart"
    """It begins anew at once, and again until it stands."""


@frozen
class Dpd:
    """Dead peer detection."""

    mode: DpdMode = DpdMode.IDLE
    delay: float = 30.0
    """Seconds of silence before the peer is asked, or between two questions."""
    timeout: float = 8.0
    """Seconds after the first question without a sign of life at which the peer is dead."""
    action: DpdAction | None = None
    """None: of each child by what brings it up."""


class Rekey(Enum):
    """Does this end replace an IPsec SA pair before its lifetime ends?"""

    YES = "yes"
    IF_USED = "if_used"
    """Only one that has carried a packet."""
    NO = "no"
    """Only the peer does."""


class Unique(Enum):
    """What becomes of a peer's former self when it says that it begins anew (INITIAL-CONTACT)."""

    REPLACE = "replace"
    """What is older of it ends."""
    KEEP = "keep"
    """While the former self lives, the newcomer is refused."""
    NEVER = "never"
    """INITIAL-CONTACT is neither said nor obeyed."""


class LifetimeCheck(Enum):
    """What a responder does with the life that the initiator proposes, where its own is another one."""

    OBEY = "obey"
    """Take it."""
    STRICT = "strict"
    """Take it if it is shorter, refuse it if it is longer."""
    CLAIM = "claim"
    """Keep the shorter one, and tell the initiator where that is ours."""
    EXACT = "exact"
    """Refuse it."""


class Pfs(Enum):
    """Perfect forward secrecy of a child: a Diffie-Hellman exchange of its own in each Quick Mode."""

    REQUIRED = "required"
    """The group that the suites name, from both sides."""
    OPTIONAL = "optional"
    """Ours as initiator; as responder also a Quick Mode without KE, or with another group."""
    OFF = "off"


class NatMethod(Enum):
    """How NAT traversal is spoken: RFC 3947, or one of the drafts before it."""

    RFC_3947 = "RFC 3947"
    DRAFT_07 = "draft-07"
    """Also drafts 04 to 06 and 08."""
    DRAFT_03 = "draft-03"
    DRAFT_02 = "draft-02"


class Encap(Enum):
    """When ESP travels in UDP (RFC 3948)."""

    AUTO = "auto"
    """Where a NAT is found between the peers, or ESP alone proves to be blocked."""
    FORCE = "force"
    """Always."""
    TRIED = "tried"
    """Of one phase 1: the file says AUTO, and ESP seems to be blocked."""


@frozen
class AddressRange:
    """The addresses `first` to `last`, both included and of one family."""

    first: Address
    last: Address

    def __contains__(self, address: Address) -> bool:
        return address.version == self.first.version and int(self.first) <= int(address) <= int(self.last)

    def __str__(self) -> str:
        return str(TrafficSelector(self.first, self.last))


@frozen
class Child:
    """One pair of selectors: one Quick Mode."""

    name: str
    reqid: int
    local: TrafficSelector
    remote: TrafficSelector
    suites: tuple[EspSuite, ...]
    lifetime: Lifetime
    start: Start
    replay_window: int = 128
    """In packets; never 0 (CVE-2006-4436)."""
    pfs: Pfs = Pfs.REQUIRED
    """Without meaning where no suite names a group."""
    sha256_96: bool = False
    """As in the connection."""
    lifetime_check: LifetimeCheck = LifetimeCheck.CLAIM
    """As in the connection."""
    template: bool = False
    """`remote` is what peers may ask for a part of: each instance has a selector of its own within it."""
    instance: bool = field(default=False, compare=False)
    """As one of many peers has it: of a template, the part that it asked for; nothing is blocked beforehand."""
    inactivity: int | None = None
    """Seconds without a packet either way after which it goes down; None: never."""
    fail_open: bool = False
    """While no SA pair carries it, its traffic leaves in the clear; else it is blocked."""
    rekey: Rekey = Rekey.YES
    group: str | None = None
    """The entry of the file that makes it and others: `lan` with 2 x 2 subnets makes `lan[1]` to `lan[4]`. None: it is
    the whole entry, and has its name."""

    @property
    def names(self) -> tuple[str, ...]:
        """What it answers to."""
        return (self.name,) if self.group is None else (self.name, self.group)


@frozen
class Connection:
    """One peer: how it is reached, how it proves itself, and its children."""

    name: str
    local: Address | None
    """None: whichever address routing chooses."""
    remote: Address | None
    """None: the peer may come from anywhere, or from `remote_range`, and only it can initiate."""
    local_id: Identity | None
    """None: the local address of the exchange."""
    remote_id: Identity | None
    """None: the remote address of the exchange."""
    psk: PreSharedKey
    suites: tuple[IkeSuite, ...]
    lifetime: Lifetime
    children: tuple[Child, ...]
    resend: Resend
    location: Location = field(compare=False)
    """A line that is inserted above makes it no other connection."""
    remote_range: AddressRange | None = None
    """Where `remote` is None: the addresses that the peer may come from. None: anywhere."""
    group_key: bool = False
    """Where `remote` is None: several clients have this key, and may show one identity; else who shows it from
    another address or port is the same peer, which has moved."""
    aggressive: bool = False
    """As initiator Aggressive Mode; as responder Aggressive Mode beside Main Mode."""
    encrypt_third: bool = True
    """As initiator of Aggressive Mode: is message 3 encrypted? (RFC 2409 section 5.4 leaves both open.)"""
    encap: Encap = Encap.AUTO
    nat_methods: tuple[NatMethod, ...] = (NatMethod.RFC_3947, NatMethod.DRAFT_03, NatMethod.DRAFT_02)
    """Best first; empty: no NAT traversal."""
    nat_keepalive: float = 20.0
    """Seconds between keepalives while this side is behind a NAT (RFC 3948 section 4); 0: none."""
    sha256_96: bool = False
    """HMAC-SHA-256 of ESP cut to 96 bits instead of 128, as Linux before 2.6.33 and some appliances do."""
    cisco_unity: bool = False
    """Send the vendor ID of Cisco Unity."""
    dpd: Dpd = field(default_factory=Dpd)
    unique: Unique = Unique.REPLACE
    lifetime_check: LifetimeCheck = LifetimeCheck.CLAIM
    """As responder."""
    places: tuple[Address | str, ...] = ()
    """Where `remote` is None: the addresses and names at which the one peer is called, in this order. It may come from
    anywhere, and its identity, which is given, tells it."""
    first_place: bool = False
    """Does each phase 1 begin with the first of them? Else with the one that worked last."""

    @property
    def anybody(self) -> bool:
        """Are there several peers, or is the only one called nowhere?"""
        return self.remote is None and not self.places


@frozen
class Bypass:
    """Traffic that stays outside of every tunnel, however wide one is."""

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
    bypasses: tuple[Bypass, ...] = ()
    bypass_connected: bool = False
    """Does what stays within a network to which this machine is connected stay outside of every tunnel?"""
    on_stop: OnStop = OnStop.KEEP
    unknown_esp: bool = False
    """Is who sends ESP under SPIs that nobody has told so? It needs CAP_NET_RAW."""
    remove_unknown: bool = True
    """May what bears our marks in the kernel, and no store knows, be removed?"""
    export_keys: bool = False
    """May the control socket hand out the keys of ISAKMP SAs (`ikevd capture --keys`)?"""
