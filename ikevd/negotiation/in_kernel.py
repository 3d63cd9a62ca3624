"""What stands in the kernel, as two dumps show it."""

from __future__ import annotations

from collections.abc import Iterator

from ikevd.frozen import frozen
from ikevd.host.interface import Kernel
from ikevd.host.policies import FoundPolicy, KernelPolicy
from ikevd.host.sas import FoundSa, SaId, UdpPorts
from ikevd.negotiation.paced import paced


@frozen
class InKernel:
    """Two dumps."""

    sas: dict[int, list[FoundSa]]
    """By reqid."""
    policies: dict[int, list[FoundPolicy]]
    """By reqid."""

    @classmethod
    async def read(cls, kernel: Kernel) -> InKernel:
        """Raises `KernelRefused`."""
        found = cls({}, {})
        async for sa in paced(await kernel.dump_sas()):
            found.sas.setdefault(sa.reqid, []).append(sa)
        async for policy in paced(await kernel.dump_policies()):
            found.policies.setdefault(policy.reqid, []).append(policy)
        return found

    def asked(self) -> Iterator[int]:
        """The numbers under which a packet asks for an SA."""
        return (reqid for reqid, sas in self.sas.items() if any(sa.asked for sa in sas))

    def of(self, reqid: int) -> tuple[dict[SaId, UdpPorts | None], list[KernelPolicy]]:
        """The SAs with their ports of ESP in UDP, but for larval ones, and the policies under one number, which may not
        be ours alone."""
        sas = {sa.id: sa.encap for sa in self.sas.get(reqid, ()) if not sa.larval}
        return sas, [one.policy for one in self.policies.get(reqid, ()) if one.policy is not None]
