"""Packets of one child, in virtual time: each leaves as the kernel of its sender has it and arrives a while later."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from ikevd.host.policies import Action, Direction
from ikevd.host.sas import SaId
from tests.gateways import Gateway


@dataclass
class Flow:
    """From one gateway to another, ten packets a second. What came of them is counted."""

    sender: Gateway
    receiver: Gateway
    delay: float = 0.01
    octets: int = 1000
    sent: int = 0
    lost: list[float] = field(default_factory=list)
    """When these left."""
    clear: list[float] = field(default_factory=list)
    most: int = 0
    """Pairs of the receiver at one moment."""

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            self.send()
            await asyncio.sleep(0.1)

    def send(self) -> None:
        """One packet, through the SA that the policy out names."""
        loop = asyncio.get_running_loop()
        self.sent += 1
        policies = self.sender.kernel.policies.values()
        out = next((policy for policy in policies if policy.id.direction is Direction.OUT), None)
        if out is None:
            self.clear.append(loop.time())
        elif out.action is Action.BLOCK or out.template is None or out.template.spi is None:
            self.lost.append(loop.time())
        else:
            name = SaId(out.template.destination, out.template.spi)
            loop.call_later(self.delay, self._arrive, name, loop.time())
            if name in self.sender.kernel.sas:
                self.sender.kernel.carry(name, self.octets)

    def _arrive(self, name: SaId, left: float) -> None:
        sas = self.receiver.kernel.sas
        self.most = max(self.most, sum(sa.source == self.receiver.address for sa in sas.values()))
        if name in sas:
            self.receiver.kernel.carry(name, self.octets)
        else:
            self.lost.append(left)
