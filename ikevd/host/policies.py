"""Policies of a kernel as values: how one is named, made and found, and what it does with a packet."""

from __future__ import annotations

from dataclasses import field
from enum import Enum

from ikevd.addresses import Address
from ikevd.frozen import frozen, replace
from ikevd.policy import reqids
from ikevd.policy.marks import Mark
from ikevd.policy.priorities import is_ours
from ikevd.policy.selectors import Network
from ikevd.sa.model import Spi
from ikevd.wire.registry import Protocol


class Direction(Enum):
    """Of a policy."""

    __hash__ = object.__hash__  # there is one of each, and that of `Enum` takes longer

    IN = "in"
    OUT = "out"
    FWD = "fwd"


@frozen
class PolicyId:
    """What names one policy in the kernel: source and destination of the inner packet, direction, and what the packet
    bears inside this machine."""

    source: Network
    destination: Network
    protocol: int
    source_port: int
    destination_port: int
    direction: Direction
    if_id: int = 0
    """Only of packets that pass XFRM interfaces with this number; 0: of those that pass none."""
    mark: Mark | None = None
    """Only of packets with this mark; None: whatever theirs is."""
    _hash: int = field(init=False, repr=False, compare=False)
    """Made once: that of a network is dear, and a policy is looked up often."""

    def __post_init__(self) -> None:
        ends = int(self.source.network_address), int(self.destination.network_address)
        prefixes = self.source.prefixlen, self.destination.prefixlen
        packets = self.protocol, self.source_port, self.destination_port, self.direction, self.if_id, self.mark
        object.__setattr__(self, "_hash", hash((ends, prefixes, packets)))

    def __hash__(self) -> int:
        return self._hash

    def meets(self, other: PolicyId) -> bool:
        """May one packet match both?"""
        numbers = (
            (self.protocol, other.protocol),
            (self.source_port, other.source_port),
            (self.destination_port, other.destination_port),
        )
        if self.direction is not other.direction or self.if_id != other.if_id:
            return False
        if self.mark is not None and other.mark is not None and not self.mark.meets(other.mark):
            return False
        alike = all(not (one and two) or one == two for one, two in numbers)
        return alike and self.source.overlaps(other.source) and self.destination.overlaps(other.destination)


class Action(Enum):
    """What a policy does with a packet."""

    TUNNEL = "tunnel"
    """Out: sends it through the SA of its template. In and fwd: takes it only if it came through that one. Where no SA
    stands, it drops the packet."""
    BLOCK = "block"
    """Drops it."""
    BYPASS = "bypass"
    """Lets it pass in the clear."""


@frozen
class Template:
    """Through which SAs the packets of a policy go."""

    source: Address
    destination: Address
    reqid: int
    spi: Spi | None = None
    """Out: through exactly this SA; None: through whichever has these ends and this reqid."""
    protocol: Protocol = Protocol.ESP
    """Or AH."""
    transport: bool = False
    """Do they protect packets of the two ends themselves, and no tunnel?"""
    compressed: bool = False
    """Do packets go through an SA of IPComp first, which then makes the tunnel, and ESP protects that? A packet that
    would not get shorter leaves it as it is, but for the tunnel."""
    cpi: Spi | None = None
    """Of that, likewise."""

    @property
    def steps(self) -> tuple[Template, ...]:
        """One for each SA that a packet which leaves goes through, in this order."""
        if not self.compressed:
            return (self,)
        plain = replace(self, compressed=False, cpi=None)
        return replace(plain, spi=self.cpi, protocol=Protocol.IPCOMP), replace(plain, transport=True)


@frozen
class KernelPolicy:
    """One policy. A block bears the template of its child too, so that the kernel shows whose it is."""

    id: PolicyId
    action: Action
    priority: int
    """By `ikevd.policy.priorities`; the smallest number wins."""
    template: Template | None
    """None for what no tunnel carries, BYPASS or BLOCK, which is known as ours by its priority alone."""

    @property
    def reqid(self) -> int:
        """0: it has no template."""
        return self.template.reqid if self.template else 0


@frozen
class FoundPolicy:
    """One policy in a dump."""

    id: PolicyId
    reqid: int
    """Of its first template; 0 where it has none."""
    priority: int
    policy: KernelPolicy | None
    """What `put_policy` would install as this one; None where that has no such form: other protocols, several
    templates."""

    def carries(self, reqid: int) -> bool:
        """Is it ours under just this reqid (0: without a template)?"""
        return self.reqid == reqid and bool(reqid or is_ours(self.priority))

    def belongs_to(self, reqid: int, former: int | None = None) -> bool:
        """Is it that of the child with this reqid (0: of none), one of ours without a template, or one of ours under
        the `former` reqid?"""
        if not self.reqid:
            return is_ours(self.priority)
        return self.reqid == reqid or (self.reqid == former and reqids.is_ours(former) and is_ours(self.priority))
