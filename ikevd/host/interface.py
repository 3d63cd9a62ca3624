"""The port to the kernel of this machine. Implemented by `kernel/` and, for tests and dry runs, in memory.

All calls raise `ikevd.errors.KernelRefused` (or `MissingPrivilege`) and leave the kernel unchanged on error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field
from enum import Enum
from typing import NamedTuple, Protocol

from ikevd.addresses import Address, Endpoint
from ikevd.frozen import frozen
from ikevd.policy import reqids
from ikevd.policy.lives import Lifetime
from ikevd.policy.priorities import is_ours
from ikevd.policy.selectors import Network
from ikevd.policy.suites import EspSuite
from ikevd.sa.model import EspKeys, Spi


class Direction(Enum):
    """Of a policy."""

    IN = "in"
    OUT = "out"
    FWD = "fwd"


@frozen
class SaId:
    """What names one ESP SA in the kernel."""

    destination: Address
    spi: Spi

    def __hash__(self) -> int:
        """SPIs are random, and the hash of an address is dear."""
        return hash(self.spi)


class UdpPorts(NamedTuple):
    """Of one direction."""

    source: int
    destination: int


@frozen
class KernelSa:
    """One ESP SA in tunnel mode, one direction, without its keys."""

    source: Address
    destination: Address
    spi: Spi
    reqid: int
    suite: EspSuite
    lifetime: Lifetime
    replay_window: int
    encap: UdpPorts | None = None
    """The UDP ports of source and destination where ESP travels in UDP (RFC 3948)."""
    icv_bits: int | None = None
    """Length of the integrity check value where it is not the usual one of the suite (96 for old HMAC-SHA-256)."""
    soft_kilobytes: int | None = None
    """The volume at which the kernel tells that its end comes near; None: it does not."""

    @property
    def id(self) -> SaId:
        return SaId(self.destination, self.spi)


@frozen
class PolicyId:
    """What names one policy in the kernel: source and destination of the inner packet, and direction."""

    source: Network
    destination: Network
    protocol: int
    source_port: int
    destination_port: int
    direction: Direction
    _hash: int = field(init=False, repr=False, compare=False)
    """Made once: that of a network is dear, and a policy is looked up often."""

    def __post_init__(self) -> None:
        ends = int(self.source.network_address), int(self.destination.network_address)
        prefixes = self.source.prefixlen, self.destination.prefixlen
        packets = self.protocol, self.source_port, self.destination_port, self.direction
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
        alike = self.direction is other.direction and all(not (one and two) or one == two for one, two in numbers)
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
    """The ESP tunnel of a policy."""

    source: Address
    destination: Address
    reqid: int
    spi: Spi | None = None
    """Out: through exactly this SA; None: through whichever has these ends and this reqid."""


@frozen
class KernelPolicy:
    """One policy. A block bears the template of its child too, so that the kernel shows whose it is."""

    id: PolicyId
    action: Action
    priority: int
    """By `ikevd.policy.priorities`; the smallest number wins."""
    template: Template | None
    """None for BYPASS, which is known as ours by its priority alone."""

    @property
    def reqid(self) -> int:
        """0: it has no template."""
        return self.template.reqid if self.template else 0


@frozen
class Counters:
    """What one SA carried, and what it refused on arrival."""

    octets: int
    packets: int
    replayed: int = 0
    """Packets that came twice, or too late for the replay window."""
    forged: int = 0
    """Packets whose integrity check failed: another key, another truncation, or altered on the way."""


@frozen
class FoundSa:
    """One ESP SA in a dump; `larval` when only its SPI is reserved or, with SPI 0, when a packet has asked for it."""

    id: SaId
    source: Address
    reqid: int
    larval: bool
    counters: Counters
    encap: UdpPorts | None = None
    ends_in: float | None = None
    """Seconds until its hard time limit; None where it has none."""

    @property
    def asked(self) -> bool:
        """Does a packet ask for it?"""
        return self.larval and not self.id.spi


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


# -- what the kernel says unasked. What this process did itself is not told, only what others did or time.


@frozen
class SaExpired:
    """The kernel ended an SA (`hard`), or says that its soft limit is reached."""

    id: SaId
    reqid: int
    hard: bool


@frozen
class SaMapped:
    """A packet of the peer came by an inbound SA of ESP in UDP, authenticated, but not from where the SA has its peer.
    Told once a second for each SA and port where the kernel can count (Linux 5.17), else for each packet."""

    id: SaId
    reqid: int
    now: Endpoint


@frozen
class SaRemoved:
    """Somebody removed an SA before its time."""

    id: SaId
    reqid: int


@frozen
class SasFlushed:
    """Somebody removed all SAs."""


@frozen
class PolicyChanged:
    """Somebody installed a policy of that selector, or changed the one that stood. Whose it was is not told."""

    id: PolicyId


@frozen
class PolicyRemoved:
    """Somebody removed the policy of that selector."""

    id: PolicyId


@frozen
class PoliciesFlushed:
    """Somebody removed all policies."""


@frozen
class WaysChanged:
    """Addresses, links or routes of this machine are others now; which is not told."""


@frozen
class Lost:
    """Some of these were lost, since too many came at once (ENOBUFS): only a dump tells what stands."""


@frozen
class Packet:
    """What the kernel tells of a packet that waits for an SA."""

    source: Address
    destination: Address
    protocol: int
    port: int
    """Of its destination; 0: its protocol has none."""


@frozen
class SaAsked:
    """A packet has met a tunnel that has no SA (XFRM_MSG_ACQUIRE). The kernel keeps a larval SA with SPI 0 for it, and
    asks for no second one under this reqid until that ends, 30 s later, or makes way for an SA that is installed."""

    reqid: int
    packet: Packet | None = None
    """None: it was asked for before anybody listened."""


SaEvent = SaExpired | SaMapped | SaRemoved | SaAsked | SasFlushed
PolicyEvent = PolicyChanged | PolicyRemoved | PoliciesFlushed
KernelEvent = SaEvent | PolicyEvent | WaysChanged | Lost
Listener = Callable[[KernelEvent], None]


class Kernel(Protocol):
    """The IPsec side of a kernel."""

    async def reserve_spi(self, source: Address, destination: Address, reqid: int) -> Spi:
        """Reserve an inbound SPI (XFRM_MSG_ALLOCSPI). The kernel forgets it after 30 s."""

    async def add_sa(self, sa: KernelSa, keys: EspKeys, *, reserved: bool) -> None:
        """Install an SA under these keys. `reserved`: fill the larval SA of `reserve_spi` (UPDSA), be it of an
        earlier process, or, where it has expired meanwhile (ESRCH), a new one."""

    async def delete_sa(self, sa: SaId) -> None:
        """Remove an SA, larval or not. One that is gone already is no error."""

    async def limit_sa(self, sa: SaId, seconds: int) -> None:
        """Let the SA end that many seconds from now, whatever its limit was; its sequence numbers go on. One that is
        gone already is no error. Raises `KeysWithheld` where the kernel is locked down."""

    async def change_ports(self, sa: SaId, ports: UdpPorts) -> None:
        """Let an SA of ESP in UDP have these ports; its sequence numbers, its replay window and its limits go on. One
        that is gone already is no error. Raises `KeysWithheld` where the kernel is locked down."""

    async def move_sa(self, sa: SaId, to: KernelSa) -> None:
        """Let an SA of ESP in UDP have the ends of `to`, which has the same SPI. Its sequence numbers go on further up,
        its replay window, limits and counters as they are; packets of these moments are lost. Nothing must be sent
        through it meanwhile. Raises `KernelRefused` also where it is gone, and where it is gone since.

        The one exception to "never again under its keys": its inbound half cannot be added beside the old one (EEXIST:
        same destination and SPI), and XFRM_MSG_MIGRATE would have two outbound SAs of one number space for a moment."""

    async def counters(self, sa: SaId) -> Counters | None:
        """What the SA carried so far, or None where it is gone."""

    async def put_policy(self, policy: KernelPolicy, *, former: int | None = None) -> None:
        """Install a policy, or turn the one of that selector into it if it is ours: if it has the same reqid or,
        without a template, a priority of ours. `former`: it may also stand under this reqid of ours, whose holder has
        no use for it any more. Two policies of one selector never stand side by side, whatever their
        actions and priorities: another owner's is refused (EEXIST)."""

    async def delete_policy(self, policy: PolicyId, reqid: int) -> None:
        """Remove a policy that carries this reqid of ours; 0 names one of ours without a template. One that is gone
        already is no error."""

    async def idle_seconds(self, policy: PolicyId) -> float | None:
        """Seconds since the last packet that the policy let pass, in whole seconds of the kernel; None where there was
        none since it was installed, or where it is gone."""

    async def dump_sas(self) -> Sequence[FoundSa]:
        """All ESP SAs of this network namespace, whoever installed them."""

    async def dump_policies(self) -> Sequence[FoundPolicy]:
        """All policies of this network namespace that a `PolicyId` names, whoever installed them: not those of sockets,
        nor those for one interface, user or mark."""

    async def probe(self, suite: EspSuite) -> None:
        """Install and remove a trial SA: raises `KernelRefused` where this kernel cannot run the suite."""

    def has_address(self, address: Address) -> bool:
        """Is a packet to it for this machine?"""

    def on_event(self, listener: Listener) -> None:
        """Call `listener` for every change that this process did not make: of SAs in our reqid range (a reserved SPI
        is none), of policies of whatever owner, and of addresses, links and routes. It is a hint, never the state: what
        stands is read anew."""
