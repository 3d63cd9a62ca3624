"""One peer: the keys of a connection, the defaults, and a line on each for editors."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from ikevd.config import secrets
from ikevd.config.foreign_words import DPD_ACTION_WORDS, DPD_MODE_WORDS, ENCAP_WORDS
from ikevd.config.schema_addresses import AddressOrNone, IdentityOrNone, RemoteIdentity, RemoteValue
from ikevd.config.schema_child import ChildSection
from ikevd.config.schema_durations import (
    HookTimeoutValue,
    IntervalValue,
    KeepaliveValue,
    LifetimeValue,
    PeerDelayValue,
    PeerTimeoutValue,
)
from ikevd.config.schema_hooks import CapabilitiesValue, UpdownValue
from ikevd.config.schema_interface import InterfaceOrNone
from ikevd.config.schema_route import RouteOrNone
from ikevd.config.schema_text import parsed
from ikevd.config.schema_values import (
    FactorValue,
    IkeProposal,
    OneOrMore,
    PskValue,
    Switch,
    SwitchOrNone,
    number,
    one_of,
)
from ikevd.config.section import Section
from ikevd.policy import proposals
from ikevd.policy.connection import AUTO_MSS
from ikevd.policy.updown import TIMEOUT

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
MIN_MSS, MAX_MSS = 536, 65_495
"""The former is what every host takes (RFC 9293 section 3.7.1)."""
DEFAULT_IKE_LIFETIME = 86_400
"""24 h, as Cisco IOS and ASA."""


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
    remote_id: RemoteIdentity = Field(
        default=None,
        description="what the peer must call itself; left out: the address that it comes from. With `remote: any`, or "
        "a network, it may be any: whoever has the key may call itself what it likes, as clients of L2TP do",
    )
    psk: PskValue = Field(description=f"the pre-shared key: {secrets.WANTED}")
    group_key: SwitchOrNone = Field(
        default=None,
        description="with a remote that is no single address: several clients have this key and may show one identity; "
        "each is a peer of its own, and none replaces another. false: who comes back from another address or port is "
        "the same peer, and ends its former self. Left out: true where remote_id is left out, too, or any",
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
    selection: Annotated[str, one_of("strict", "narrow")] = Field(
        default="strict",
        description="of the children that do not say it: must a peer ask for exactly their networks (strict), or is "
        "what both have installed (narrow), as for a peer that asks for 0.0.0.0/0 or a supernet?",
    )
    backup_of: Annotated[str | None, parsed(str.strip)] = Field(
        default=None,
        description="another connection: of networks that both have, this peer carries the traffic while that one has "
        "no SAs for them, as when it was found dead. Both may be up",
    )
    give_back: Switch = Field(
        default=True,
        description="with backup_of: does the traffic go back as soon as the other peer can carry it again? false: "
        "when this one no longer can",
    )
    cisco_unity: Switch = Field(default=False, description="send the vendor ID of Cisco Unity")
    updown: UpdownValue = Field(
        default=None,
        description="of the children that do not say it: the program, with its arguments, that is run when one comes "
        "up and when it goes down (docs/hooks.md), for example [/etc/ikevd/updown, --table, 200]; no shell reads it",
    )
    updown_timeout: HookTimeoutValue = Field(
        default=TIMEOUT, description="after which an updown program that has not ended is ended, for example 30s"
    )
    updown_after_restart: Switch = Field(
        default=False,
        description="is updown run for what stands when ikevd takes over after a restart? Else it has done its work "
        "already",
    )
    hook_capabilities: CapabilitiesValue = Field(
        default=(), description="capabilities that updown programs have, for example [net_admin]; left out: none"
    )
    interface: InterfaceOrNone = Field(
        default=None,
        description="route-based: the children protect what is routed to this interface, and nothing else; left out: "
        "policy-based, they protect whatever fits their networks",
    )
    route: RouteOrNone = Field(
        default=None,
        description="policy-based: routes to the remote networks, so that packets of this machine itself go into the "
        "tunnels, and routing daemons know of them; left out: ikevd sets none, packets take the routes that there are",
    )
    mss: Annotated[int | None, number(MIN_MSS, MAX_MSS, words={"auto": AUTO_MSS})] = Field(
        default=None,
        description="TCP connections that are forwarded through the tunnels get this MSS at most, by nftables "
        "(docs/routes.md): a number, or auto (what fits into the tunnel); left out: they are left alone",
    )
    children: Annotated[dict[str, ChildSection], AfterValidator(_not_empty)] = Field(
        description="at least one, with local and remote networks"
    )
