"""A host behind Alice pings one behind Bob, in virtual time, over a path that may drop ESP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from ikevd.host.policies import Direction
from ikevd.host.sas import KernelSa, SaId
from tests.gateways import Gateway

Passes = Callable[[str, KernelSa], bool]
"""Does a packet of this SA pass, sent by `alice` or `bob`?"""


def only_in_udp(sender: str, sa: KernelSa) -> bool:
    """ESP as a protocol of its own is dropped, both ways."""
    return sa.encap is not None


def not_in_udp(sender: str, sa: KernelSa) -> bool:
    """ESP passes only as a protocol of its own."""
    return sa.encap is None


def no_esp_from_bob(sender: str, sa: KernelSa) -> bool:
    """Likewise on the way to Alice alone."""
    return sender == "alice" or sa.encap is not None


def nothing(sender: str, sa: KernelSa) -> bool:
    """Not in UDP either."""
    return False


def everything(sender: str, sa: KernelSa) -> bool:
    """A path as it should be."""
    return True


@dataclass
class Pings:
    """One each second; each is answered at once, if it comes."""

    alice: Gateway
    bob: Gateway
    passes: Passes
    every: float = 1.0
    sent: list[float] = field(default_factory=list)
    back: list[float] = field(default_factory=list)
    """When an answer came."""

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            self.sent.append(asyncio.get_running_loop().time())
            if self._carry("alice", self.alice, self.bob) and self._carry("bob", self.bob, self.alice):
                self.back.append(self.sent[-1])
            await asyncio.sleep(self.every)

    def _carry(self, sender: str, here: Gateway, there: Gateway) -> bool:
        """Does it leave, pass, and meet an inbound SA of that form?"""
        policies = (policy for policy in here.kernel.policies.values() if policy.id.direction is Direction.OUT)
        template = next((policy.template for policy in policies if policy.template), None)
        if template is None or template.spi is None:
            return False
        name = SaId(template.destination, template.spi)
        sa = here.kernel.sas[name]
        here.kernel.carry(name, 84)
        met = there.kernel.sas.get(name) if self.passes(sender, sa) else None
        if met is None or (met.encap is None) != (sa.encap is None):
            return False
        there.kernel.carry(name, 84)
        return True
