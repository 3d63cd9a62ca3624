"""The networks to connect: the keys of a child, the defaults, and a line on each for editors."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ikevd.config.foreign_words import DSCP_WORDS, MODE_WORDS, OFFLOAD_WORDS, PFS_WORDS, REKEY_WORDS, START_WORDS
from ikevd.config.schema_addresses import ANY_END, LocalSelectorValue, RemoteSelectorValue
from ikevd.config.schema_durations import InactivityValue, LifetimeValue
from ikevd.config.schema_hooks import UpdownValue
from ikevd.config.schema_interface import MAX_NUMBER
from ikevd.config.schema_marks import MarkOrNone, SetMarkOrNone
from ikevd.config.schema_values import (
    MIN_KILOBYTES,
    AhProposal,
    EspProposal,
    OneOrMore,
    Switch,
    SwitchOrNone,
    number,
    one_of,
)
from ikevd.config.section import Section
from ikevd.policy import proposals
from ikevd.policy.packing import WHOLE_MTU
from ikevd.policy.selectors import Dynamic, TrafficSelector
from ikevd.policy.suites import IpsecSuite

DEFAULT_ESP_PROPOSALS = ("aes256-sha256", "aes128-sha256", "aes256-sha1", "aes128-sha1")
OWN: tuple[TrafficSelector, ...] = (Dynamic.of_end(ANY_END),)
"""What a child for the peers themselves has where it names nothing."""
DEFAULT_LIFETIME = 3_600
"""1 h, as Cisco IOS and strongSwan."""


class ChildSection(Section):
    """Networks to connect. Several on either side: one IPsec SA for each pair, named lan[1], lan[2] and so on."""

    mode: Annotated[str, one_of("tunnel", "transport", others=MODE_WORDS)] = Field(
        default="tunnel",
        description="tunnel (for networks) or transport (for the traffic of the two peers themselves, as L2TP and GRE "
        "want it)",
    )
    local: OneOrMore[LocalSelectorValue] = Field(
        default=OWN,
        description="the networks on this side, for example 10.1.0.0/24; with mode: transport `dynamic`, our address "
        "of the SA, or for example dynamic[udp/1701], and it may be left out",
    )
    remote: OneOrMore[RemoteSelectorValue] = Field(
        default=OWN,
        description="the networks on the peer's side, for example 10.2.0.0/24; where peers may come from anywhere also "
        "within 10.3.0.0/16: each gets the part of it that it asks for; with mode: transport as `local`",
    )
    esp_proposals: OneOrMore[EspProposal] = Field(
        default=tuple(map(proposals.parse_esp, DEFAULT_ESP_PROPOSALS)),
        description="best first: cipher-integrity or, with perfect forward secrecy, cipher-integrity-group; of several "
        "groups the responder takes any, and the initiator offers the first; with -esn at the end sequence numbers "
        "of 64 bits",
    )
    ah_proposals: OneOrMore[AhProposal] | None = Field(
        default=None,
        description="in place of esp_proposals, for AH, which encrypts nothing and passes no NAT: integrity or, with "
        "perfect forward secrecy, integrity-group, for example sha256",
    )
    ipcomp: Switch = Field(
        default=False,
        description="true: packets are compressed (IPComp, deflate) before ESP encrypts them, where the peer does so, "
        "too, and ESP does not travel in UDP",
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
    selection: Annotated[str | None, one_of("strict", "narrow")] = Field(
        default=None,
        description="a peer that asks for other networks than these: strict (it is refused, as by Cisco) or narrow "
        "(what both have is installed here, whatever the peer believes; the log says what it will send in vain). "
        "Several children may so have one pair of SAs. In transport mode: the peer may name a protocol or a port that "
        "is left open here; left out: as the connection has it",
    )
    all_traffic: Switch = Field(
        default=False,
        description="true: that local and remote are both every address is meant, though nothing stays outside",
    )
    updown: UpdownValue = Field(
        default=None,
        description="the program that is run when it comes up and when it goes down, with its arguments; none: that of "
        "the connection is not run for it; left out: as the connection has it",
    )
    copy_df: Switch = Field(
        default=True,
        description="true: what leaves has the DF bit of the packet inside; false: none, so that it may be cut on its "
        "way (IPv4)",
    )
    copy_ecn: Switch = Field(
        default=True, description="true: ECN, by which routers tell of congestion, goes into the tunnel and out of it"
    )
    copy_dscp: Annotated[str, one_of("out", "in", "yes", "no", others=DSCP_WORDS)] = Field(
        default="out",
        description="the DSCP, by which routers tell what is urgent: out (what leaves shows that of the packet "
        "inside), in (what comes gets that of the packet around it, and what leaves has 0), yes (both) or no",
    )
    tfc_padding: Annotated[int, number(0, WHOLE_MTU, words={"mtu": WHOLE_MTU})] = Field(
        default=0,
        description="octets to which every packet is filled up before it is encrypted, so that its length tells "
        "nothing, for example 1200, or mtu (as far as the path takes); ESP in tunnel mode alone; 0: none",
    )
    hw_offload: Annotated[str, one_of("no", "crypto", "auto", others=OFFLOAD_WORDS)] = Field(
        default="no",
        description="does the network device encrypt and decrypt: no, crypto (it must; else there is no tunnel) or "
        "auto (where it can)",
    )
    mark: MarkOrNone = Field(
        default=None,
        description="its policies are for packets with this mark alone, as `iptables -j MARK` and SO_MARK give it: "
        "a number, for example 42 or 0x42, if need be with a mask: 0x4200/0xff00; unique: its own reqid, another one "
        "for each client of many, which an updown program finds as PLUTO_MARK_IN and PLUTO_MARK_OUT; left out: for all",
    )
    mark_in: MarkOrNone = Field(default=None, description="in place of `mark`, of what comes")
    mark_out: MarkOrNone = Field(default=None, description="in place of `mark`, of what leaves")
    set_mark_in: SetMarkOrNone = Field(
        default=None,
        description="the mark of what comes once it is unpacked: a number as of `mark`, or same (that of `mark_in` or "
        "`mark`); left out: that of the packet in which it came",
    )
    set_mark_out: SetMarkOrNone = Field(
        default=None,
        description="the mark of what leaves once it is packed, by which it may be routed, likewise; left out: that of "
        "what is packed",
    )
    if_id: Annotated[int | None, number(1, MAX_NUMBER)] = Field(
        default=None,
        description="its policies and SAs are for what passes an XFRM interface with this number, which somebody else "
        "makes, perhaps in another network namespace; left out: none",
    )
    interface: SwitchOrNone = Field(
        default=None,
        description="false: policy-based though its connection has an interface; left out: true where that has one",
    )
    route: SwitchOrNone = Field(
        default=None, description="false: no route to its remote networks; left out: true where its connection has one"
    )
    replay_window: Annotated[int, number(32, 4096, multiple=32, words={"off": 0})] = Field(
        default=128, description="how many packets may overtake one another; off: packets that come twice are let in"
    )

    @property
    def proposals(self) -> tuple[IpsecSuite, ...]:
        """Of ESP or AH."""
        return self.ah_proposals or self.esp_proposals

    @property
    def proposals_key(self) -> str:
        """Where they stand."""
        return "ah_proposals" if self.ah_proposals else "esp_proposals"

    @property
    def transport(self) -> bool:
        """Is it for the two peers themselves?"""
        return self.mode == "transport"
