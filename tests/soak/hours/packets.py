"""Packets of one child, one way, between two machines whose processes come and go: counted, lost, or in the clear."""

from __future__ import annotations

import asyncio

from ikevd.addresses import Endpoint, Path
from ikevd.host.policies import Action, Direction, KernelPolicy
from ikevd.host.sas import KernelSa, SaId
from ikevd.policy.child import Child
from tests.soak.machine import MortalMachine

NO_PORT = 0
"""ESP of its own has none."""


class Packets:
    """They take the SA that the sender's policy names, the same network and NAT as IKE, and the SA of that SPI."""

    def __init__(
        self, sender: MortalMachine, receiver: MortalMachine, child: Child, every: float, octets: int, *, watched: bool
    ) -> None:
        """`every`: seconds between two. `watched`: the receiver listens for ESP under SPIs that nobody has."""
        self._ends = sender, receiver
        self._child = child
        self._every, self._octets = every, octets
        self._watched = watched
        self.sent = 0
        self.lost: list[float] = []
        """When they left, since `forget`."""
        self.clear: list[float] = []

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            await asyncio.sleep(self._every)
            self._send()

    def forget(self) -> None:
        """What was lost so far."""
        self.lost.clear()
        self.clear.clear()

    def _send(self) -> None:
        sender, _ = self._ends
        self.sent += 1
        out = self._policy()
        if out is None or out.action is Action.BYPASS:
            self.clear.append(asyncio.get_running_loop().time())
            return
        spi = out.template.spi if out.template else None
        name = SaId(out.template.destination, spi) if out.template and spi else None
        sa = sender.kernel.sas.get(name) if name else None
        if name is None or sa is None:
            sender.kernel.send(out.id)  # a trap asks
            self._is_lost()
        else:
            sender.kernel.carry(name, self._octets)
            self._carry(sa)

    def _policy(self) -> KernelPolicy | None:
        policies = self._ends[0].kernel.policies.values()
        reqid = self._child.reqid
        return next((one for one in policies if one.reqid == reqid and one.id.direction is Direction.OUT), None)

    def _carry(self, sa: KernelSa) -> None:
        sender, receiver = self._ends
        ports = sa.encap or (NO_PORT, NO_PORT)
        path = Path(Endpoint(sa.source, ports[0]), Endpoint(sa.id.destination, ports[1]))
        network = sender.world.network
        back = network.nat.arriving(path) if network.nat and sa.encap else Path(path.remote, path.local)
        arriving = network.deliveries("packets", b"") if back and back.local.address == receiver.address else []
        if back is None or not arriving:
            self._is_lost()
            return
        loop = asyncio.get_running_loop()
        loop.call_later(min(delay for delay, _ in arriving), self._arrive, SaId(receiver.address, sa.id.spi), back)

    def _arrive(self, name: SaId, path: Path) -> None:
        _, receiver = self._ends
        if name in receiver.kernel.sas:
            receiver.kernel.arrive(name, path.remote, self._octets)
            return
        self._is_lost()
        if self._watched and receiver.running:
            receiver.running.engine.stray_esp(path.remote.address, path.local.address, name.spi)

    def _is_lost(self) -> None:
        self.lost.append(asyncio.get_running_loop().time())
