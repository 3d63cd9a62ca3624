"""What stands in the kernel and is ours, though no store knows it: left by a process whose store is lost, or by one
that was killed between the kernel and its store.

Only for a process that holds the lock and both ports of this network namespace: else another ikevd may own it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ikevd.frozen import frozen, replace
from ikevd.host import spi_range
from ikevd.host.policies import Action, Direction, FoundPolicy, KernelPolicy
from ikevd.host.sas import FoundSa
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


def is_our_policy(found: FoundPolicy) -> bool:
    """By its priority, under no reqid but ours."""
    return priorities.is_ours(found.priority) and (not found.reqid or reqids.is_ours(found.reqid))


def is_our_sa(found: FoundSa, shared: Collection[int]) -> bool:
    """An inbound one by its SPI, an outbound one, whose SPI is the peer's choice, by the reqid of a policy of ours
    (`shared`); it also has a reqid of our range. Larval ones the kernel forgets by itself."""
    named = spi_range.is_ours(found.id.spi) or found.reqid in shared
    return named and reqids.is_ours(found.reqid) and not found.larval
