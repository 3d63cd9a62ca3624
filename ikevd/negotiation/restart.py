"""What an earlier process left in the kernel, and what of it nobody knows any more."""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Mapping

from ikevd.crypto.secret import Secret
from ikevd.errors import IkeError
from ikevd.frozen import frozen
from ikevd.host.interface import FoundPolicy, FoundSa, Kernel, KernelPolicy, PolicyId, SaId
from ikevd.host.unknown import Unknown, find_unknown
from ikevd.observe.words import say_error
from ikevd.peer.state import PeerState
from ikevd.policy.model import Child, Connection, Location, PreSharedKey, Resend, Start

MAX_NAMED = 50
"""Objects that are named in the log."""
NOWHERE = Location("the store", 0, 0)


@frozen
class InKernel:
    """Two dumps."""

    sas: Mapping[int, list[FoundSa]]
    """By reqid."""
    policies: Mapping[int, list[FoundPolicy]]
    """By reqid."""

    @classmethod
    async def read(cls, kernel: Kernel) -> InKernel:
        """Raises `KernelRefused`."""
        sas: dict[int, list[FoundSa]] = {}
        policies: dict[int, list[FoundPolicy]] = {}
        for sa in await kernel.dump_sas():
            sas.setdefault(sa.reqid, []).append(sa)
        for policy in await kernel.dump_policies():
            policies.setdefault(policy.reqid, []).append(policy)
        return cls(sas, policies)

    def of(self, reqid: int) -> tuple[list[SaId], list[KernelPolicy]]:
        """The SAs, but for larval ones, and the policies under one number."""
        sas = [sa.id for sa in self.sas.get(reqid, ()) if not sa.larval]
        return sas, [one.policy for one in self.policies.get(reqid, ()) if one.policy is not None]

    def unknown(self, sas: Collection[SaId], policies: Mapping[PolicyId, KernelPolicy]) -> Unknown:
        """What is ours and not among these, which are known."""
        found_sas = [sa for found in self.sas.values() for sa in found]
        return find_unknown(found_sas, [one for found in self.policies.values() for one in found], sas, policies)


async def remove(kernel: Kernel, unknown: Unknown) -> list[str]:
    """Take away what nobody knows; what was done, in words. The selectors are blocked first, so that nothing leaves in
    the clear meanwhile."""
    said: list[str] = []
    for block in unknown.blocks:
        await _trying(kernel.put_policy(block), f"block {block.id.source} -> {block.id.destination}", [])
    for sa in unknown.sas:
        await _trying(kernel.delete_sa(sa.id), f"ESP SA {sa.id.spi} to {sa.id.destination}, reqid {sa.reqid:#x}", said)
    for policy in unknown.policies:
        name = policy.id
        what = f"{name.direction.value} policy {name.source} -> {name.destination}, reqid {policy.reqid:#x}"
        await _trying(kernel.delete_policy(name, policy.reqid), what, said)
    if len(said) > MAX_NAMED:
        said[MAX_NAMED:] = [f"{len(said) - MAX_NAMED} more that an earlier ikevd left and nobody knows"]
    return said


async def _trying(step: Awaitable[None], what: str, said: list[str]) -> None:
    try:
        await step
    except IkeError as refusal:
        said.append(say_error(refusal))
    else:
        said.append(f"removed what an earlier ikevd left and nobody knows: {what}")


def former_connection(state: PeerState) -> Connection | None:
    """A connection for a peer whose own is changed or gone from the file: enough to say Delete and to remove its SAs.
    None where no ISAKMP SA is left to say anything under."""
    isakmp = next(reversed(tuple(state.isakmp.values())), None)
    if isakmp is None:
        return None
    sa = isakmp.sa
    children = [
        Child(
            name,
            pair.sa.reqid,
            pair.sa.local_selector,
            pair.sa.remote_selector,
            (pair.sa.suite,),
            pair.sa.lifetime,
            Start.MANUAL,
            fail_open=True,
        )
        for name, child in state.children.items()
        for pair in child.pairs[-1:]
    ]
    return Connection(
        name=sa.connection,
        local=isakmp.path.local.address,
        remote=isakmp.path.remote.address,
        local_id=sa.local_id,
        remote_id=sa.remote_id,
        psk=PreSharedKey(Secret(b""), "none: its connection is gone from the file"),
        suites=(sa.suite,),
        lifetime=sa.lifetime,
        children=tuple(children),
        resend=Resend(),
        location=NOWHERE,
    )
