"""The JSON that the control API gives out: what `docs/json.md` and `docs/json.schema.json` are made from.

Fields are only ever added under one `schema` number; what is removed or changes its meaning raises it. Octets are in
hex, times with `at` in their description are Unix seconds, durations are seconds.
"""

from __future__ import annotations

from typing import Final, Literal, NotRequired

from typing_extensions import TypedDict

from ikevd.control.reload_shapes import Reload as Reload
from ikevd.observe.shapes import Dropped, Established, Failed, Heard, Hint, Note, Record, Repeated, Sent

SCHEMA: Final = 1


class CiscoNames(TypedDict):
    """The point of phase 1 in the words of `show crypto isakmp sa`."""

    ios: str
    """IOS and IOS-XE, for example `QM_IDLE`."""
    asa: str
    """ASA, for example `MM_ACTIVE`."""


class Nat(TypedDict):
    """What phase 1 found out about NATs between the peers."""

    method: str
    """`RFC 3947`, `draft-07`, `draft-03` or `draft-02`."""
    local: bool
    """Is this side behind a NAT?"""
    remote: bool
    """Is the peer behind a NAT?"""
    forced: bool
    """Does `encap: force` have ESP travel in UDP, NAT or not?"""
    tried: bool
    """Does ESP travel in UDP, NAT or not, since ESP alone seems to be blocked (`encap: auto`)?"""


class Isakmp(TypedDict):
    """An established ISAKMP SA."""

    cookies: str
    """Both cookies in hex, initiator's first, with a colon between."""
    initiator: bool
    """Did this side initiate it?"""
    exchange: str
    """`MAIN_MODE` or `AGGRESSIVE`."""
    cisco: CiscoNames
    """Its state as Cisco names it."""
    local_id: str
    """The identity that this side proved."""
    remote_id: str
    """The identity that the peer proved."""
    local: str
    """Address and port of this side; an IPv6 address stands in brackets."""
    remote: str
    """Address and port of the peer."""
    suite: str
    """Encryption, hash and group in the notation of the configuration."""
    age_seconds: int
    """Seconds since it was established."""
    expires_in_seconds: int
    """Seconds until its lifetime ends."""
    renews_in_seconds: int | None
    """Seconds until this side renews it, if anything needs it then; null: it does not."""
    retired: bool
    """Another one has taken its place: it only answers, until the peer deletes it or its lifetime ends."""
    nat: Nat | None
    """null: the peers do not speak NAT traversal with one another."""
    peer_vendors: list[str]
    """Names of the peer's vendor IDs, in the order in which they came."""
    heard_seconds: int
    """Seconds since the last sign of life of the peer; a packet is seen only when the peer would be asked."""
    heard_by: str
    """What that was: `IKE` or `ESP`."""
    dpd: bool
    """Did the peer announce dead peer detection? Else it is never asked whether it lives."""
    unanswered: int
    """R-U-THERE since then that are not answered."""


class Phase1(TypedDict):
    """The newest phase 1 on record, whatever became of it."""

    exchange: str
    """`MAIN_MODE` or `AGGRESSIVE`."""
    initiator: bool
    """Did this side begin it?"""
    peer: str
    """Address and port of the peer."""
    outcome: str
    """`negotiating`, `established` or `failed`."""
    furthest: str
    """The furthest message, as `MM5 sent` or `MM4 received`; it tells the cause where the state alone does not."""
    cisco: CiscoNames
    """That point as Cisco names it."""
    cause: str | None
    """Why it failed, in one sentence."""
    started: float
    """Unix seconds at its first message."""
    last_event: float
    """Unix seconds at the last thing that happened."""


class UdpEncapsulation(TypedDict):
    """ESP in UDP (RFC 3948)."""

    local_port: int
    """UDP port of this side."""
    remote_port: int
    """UDP port of the peer."""


class IpsecPair(TypedDict):
    """A pair of ESP SAs in the kernel."""

    spi_in: str
    """SPI of what arrives, in hex."""
    spi_out: str
    """SPI of what leaves, in hex."""
    local: str
    """Address of this end of the tunnel."""
    remote: str
    """Address of the peer's end."""
    remote_selector: str
    """What this peer has of the remote selector: of a template, the part that it asked for."""
    udp_encapsulation: UdpEncapsulation | None
    """null: ESP travels as its own IP protocol."""
    initiator: bool
    """Did this side begin the Quick Mode?"""
    suite: str
    """Encryption, integrity and, with PFS, group in the notation of the configuration."""
    age_seconds: int
    """Seconds since it was installed."""
    expires_in_seconds: int
    """Seconds until its lifetime ends."""
    rekeys_in_seconds: int | None
    """Seconds until this side begins a Quick Mode for the next pair; null: one is under way, or none is to be."""
    replaced: bool
    """Does a newer pair carry what is sent? This one is received on for a while, and then deleted."""
    lifetime_kilobytes: int | None
    """The volume in kilobytes at which it ends; null: volume does not matter."""
    bytes_in: int
    """Octets received and accepted."""
    packets_in: int
    """Packets received and accepted."""
    bytes_out: int
    """Octets sent."""
    packets_out: int
    """Packets sent."""
    replayed_in: int
    """Packets dropped because they came twice, or too late for the replay window."""
    forged_in: int
    """Packets dropped because their integrity check failed: another key or truncation, or altered on the way."""


class Child(TypedDict):
    """One pair of traffic selectors."""

    name: str
    """As in the configuration; `lan[2]` where subnets make several of one entry."""
    group: str | None
    """The entry of the configuration that makes it and others: `lan` of `lan[2]`; null: it is the whole entry."""
    local: str
    """The local selector."""
    remote: str
    """The remote selector; `within 10.3.0.0/16` where each peer has a part of its own."""
    state: str
    """`up`, `negotiating`, `retry` (down until the next attempt), `waiting` (down until a packet for it comes) or
    `down`; with pairs and `down`, its policies cannot stand in the kernel."""
    last_cause: str | None
    """Why its policies cannot stand in the kernel, else why the last attempt failed or the last pair ended, in one
    sentence."""
    retry_in_seconds: float | None
    """Seconds until the next attempt, or until a packet may bring one about; null: none is planned, or it may now."""
    last_in_seconds: int | None
    """Seconds since the last packet arrived for it; null: none did, or none since its policies were last replaced."""
    one_way_seconds: int | None
    """Packets leave and none arrives: for so many seconds now; null: that is not so."""
    esp_proposals: list[str]
    """The configured suites, best first."""
    pfs: str
    """As configured: `required`, `optional` or `off`; without meaning where no suite names a group."""
    sas: list[IpsecPair]
    """The pairs that carry it, of every peer of the connection, oldest first."""


class OneWay(TypedDict):
    """Packets left and none came, though the peer answers by IKE: what came of trying ESP in UDP (`encap: auto`)."""

    state: Literal["suspected", "trying", "helped", "in vain"]
    """What left is counted; the trial is under way; ESP stays in UDP; the trial was undone."""
    found: str | None
    """What was found out last, in one sentence; null: nothing yet."""
    finding: dict[str, object] | None
    """The same as fields: its `kind`, and what belongs to it."""
    again_in_seconds: int | None
    """Seconds before which it is not tried again; null: nothing holds it back."""


class Connection(TypedDict):
    """One connection of the configuration."""

    name: str
    """As in the configuration."""
    local: str
    """The configured address, or `any`."""
    remote: str
    """The configured address or range, or `any`."""
    ike_proposals: list[str]
    """The configured suites, best first."""
    negotiating: bool
    """Is this side's phase 1 under way?"""
    phase1: Phase1 | None
    """The newest phase 1; null: none was begun."""
    isakmp: list[Isakmp]
    """The ISAKMP SAs that stand, of every peer of the connection."""
    one_way: OneWay | None
    """null: nothing suggests that ESP is blocked on the way to the peer."""
    children: list[Child]
    """Its children, in the order of the configuration."""


class Refused(TypedDict):
    """Negotiations that a peer began and that came to nothing; equal ones once."""

    at: float
    """Unix seconds at the end of the last one."""
    times: int
    """How many there were."""
    exchange: str
    """`MAIN_MODE`, `AGGRESSIVE`, `QUICK_MODE` or `INFORMATIONAL`."""
    peer: str
    """Address and port of the peer."""
    connection: str | None
    """null: a stranger's."""
    child: str | None
    """Of a Quick Mode, once it is known."""
    cause: str
    """Why, in one sentence."""
    finding: dict[str, object]
    """The same as fields: its `kind`, and what belongs to it."""


class SocketHolder(TypedDict):
    """Who keeps the UDP sockets open while ikevd is away, so that ESP in UDP goes on."""

    kind: Literal["service manager", "process", "none"]
    """systemd's file descriptor store, a process of ours, or nobody, as configured."""
    pid: int | None
    """Of our own process while it stands."""
    problem: str | None
    """Why they are not held although they should be."""


class Status(TypedDict):
    """`ikevd status --json`; `GET /v1/status`."""

    schema: Literal[1]
    """Number of this description."""
    version: str
    """Version of the running daemon."""
    pid: int
    """Its process."""
    uptime_seconds: float
    """Seconds since its start."""
    listening: list[str]
    """The UDP sockets: address and port."""
    socket_holder: SocketHolder
    """Who keeps them open while ikevd is away."""
    half_open: int
    """Negotiations whose peer is not authenticated yet."""
    refused: list[Refused]
    """The last ones of the connections that were asked for and, where no name was given, of strangers; oldest first."""
    connections: list[Connection]
    """The connections that were asked for, in the order of the configuration."""
    counters: dict[str, int]
    """How often a thing happened since the start, by its name; names come and go with versions."""


class Names(TypedDict):
    """`GET /v1/names`: the children of each connection."""

    schema: Literal[1]
    """Number of this description."""
    connections: dict[str, dict[str, list[str]]]
    """By name of the connection the entries of its children, and with each the names of the children that its subnets
    make; an empty list: it is one child, of its name."""


class Version(TypedDict):
    """`ikevd version --json`; `GET /v1/version`."""

    schema: Literal[1]
    """Number of this description."""
    version: str
    """Of the program: the command's own, or the daemon's."""


class Trace(TypedDict):
    """`ikevd trace --json`; `GET /v1/trace`."""

    schema: Literal[1]
    """Number of this description."""
    records: list[Record]
    """The newest negotiations that fit, oldest first."""


class Keys(TypedDict):
    """`GET /v1/keys`, where the configuration has `control.export_keys`."""

    schema: Literal[1]
    """Number of this description."""
    keys: list[str]
    """For each ISAKMP SA: initiator cookie and encryption key, a line of Wireshark's `ikev1_decryption_table`."""


class Owner(TypedDict):
    """What a line of `ikevd up --json` adds to each fact."""

    schema: Literal[1]
    """Number of this description."""
    event: Literal["fact"]
    """`fact`, or `end` in the last line."""
    connection: str
    """The connection that it is about."""
    child: str | None
    """The child; null in phase 1."""
    initiator: bool
    """Did this side begin the negotiation?"""


class OwnedSent(Owner, Sent):
    """A fact of that kind, with its owner."""


class OwnedHeard(Owner, Heard):
    """A fact of that kind, with its owner."""


class OwnedRepeated(Owner, Repeated):
    """A fact of that kind, with its owner."""


class OwnedDropped(Owner, Dropped):
    """A fact of that kind, with its owner."""


class OwnedHint(Owner, Hint):
    """A fact of that kind, with its owner."""


class OwnedNote(Owner, Note):
    """A fact of that kind, with its owner."""


class OwnedEstablished(Owner, Established):
    """A fact of that kind, with its owner."""


class OwnedFailed(Owner, Failed):
    """A fact of that kind, with its owner."""


class End(TypedDict):
    """The last line: the outcome."""

    schema: Literal[1]
    """Number of this description."""
    event: Literal["end"]
    """`fact`, or `end` in the last line."""
    ok: bool
    """Was it done?"""
    cause: str | None
    """Why not, in one sentence; null where it was done."""
    error: NotRequired[str]
    """Name of the error class; only where it was not done."""


OwnedFact = (
    OwnedSent | OwnedHeard | OwnedRepeated | OwnedDropped | OwnedHint | OwnedNote | OwnedEstablished | OwnedFailed
)
Line = OwnedFact | End
"""`ikevd up --json` and `ikevd down --json`, one a line; `POST /v1/up/NAME` and `/v1/down/NAME`."""


class Error(TypedDict):
    """The answer of the API to a request that it refuses; commands say it on standard error instead."""

    error: str
    """One sentence."""
