"""The JSON of SAs: phase 1, ISAKMP SAs and pairs of IPsec SAs, as `ikevd.control.status_shapes` has them."""

from __future__ import annotations

from typing_extensions import TypedDict


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


class Ipcomp(TypedDict):
    """Packets are compressed before ESP encrypts them (RFC 3173)."""

    cpi_in: str
    """CPI of what arrives, in hex."""
    cpi_out: str
    """CPI of what leaves, in hex."""


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
    local_selector: str
    """What this peer has of the local selector: with `selection: narrow` it may have asked for less; in transport mode
    this address."""
    remote_selector: str
    """What this peer has of the remote selector: of a template, the part that it asked for."""
    lent_by: str | None
    """The child whose pair it is, where the peer asked for wider networks than that has (`selection: narrow`); null: it
    is this one's own."""
    protocol: str
    """ESP or AH."""
    mode: str
    """tunnel or transport."""
    udp_encapsulation: UdpEncapsulation | None
    """null: ESP travels as its own IP protocol."""
    ipcomp: Ipcomp | None
    """null: nothing is compressed."""
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
