"""What passes outside of every tunnel, in the kernel from the daemon's start to its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

from ikevd.errors import IkeError
from ikevd.host.interface import Kernel, KernelPolicy, PolicyId
from ikevd.observe.words import say_error


class Outside:
    """Of this machine, not of a peer."""

    def __init__(
        self, kernel: Kernel, policies: Mapping[PolicyId, KernelPolicy], trouble: Callable[[str], None]
    ) -> None:
        self.policies = policies
        self._kernel = kernel
        self._trouble = trouble

    async def put(self) -> None:
        """Before any block stands."""
        for policy in self.policies.values():
            try:
                await self._kernel.put_policy(policy)
            except IkeError as refusal:
                self._trouble(say_error(refusal))

    async def remove(self) -> None:
        """After all that may block has gone. What the kernel refuses is for the next start."""
        for policy in self.policies.values():
            with suppress(IkeError):
                await self._kernel.delete_policy(policy.id, policy.reqid)
