"""What stands in the kernel and is ours, though no store knows it: left by a process whose store is lost, or by one
that was killed between the kernel and its store.

Only for a process that holds the lock and both ports of this network namespace: else another ikevd may own it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from ikevd.frozen import frozen, replace
from ikevd.host import spi_range
from ikevd.host.interface import Action, Direction, FoundPolicy, FoundSa, KernelPolicy, PolicyId, SaId
from ikevd.policy import priorities, reqids


@frozen
class Unknown:
    """Nothing of another program is among it."""

    sas: tuple[FoundSa, ...] = ()
    policies: tuple[FoundPolicy, ...] = ()

    @property
    def blocks(self) -> Iterator[KernelPolicy]:
        """To be put before anything is removed: what these policies sent through their tunnels does not leave in the
        clear while they go."""
        for found in self.policies:
            policy = found.policy
            if policy and policy.action is Action.TUNNEL and found.id.direction is Direction.OUT:
                yield replace(policy, action=Action.BLOCK)


def find_unknown(
    sas: Iterable[FoundSa],
    policies: Collection[FoundPolicy],
    known_sas: Collection[SaId],
    known_policies: Mapping[PolicyId, KernelPolicy],
) -> Unknown:
    """Of two dumps. `known_…`: what is desired or just being made; a policy under another reqid is not the same.

    A policy is ours by its priority, an inbound SA by its SPI, an outbound one, whose SPI is the peer's choice, by the
    reqid of such a policy; an SA also has a reqid of our range. Larval SAs the kernel forgets by itself.
    """
    ours = [found for found in policies if _is_our_policy(found)]
    shared = {found.reqid for found in ours}
    return Unknown(
        tuple(found for found in sas if found.id not in known_sas and _is_our_sa(found, shared)),
        tuple(found for found in ours if not _is_known(found, known_policies)),
    )


def _is_our_policy(found: FoundPolicy) -> bool:
    return priorities.is_ours(found.priority) and (not found.reqid or reqids.is_ours(found.reqid))


def _is_our_sa(found: FoundSa, shared: Collection[int]) -> bool:
    named = spi_range.is_ours(found.id.spi) or found.reqid in shared
    return named and reqids.is_ours(found.reqid) and not found.larval


def _is_known(found: FoundPolicy, known: Mapping[PolicyId, KernelPolicy]) -> bool:
    policy = known.get(found.id)
    return policy is not None and policy.reqid == found.reqid
