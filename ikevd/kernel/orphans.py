"""What a killed daemon left in the kernel: removed at start, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from ikevd.host.interface import Kernel
from ikevd.kernel.journal import Journal
from ikevd.policy.reqids import REQID_FIRST, REQID_LAST


@dataclass(frozen=True, slots=True)
class Orphans:
    """How many were removed."""

    sas: int
    policies: int


async def remove_orphans(kernel: Kernel, journal: Journal) -> Orphans:
    """Remove what stands in the kernel with a reqid of our range and is, with the same reqid, in the journal.

    Call it once at start, before anything is installed; the journal is empty afterwards. Raises
    `KernelRefused` or `MissingPrivilege`; what is not removed then stays in the journal.
    """
    sas = policies = 0
    # SAs first: a policy without its SA stops the packets, an SA without its policy does not.
    for found in await kernel.dump_sas():
        if _ours(found.reqid) and journal.sas.get(found.id) == found.reqid:
            await kernel.delete_sa(found.id)
            sas += 1
    for sa in list(journal.sas):
        journal.forget_sa(sa)
    for policy in await kernel.dump_policies():
        if _ours(policy.reqid) and journal.policies.get(policy.id) == policy.reqid:
            await kernel.delete_policy(policy.id, policy.reqid)
            policies += 1
    for key in list(journal.policies):
        journal.forget_policy(key)
    return Orphans(sas, policies)


def _ours(reqid: int) -> bool:
    return REQID_FIRST <= reqid <= REQID_LAST
