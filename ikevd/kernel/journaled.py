"""A `Kernel` that keeps the journal: noted before it is installed, forgotten after it is removed."""

from __future__ import annotations

import errno
from collections.abc import Sequence

from ikevd.addresses import Address
from ikevd.errors import KernelRefused, MissingPrivilege
from ikevd.host.interface import (
    Counters,
    FoundPolicy,
    FoundSa,
    Kernel,
    KernelEvent,
    KernelPolicy,
    KernelSa,
    Listener,
    PolicyId,
    SaExpired,
    SaId,
)
from ikevd.kernel.journal import Journal
from ikevd.policy.model import EspSuite
from ikevd.sa.model import EspKeys, Spi

_UNKNOWN_OUTCOME = (errno.ETIMEDOUT, errno.ENOBUFS, errno.ECANCELED)


class JournaledKernel:
    """Passes everything on to `kernel`; what stands in the kernel is always in `journal`.

    A reserved SPI is not noted: the kernel forgets it by itself.
    """

    def __init__(self, kernel: Kernel, journal: Journal) -> None:
        self._kernel = kernel
        self._journal = journal
        kernel.on_event(self._heard)

    async def reserve_spi(self, source: Address, destination: Address, reqid: int) -> Spi:
        """See `Kernel.reserve_spi`."""
        return await self._kernel.reserve_spi(source, destination, reqid)

    async def add_sa(self, sa: KernelSa, keys: EspKeys, *, reserved: bool) -> None:
        """See `Kernel.add_sa`."""
        fresh = sa.id not in self._journal.sas
        if fresh:
            self._journal.note_sa(sa.id, sa.reqid)
        try:
            await self._kernel.add_sa(sa, keys, reserved=reserved)
        except (KernelRefused, MissingPrivilege) as error:
            if fresh and _surely_refused(error):
                self._journal.forget_sa(sa.id)
            raise

    async def delete_sa(self, sa: SaId) -> None:
        """See `Kernel.delete_sa`."""
        await self._kernel.delete_sa(sa)
        self._journal.forget_sa(sa)

    async def limit_sa(self, sa: SaId, seconds: int) -> None:
        """See `Kernel.limit_sa`."""
        await self._kernel.limit_sa(sa, seconds)

    async def counters(self, sa: SaId) -> Counters | None:
        """See `Kernel.counters`."""
        return await self._kernel.counters(sa)

    async def put_policy(self, policy: KernelPolicy) -> None:
        """See `Kernel.put_policy`."""
        fresh = policy.id not in self._journal.policies
        if fresh:
            self._journal.note_policy(policy.id, policy.reqid)
        try:
            await self._kernel.put_policy(policy)
        except (KernelRefused, MissingPrivilege) as error:
            if fresh and _surely_refused(error):
                self._journal.forget_policy(policy.id)
            raise

    async def delete_policy(self, policy: PolicyId, reqid: int) -> None:
        """See `Kernel.delete_policy`."""
        await self._kernel.delete_policy(policy, reqid)
        if self._journal.policies.get(policy) == reqid:
            self._journal.forget_policy(policy)

    async def idle_seconds(self, policy: PolicyId) -> float | None:
        """See `Kernel.idle_seconds`."""
        return await self._kernel.idle_seconds(policy)

    async def dump_sas(self) -> Sequence[FoundSa]:
        """See `Kernel.dump_sas`."""
        return await self._kernel.dump_sas()

    async def dump_policies(self) -> Sequence[FoundPolicy]:
        """See `Kernel.dump_policies`."""
        return await self._kernel.dump_policies()

    async def probe(self, suite: EspSuite) -> None:
        """See `Kernel.probe`. The trial SA ends by itself, and is not noted."""
        await self._kernel.probe(suite)

    def on_event(self, listener: Listener) -> None:
        """See `Kernel.on_event`."""
        self._kernel.on_event(listener)

    def _heard(self, event: KernelEvent) -> None:
        if isinstance(event, SaExpired) and event.hard:
            self._journal.forget_sa(event.id)


def _surely_refused(error: KernelRefused | MissingPrivilege) -> bool:
    """Where the answer was lost, the thing may stand: it stays noted."""
    return not (isinstance(error, KernelRefused) and error.errno in _UNKNOWN_OUTCOME)
