"""One pair of traffic selectors, as the file has it: what brings it up, and how it is protected."""

from __future__ import annotations

from dataclasses import field
from enum import Enum

from ikevd.frozen import frozen
from ikevd.policy.child_route import ChildRoute
from ikevd.policy.lives import Lifetime, LifetimeCheck
from ikevd.policy.marks import NO_MARKS, Mark, Marks, WantedMark, resolved
from ikevd.policy.packing import PLAIN, Packing
from ikevd.policy.selectors import TrafficSelector
from ikevd.policy.suites import TRANSPORTS, IpsecSuite
from ikevd.policy.updown import Updown
from ikevd.wire.registry import Protocol


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


class Rekey(Enum):
    """Does this end replace an IPsec SA pair before its lifetime ends?"""

    YES = "yes"
    IF_USED = "if_used"
    """Only one that has carried a packet."""
    NO = "no"
    """Only the peer does."""


class Pfs(Enum):
    """Perfect forward secrecy of a child: a Diffie-Hellman exchange of its own in each Quick Mode."""

    REQUIRED = "required"
    """The group that the suites name, from both sides."""
    OPTIONAL = "optional"
    """Ours as initiator; as responder also a Quick Mode without KE, or with another group."""
    OFF = "off"


class Selection(Enum):
    """What a peer may ask for."""

    STRICT = "strict"
    """Exactly the selectors of a child."""
    NARROW = "narrow"
    """Others, too, that have something in common with them: of these that part is installed."""


@frozen
class Child:
    """One pair of selectors: one Quick Mode."""

    name: str
    reqid: int
    local: TrafficSelector
    remote: TrafficSelector
    suites: tuple[IpsecSuite, ...]
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
    selection: Selection = Selection.STRICT
    routed: bool = False
    """It protects what is routed to the interface of its connection, and nothing else."""
    if_id: int = 0
    """Its policies and SAs are for what passes the XFRM interface with this number; 0: none."""
    mark_in: WantedMark | None = None
    """Its policies for what comes are for packets with this mark, which a VTI or the operator gives; None: for all."""
    mark_out: WantedMark | None = None
    """Its policies for what leaves are for packets with this mark; None: for all."""
    set_mark_in: WantedMark | None = None
    """Its SAs give this mark to what they have unpacked; None: it keeps that of the packet that it came in."""
    set_mark_out: WantedMark | None = None
    """Its SAs give this mark to what they have packed; None: that has the mark of what is in it."""
    packing: Packing = PLAIN
    ipcomp: bool = False
    """Packets are compressed where the peer does so, too."""
    group: str | None = None
    """The entry of the file that makes it and others: `lan` with 2 x 2 subnets makes `lan[1]` to `lan[4]`. None: it is
    the whole entry, and has its name."""

    updown: Updown | None = None
    """Run when it comes up and when it goes down; None: nothing is."""
    route: ChildRoute | None = None
    """Policy-based: how what it protects on the other side is routed; None: ikevd leaves that alone."""

    @property
    def protocol(self) -> Protocol:
        """ESP or AH, as all its suites have it."""
        return self.suites[0].protocol

    @property
    def transport(self) -> bool:
        """Does it protect packets of the two peers themselves, and no tunnel? As all its suites have it."""
        return self.suites[0].mode in TRANSPORTS

    @property
    def marks(self) -> Marks:
        """Of its policies. The gate of a template has no mark of its own: it is for what no client has."""
        if self.mark_in is None and self.mark_out is None:
            return Marks(self.if_id) if self.if_id else NO_MARKS
        own = self.instance or not self.template
        wanted = [each if own or isinstance(each, Mark) else None for each in (self.mark_in, self.mark_out)]
        return Marks(self.if_id, *(resolved(each, self.reqid) for each in wanted))

    @property
    def names(self) -> tuple[str, ...]:
        """What it answers to."""
        return (self.name,) if self.group is None else (self.name, self.group)
