"""What passes outside of every tunnel, and what is dropped, in the kernel from the daemon's start to its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from contextlib import suppress

from ikevd.errors import IkeError, PolicyTaken
from ikevd.host.interface import Kernel
from ikevd.host.policies import KernelPolicy, PolicyId
from ikevd.negotiation.in_kernel import InKernel
from ikevd.observe.words import say_error
from ikevd.policy.priorities import is_ours


class Outside:
    """Of this machine, not of a peer."""

    def __init__(
        self, kernel: Kernel, policies: Mapping[PolicyId, KernelPolicy], trouble: Callable[[str], None]
    ) -> None:
        self.policies = policies
        self._kernel = kernel
        self._trouble = trouble
        self._said: set[str] = set()
        """What was told of them already."""
        self.lacks = False
        """Has the kernel refused one for want of something, so that it may take it the next time?"""

    async def put(self, turned: Mapping[PolicyId, KernelPolicy]) -> None:
        """Before any block stands. `turned`: what stands where ours shall, under a reqid that ikevd has no use for any
        more."""
        self.lacks = False
        for policy in self.policies.values():
            await self._put(policy, turned.get(policy.id))

    async def change(self, policies: Mapping[PolicyId, KernelPolicy], turned: Mapping[PolicyId, KernelPolicy]) -> None:
        """These shall stand from here on; those that shall not any more are removed elsewhere. `turned`: see `put`."""
        former, self.policies = self.policies, policies
        for name, policy in policies.items():
            if former.get(name) != policy:
                await self._put(policy, turned.get(name))

    async def remove(self) -> None:
        """After all that may block has gone, unless another ikevd of this network namespace still has blocks. What the
        kernel refuses is for the next start."""
        with suppress(IkeError):
            found = await self._kernel.dump_policies()
            if any(is_ours(policy.priority) and policy.id not in self.policies for policy in found):
                return
        for policy in self.policies.values():
            with suppress(IkeError):
                await self._kernel.delete_policy(policy.id, policy.reqid)

    def concerned(self, names: Set[PolicyId]) -> bool:
        """Is one of these among them?"""
        return not names.isdisjoint(self.policies)

    async def put_back(self, found: InKernel) -> None:
        """What somebody removed or changed, however often, or the kernel refused: a block may stand below it."""
        self.lacks = False
        standing = {one.id: one.policy for one in found.policies.get(0, ())}
        for name, policy in self.policies.items():
            if standing.get(name) != policy:
                await self._put(policy)

    async def _put(self, policy: KernelPolicy, turned: KernelPolicy | None = None) -> None:
        try:
            await self._kernel.put_policy(policy, former=turned.reqid if turned else None)
        except IkeError as refusal:
            self.lacks |= not isinstance(refusal, PolicyTaken)
            text = say_error(refusal)
            if text not in self._said:
                self._said.add(text)
                self._trouble(text)
