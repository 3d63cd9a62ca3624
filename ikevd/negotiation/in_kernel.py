"""What stands in the kernel, as two dumps show it."""

from __future__ import annotations

from collections.abc import Iterable

from ikevd.frozen import frozen
from ikevd.host.interface import FoundPolicy, FoundSa, Kernel, KernelPolicy, SaId


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
        return cls.dumped(await kernel.dump_sas(), await kernel.dump_policies())

    @classmethod
    def dumped(cls, sas: Iterable[FoundSa], policies: Iterable[FoundPolicy]) -> InKernel:
        """Sort them."""
        found = cls({}, {})
        for sa in sas:
            found.sas.setdefault(sa.reqid, []).append(sa)
        for policy in policies:
            found.policies.setdefault(policy.reqid, []).append(policy)
        return found

    def of(self, reqid: int) -> tuple[list[SaId], list[KernelPolicy]]:
        """The SAs, but for larval ones, and the policies under one number, which may not be ours alone."""
        sas = [sa.id for sa in self.sas.get(reqid, ()) if not sa.larval]
        return sas, [one.policy for one in self.policies.get(reqid, ()) if one.policy is not None]
