"""The kernel of a machine with XFRM but without ESP: it has policies and larval SAs; the SAs are in memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ikevd.host.policies import FoundPolicy, KernelPolicy, PolicyId
from ikevd.host.sas import FoundSa, KernelSa
from ikevd.kernel.adapter import XfrmKernel
from ikevd.kernel.memory import MemoryKernel
from ikevd.sa.model import EspKeys

LARVAL_SECONDS = Path("/proc/sys/net/core/xfrm_acq_expires")


class KernelWithoutEsp(MemoryKernel):
    """Each SA has a larval one beside it in the kernel, so that a dump takes the kernel's time and ours to read it."""

    def __init__(self) -> None:
        super().__init__()
        LARVAL_SECONDS.write_text("3600")
        self._xfrm = XfrmKernel()

    async def add_sa(self, sa: KernelSa, keys: EspKeys, *, reserved: bool) -> None:
        await super().add_sa(sa, keys, reserved=reserved)
        await self._xfrm.reserve_spi(sa.source, sa.destination, sa.reqid)

    async def dump_sas(self) -> Sequence[FoundSa]:
        await self._xfrm.dump_sas()
        return await super().dump_sas()

    async def put_policy(self, policy: KernelPolicy, *, former: int | None = None) -> None:
        await self._xfrm.put_policy(policy, former=former)

    async def delete_policy(self, policy: PolicyId, reqid: int) -> None:
        await self._xfrm.delete_policy(policy, reqid)

    async def idle_seconds(self, policy: PolicyId) -> float | None:
        return await self._xfrm.idle_seconds(policy)

    async def dump_policies(self) -> Sequence[FoundPolicy]:
        return await self._xfrm.dump_policies()

    def close(self) -> None:
        self._xfrm.close()
