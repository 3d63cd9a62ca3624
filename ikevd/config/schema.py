"""The configuration file: its sections, their keys, the defaults, and a line on each for editors.

Each key reads its own notation (`schema_values`). What needs two keys to be judged is judged in `checks`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from ikevd.config import secrets
from ikevd.config.foreign_words import (
    DPD_ACTION_WORDS,
    DPD_MODE_WORDS,
    ENCAP_WORDS,
    LEVELS,
    PFS_WORDS,
    REKEY_WORDS,
    START_WORDS,
)
from ikevd.config.schema_values import (
    MIN_KILOBYTES,
    AddressOrNone,
    AddressValue,
    EspProposal,
    FactorValue,
    IdentityOrNone,
    IkeProposal,
    InactivityValue,
    IntervalValue,
    KeepaliveValue,
    LifetimeValue,
    ModeValue,
    OneOrMore,
    OwnerOrNone,
    PathValue,
    PeerDelayValue,
    PeerTimeoutValue,
    PskValue,
    RemoteSelectorValue,
    RemoteValue,
    SelectorValue,
    SocketOrNone,
    SocketValue,
    Switch,
    SwitchOrNone,
    listed,
    number,
    one_of,
)
from ikevd.policy import proposals

DEFAULT_IKE_PROPOSALS = (
    # Group 14 first, which every peer knows, and whose suites are all that Aggressive Mode can offer with it; then
    # the curves of newer peers; at last what an old gateway has at best.
    "aes256-sha256-modp2048",
    "aes128-sha256-modp2048",
    "aes256-sha384-ecp384",
    "aes256-sha256-ecp256",
    "aes128-sha256-ecp256",
    "aes256-sha256-curve25519",
    "aes128-sha256-curve25519",
    "aes256-sha1-modp2048",
    "aes128-sha1-modp2048",
    "aes256-sha1-modp1536",
    "aes128-sha1-modp1536",
)
DEFAULT_ESP_PROPOSALS = ("aes256-sha256", "aes128-sha256", "aes256-sha1", "aes128-sha1")
DEFAULT_IKE_LIFETIME = 86_400
"""24 h, as Cisco IOS and ASA."""
DEFAULT_LIFETIME = 3_600
"""1 h, as Cisco IOS and strongSwan."""


class Section(BaseModel):
    """A mapping of the file: no key but those named here."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class ChildSection(Section):
    """Networks to connect. Several on either side: one IPsec SA for each pair, named lan[1], lan[2] and so on."""

    local: OneOrMore[SelectorValue] = Field(description="the networks on this side, for example 10.1.0.0/24")
    remote: OneOrMore[RemoteSelectorValue] = Field(
        description="the networks on the peer's side, for example 10.2.0.0/24; where peers may come from anywhere also "
        "within 10.3.0.0/16: each gets the part of it that it asks for"
    )
    esp_proposals: OneOrMore[EspProposal] = Field(
        default=tuple(map(proposals.parse_esp, DEFAULT_ESP_PROPOSALS)),
        description="best first: cipher-integrity or, with perfect forward secrecy, cipher-integrity-group; of several "
        "groups the responder takes any, and the initiator offers the first",
    )
    pfs: Annotated[str | None, one_of("required", "optional", "off", others=PFS_WORDS)] = Field(
        default=None,
        description="perfect forward secrecy: required, optional (a peer's Quick Mode without it is accepted, too) or "
        "off; by default required where esp_proposals name a group, else off",
    )
    lifetime: LifetimeValue = Field(default=DEFAULT_LIFETIME, description="of the IPsec SA, for example 1h")
    lifetime_kilobytes: Annotated[int | None, number(MIN_KILOBYTES, 2**32 - 1)] = Field(
        default=None, description="of the IPsec SA, in units of 1024 octets; left out: volume does not matter"
    )
    rekey: Annotated[str, one_of("yes", "if_used", "no", others=REKEY_WORDS)] = Field(
        default="yes",
        description="is the IPsec SA replaced before its lifetime ends: yes, if_used (only one that has carried a "
        "packet) or no (only by the peer)",
    )
    start: Annotated[str | None, one_of("always", "on-demand", "passive", "manual", others=START_WORDS)] = Field(
        default=None,
        description="what brings it up: always (ikevd, at once and again whenever it is down), on-demand (the first "
        "packet for it), passive (only the peer) or manual (`ikevd up`, or the peer); by default always, and passive "
        "where only the peer can call",
    )
    inactivity: InactivityValue = Field(
        default=None,
        description="without a packet either way for so long, for example 10m, its SAs are deleted, and it waits as "
        "`start` says, which must not be always; left out: it stays up",
    )
    fail_open: SwitchOrNone = Field(
        default=None,
        description="true: while no SA carries its traffic, it leaves in the clear; false: it is blocked; left out: as "
        "the connection has it",
    )
    replay_window: Annotated[int, number(32, 4096, multiple=32)] = Field(
        default=128, description="how many packets may overtake one another"
    )


class BypassSection(Section):
    """Traffic that stays outside of every tunnel and is never blocked, both ways: for example that of the own networks
    with one another, where `remote` of a child is 10.0.0.0/8."""

    local: OneOrMore[SelectorValue] = Field(description="networks on this side, for example 10.1.0.0/16")
    remote: OneOrMore[SelectorValue] = Field(description="networks on the other side, for example 10.1.0.0/16")


def _not_empty(children: dict[str, ChildSection]) -> dict[str, ChildSection]:
    if not children:
        raise ValueError("is empty; wanted at least one child, with local and remote networks")
    return children


class RetransmitSection(Section):
    """How often a message that gets no answer is sent."""

    interval: IntervalValue = Field(default=1.0, description="the first pause, for example 1s")
    factor: FactorValue = Field(default=1.8, description="each further pause is so many times longer")
    sends: Annotated[int, number(1, 20)] = Field(
        default=6, description="how often in all, beside the copies that follow a known round trip"
    )


class DpdSection(Section):
    """Dead peer detection (RFC 3706). Whatever stands here, the peer's R-U-THERE are answered."""

    mode: Annotated[str, one_of("idle", "periodic", "off", others=DPD_MODE_WORDS)] = Field(
        default="idle",
        description="when the peer is asked whether it lives: idle (after `delay` without a message or packet of it), "
        "periodic (every `delay`) or off",
    )
    delay: PeerDelayValue = Field(default=30.0, description="of silence, or between two questions, for example 10s")
    timeout: PeerTimeoutValue = Field(
        default=8.0,
        description="after the first of twelve questions without a message or a packet of the peer it is dead, for "
        "example 20s",
    )
    action: Annotated[str | None, one_of("restart", "hold", "clear", others=DPD_ACTION_WORDS)] = Field(
        default=None,
        description="what becomes of the children of a dead peer: restart (begin anew at once, and until they stand), "
        "hold (the next packet begins them) or clear (down until asked for); by default restart with start: always, "
        "hold with on-demand, clear with manual. Those that are passive stay down until the peer comes",
    )


class ConnectionSection(Section):
    """One peer."""

    local: AddressOrNone = Field(default=None, description="our address; left out: the one that routing chooses")
    remote: RemoteValue = Field(
        description="the peer's address or name, several of these, called in this order, a network or range that it "
        "calls from, or `any`. With a name, or several, the peer may come from anywhere, and remote_id tells it"
    )
    remote_first: Switch = Field(
        default=False,
        description="with several addresses of the peer: each new phase 1, renewals too, begins with the first; else "
        "with the one that worked last",
    )
    local_id: IdentityOrNone = Field(default=None, description="what we call ourselves; left out: our address")
    remote_id: IdentityOrNone = Field(
        default=None, description="what the peer must call itself; left out: the address that it comes from"
    )
    psk: PskValue = Field(description=f"the pre-shared key: {secrets.WANTED}")
    group_key: SwitchOrNone = Field(
        default=None,
        description="with a remote that is no single address: several clients have this key and may show one identity; "
        "each is a peer of its own, and none replaces another. false: who comes back from another address or port is "
        "the same peer, and ends its former self. Left out: true where remote_id is left out, too",
    )
    unique: Annotated[str, one_of("replace", "keep", "never")] = Field(
        default="replace",
        description="what becomes of the peer's former self when it says that it begins anew (INITIAL-CONTACT): "
        "replace (what is older ends), keep (while that lives, the newcomer is refused) or never "
        "(it is neither said nor obeyed)",
    )
    aggressive: Switch = Field(
        default=False,
        description="Aggressive Mode: as initiator instead of Main Mode, as responder beside it. Identities and a hash "
        "to guess the key by travel in the clear",
    )
    aggressive_third: Annotated[str, one_of("encrypted", "clear")] = Field(
        default="encrypted", description="how the initiator sends message 3 of Aggressive Mode"
    )
    ike_proposals: OneOrMore[IkeProposal] = Field(
        default=tuple(map(proposals.parse_ike, DEFAULT_IKE_PROPOSALS)),
        description="best first: cipher-hash-group, for example aes256-sha256-modp2048",
    )
    ike_lifetime: LifetimeValue = Field(default=DEFAULT_IKE_LIFETIME, description="of the ISAKMP SA, for example 24h")
    retransmit: RetransmitSection = Field(
        default=RetransmitSection(), description="how often a message that gets no answer is sent"
    )
    dpd: DpdSection = Field(default=DpdSection(), description="when a peer is dead, and what then")
    encap: Annotated[str, one_of("auto", "force", others=ENCAP_WORDS)] = Field(
        default="auto",
        description="ESP in UDP: auto (behind a NAT, or where ESP alone proves to be blocked) or force (always)",
    )
    nat_method: Annotated[str, one_of("both", "rfc", "drafts", "none")] = Field(
        default="both",
        description="NAT traversal that we announce: rfc (RFC 3947), drafts (its drafts 03, 02 and 07), both (RFC 3947 "
        "and its drafts 03 and 02) or none",
    )
    nat_keepalive: KeepaliveValue = Field(
        default=20.0, description="between keepalives while this side is behind a NAT, for example 20s; 0: none"
    )
    sha256_96: Switch = Field(
        default=False, description="cut HMAC-SHA-256 of ESP to 96 bits, for a peer that cannot do the 128 of RFC 4868"
    )
    fail_open: Switch = Field(
        default=False, description="of the children that do not say it: may their traffic leave in the clear?"
    )
    lifetime_check: Annotated[str, one_of("obey", "strict", "claim", "exact")] = Field(
        default="claim",
        description="as responder, where the lifetime that the peer proposes differs from ours: obey (take it), strict "
        "(refuse it if it is longer), claim (keep the shorter one; the peer is told where that is ours) or exact "
        "(refuse it)",
    )
    cisco_unity: Switch = Field(default=False, description="send the vendor ID of Cisco Unity")
    children: Annotated[dict[str, ChildSection], AfterValidator(_not_empty)] = Field(
        description="at least one, with local and remote networks"
    )


class ListenSection(Section):
    """The UDP sockets."""

    addresses: Annotated[
        tuple[AddressValue, ...], BeforeValidator(lambda value: () if value == [] else listed(value))
    ] = Field(default=(), description="left out: every address of this machine")
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


class FileSection(Section):
    """The configuration of ikevd."""

    connections: dict[str, ConnectionSection] = Field(description="a mapping of names to peers")
    bypass: dict[str, BypassSection] = Field(
        default={}, description="a mapping of names to traffic that stays outside of every tunnel"
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
        case ("connections", _):
            return ConnectionSection
        case ("connections", _, "retransmit"):
            return RetransmitSection
        case ("connections", _, "dpd"):
            return DpdSection
        case ("connections", _, "children", _):
            return ChildSection
        case _:
            return None
