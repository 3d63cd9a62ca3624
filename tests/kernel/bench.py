"""What the contract of a kernel is tried on."""

from contextlib import AbstractContextManager
from typing import Protocol

from ikevd.host.events import KernelEvent, WaysChanged
from ikevd.host.interface import Kernel
from ikevd.host.policies import KernelPolicy, PolicyId
from ikevd.host.sas import SaId


class Bench(Protocol):
    """A kernel and what happens to it from outside."""

    @property
    def kernel(self) -> Kernel:
        """Empty at first."""

    def shorten_reservations(self) -> float:
        """Seconds after which an SPI that is reserved from now on is forgotten; otherwise thirty."""

    async def pass_time(self, seconds: float) -> None:
        """Let time pass, and the kernel act on it."""

    def without_blowfish(self) -> AbstractContextManager[None]:
        """For a while the kernel lacks the cipher."""

    def successor(self) -> Kernel:
        """What a new process has of this kernel."""

    def send(self, policy: PolicyId) -> None:
        """A packet meets the out policy."""

    def remove_sa(self, sa: SaId) -> None:
        """Another program removes an SA."""

    def remove_policy(self, policy: PolicyId) -> None:
        """Another program removes a policy."""

    def change_policy(self, policy: KernelPolicy) -> None:
        """Another program changes the policy of that selector, or installs it."""

    def flush_sas(self) -> None:
        """Another program removes all SAs."""

    def flush_policies(self) -> None:
        """Another program removes all policies."""

    def plant_sa(self, sa: SaId, reqid: int) -> None:
        """Another program installs an SA."""

    def plant_policy(self, policy: PolicyId, reqid: int) -> None:
        """Another program installs a policy."""

    def plant_block(self, policy: PolicyId, priority: int) -> None:
        """Another program installs a block without a template."""


def told_by(kernel: Kernel) -> list[KernelEvent]:
    """What it tells of SAs and policies from here on. Of ways nobody here asks: a link of a new namespace changes for a
    second or two by itself."""
    told: list[KernelEvent] = []
    kernel.on_event(lambda event: None if isinstance(event, WaysChanged) else told.append(event))
    return told
