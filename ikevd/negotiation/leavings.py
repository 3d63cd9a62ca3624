"""What an earlier process left in the kernel: what of it is turned, what goes, and what nobody knows any more.

What the store names is ours, exactly that: an SA by its SPI, a policy by its selector and reqid, unless its tunnel ends
where none of ours ever did, as of a connection that has moved to another ikevd. What stands under a reqid that the
store names is ours as well, but only where no other ikevd can have an end of a tunnel, since connections of one name
have one reqid. The rest that bears our marks is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ikevd.addresses import Address
from ikevd.errors import IkeError
from ikevd.frozen import frozen, replace
from ikevd.host.interface import Kernel
from ikevd.host.policies import Direction, FoundPolicy, KernelPolicy, PolicyId
from ikevd.host.sas import FoundSa, SaId
from ikevd.host.unknown import Unknown, is_our_policy, is_our_sa
from ikevd.negotiation.apply import tried
from ikevd.negotiation.in_kernel import InKernel
from ikevd.negotiation.paced import paced
from ikevd.peer.desired import policies_of_pair
from ikevd.peer.state import PeerState
from ikevd.policy import reqids
from ikevd.policy.settings import Listen
from ikevd.store.interface import Placed, PlacedPolicy

MAX_NAMED = 50
"""Objects that are named in the log."""
REMOVED = "removed what an earlier ikevd left and nobody knows"


@frozen
class Ground:
    """Where no other ikevd can have an end of a tunnel, since both ports of IKE are ours."""

    addresses: tuple[Address, ...] = ()
    everywhere: bool = True

    @classmethod
    def of(cls, listen: Listen, port: int, nat_port: int) -> Ground:
        """`port`, `nat_port`: those of the sockets."""
        if (port, nat_port) != (500, 4500) or listen.vrf:  # another VRF may have another ikevd
            return cls((), everywhere=False)
        return cls(listen.addresses, everywhere=not listen.addresses)

    def holds(self, *ends: Address) -> bool:
        """Is one of these ends there?"""
        return self.everywhere or any(end in self.addresses for end in ends)

    def has(self, bypass: PolicyId) -> bool:
        """Is no other ikevd concerned, since it is of one of these ends alone?"""
        hosts = [one for one in (bypass.source, bypass.destination) if one.prefixlen == one.max_prefixlen]
        return self.holds(*(host.network_address for host in hosts))


@dataclass(slots=True)
class Known:
    """What the store tells."""

    ground: Ground = field(default_factory=Ground)
    sas: set[SaId] = field(default_factory=set)
    policies: set[PlacedPolicy] = field(default_factory=set)
    reqids: set[int] = field(default_factory=set)
    ends: set[Address] = field(default_factory=set)
    """Where tunnels of the earlier processes ended here."""
    taken_sas: set[SaId] = field(default_factory=set)
    """What sessions have taken over already, which is theirs to keep or to remove."""
    taken_policies: set[PlacedPolicy] = field(default_factory=set)

    def take(self, believed: Iterable[tuple[int, Iterable[SaId], Iterable[PolicyId]]]) -> None:
        """A session has taken over these, child by child: reqid, SAs, policies."""
        for reqid, sas, policies in believed:
            self.reqids.add(reqid)
            self.taken_sas.update(sas)
            self.taken_policies.update(PlacedPolicy(name, reqid) for name in policies)

    def add_former(self, state: PeerState) -> None:
        """A peer whose connection has changed, or is gone from the file."""
        sas = [pair.sa for child in state.children.values() for pair in child.pairs]
        borrowed = [pair.sa for child in state.children.values() for pair in child.borrowed]
        self.ends.update(isakmp.path.local.address for isakmp in state.isakmp.values())
        for sa in sas:
            self.reqids.add(sa.reqid)
            self.ends.add(sa.local)
            self.sas.update(SaId(sa.local, spi) for spi in sa.inbound_spis)
            self.sas.update(SaId(sa.remote, spi) for spi in sa.outbound_spis)
        for sa in (*sas, *borrowed):  # an SA that is borrowed is its own child's
            self.policies.update(PlacedPolicy(name, sa.reqid) for name in policies_of_pair(sa))

    def add_placed(self, placed: Iterable[Placed]) -> None:
        """What the file asked for, or was still to be removed."""
        for one in placed:
            self.sas.update(one.sas)
            self.policies.update(one.policies)
            self.ends.update(one.ends)
            self.reqids.update(policy.reqid for policy in one.policies if policy.reqid)

    def has_sa(self, found: FoundSa) -> bool:
        """Is that ours, and of no use any more?"""
        if found.larval or not reqids.is_ours(found.reqid) or found.id in self.taken_sas:
            return False
        return found.id in self.sas or (
            found.reqid in self.reqids and self.ground.holds(found.source, found.id.destination)
        )

    def has_policy(self, found: FoundPolicy) -> bool:
        """Is that ours?"""
        if not is_our_policy(found):
            return False
        names = (found.id, replace(found.id, if_id=0, mark=None))  # a former record does not tell of an interface
        if any(PlacedPolicy(name, found.reqid) in self.policies for name in names):
            return not self._is_moved(found)
        template = found.policy.template if found.policy else None
        return (
            found.reqid in self.reqids
            and template is not None
            and self.ground.holds(template.source, template.destination)
        )

    def _is_moved(self, found: FoundPolicy) -> bool:
        """Does its tunnel end where none of ours did?"""
        template = found.policy.template if found.policy else None
        if template is None:
            return False
        end = template.source if found.id.direction is Direction.OUT else template.destination
        return not (end.is_unspecified or end in self.ends or self.ground.holds(end))


@dataclass(slots=True)
class Leavings:
    """What becomes of it."""

    turned: dict[PolicyId, KernelPolicy] = field(default_factory=dict)
    """Where one of ours shall stand under another reqid."""
    sas: list[SaId] = field(default_factory=list)
    """Known, and to be removed."""
    policies: list[PlacedPolicy] = field(default_factory=list)
    """Known, and to be removed."""
    shared: list[PlacedPolicy] = field(default_factory=list)
    """Bypasses that another ikevd may have as well: they stay."""
    ends: frozenset[Address] = frozenset()
    """See `Known`."""
    unknown: Unknown = field(default_factory=Unknown)

    def add(self, more: Leavings) -> None:
        """All that another judgement found."""
        self.turned |= more.turned
        self.sas += more.sas
        self.policies += more.policies
        self.shared += more.shared
        self.ends |= more.ends
        self.unknown = Unknown((*self.unknown.sas, *more.unknown.sas), (*self.unknown.policies, *more.unknown.policies))


async def judge(
    found: InKernel, known: Known, wanted: Mapping[PolicyId, KernelPolicy], *, unknown_too: bool
) -> Leavings:
    """`wanted`: what shall stand. `unknown_too`: may what bears our marks be turned or removed, though no store knows
    it?"""
    left, unsure, shared, others = Leavings(ends=frozenset(known.ends)), list[FoundPolicy](), set[int](), False
    async for policy in paced(one for some in found.policies.values() for one in some):
        if not is_our_policy(policy):
            continue
        shared.add(policy.reqid)
        name = PlacedPolicy(policy.id, policy.reqid)
        if name in known.taken_policies:
            continue
        shall = wanted.get(policy.id)
        if shall is not None and shall.reqid == policy.reqid:
            continue
        has = known.has_policy(policy)
        if shall is not None and policy.policy is not None and (has or unknown_too):
            left.turned[policy.id] = policy.policy
        elif has and shall is None:
            left.policies.append(name)
        elif shall is None:
            unsure.append(policy)
        others |= not has and bool(policy.reqid)
    if others:
        left.shared = [name for name in left.policies if not name.reqid and not known.ground.has(name.id)]
        left.policies = [name for name in left.policies if name not in left.shared]
    strangers = list[FoundSa]()
    async for sa in paced(one for some in found.sas.values() for one in some):
        if known.has_sa(sa):
            left.sas.append(sa.id)
        elif sa.id not in known.taken_sas and is_our_sa(sa, shared):
            strangers.append(sa)
    if unknown_too:
        left.unknown = Unknown(tuple(strangers), tuple(unsure))
    return left


async def remove_known(kernel: Kernel, left: Leavings) -> list[IkeError]:
    """Take away what is of no use any more. Why the kernel refused what of it is still left."""
    refusals: list[IkeError] = []
    left.sas = [name async for name in paced(left.sas) if not await tried(kernel.delete_sa(name), refusals)]
    removals = ((policy, kernel.delete_policy(policy.id, policy.reqid)) for policy in left.policies)
    left.policies = [policy async for policy, removal in paced(removals) if not await tried(removal, refusals)]
    return refusals


async def remove_unknown(kernel: Kernel, unknown: Unknown, refusals: list[IkeError]) -> tuple[list[str], Unknown]:
    """Take away what nobody knows. What was done, in words, and what is still left: why goes to `refusals`. The
    selectors are blocked first, so that nothing leaves in the clear meanwhile."""
    said: list[str] = []
    sas, policies = list[FoundSa](), list[FoundPolicy]()
    async for block in paced(unknown.blocks):
        await tried(kernel.put_policy(block), [])
    async for sa in paced(unknown.sas):
        if await tried(kernel.delete_sa(sa.id), refusals):
            said.append(f"{REMOVED}: {sa.id.spi.protocol} SA {sa.id.spi} to {sa.id.destination}, reqid {sa.reqid:#x}")
        else:
            sas.append(sa)
    async for policy in paced(unknown.policies):
        name = policy.id
        if await tried(kernel.delete_policy(name, policy.reqid), refusals):
            what = f"{name.direction.value} policy {name.source} -> {name.destination}, reqid {policy.reqid:#x}"
            said.append(f"{REMOVED}: {what}")
        else:
            policies.append(policy)
    if len(said) > MAX_NAMED:
        said[MAX_NAMED:] = [f"{len(said) - MAX_NAMED} more that an earlier ikevd left and nobody knows"]
    return said, Unknown(tuple(sas), tuple(policies))
