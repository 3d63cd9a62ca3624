"""No kill cuts a tunnel or lets anything leave in the clear: looks at both kernels whenever one of them has changed.

A child is *served* while both ends know a pair as standing and both kernels hold it: both SAs under the same keys, none
of them installed a second time, and the policies out on both machines lead into a tunnel. From then on it must be
served at each moment, by this pair or by another one, until the last of them has reached the end of its life or
somebody has taken the child down.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ikevd.addresses import Address
from ikevd.host.policies import Action, Direction, PolicyId
from ikevd.policy.child import Child
from ikevd.sa.model import Spi
from tests.soak.machine import MortalMachine

ASKED_LATELY = 120.0
"""A command may be told to the peer so much later, where messages are lost."""
NEARLY = 10.0
"""Seconds before the end of its life at which a pair may go: one end has counted from an earlier moment."""


class Watch:
    """`wrong` tells what was cut without a cause."""

    def __init__(self, alice: MortalMachine, bob: MortalMachine, children: Sequence[Child]) -> None:
        self._machines = alice, bob
        self.children = children
        self._longest = max(each.lifetime.seconds for each in children)
        self._served: dict[str, frozenset[Spi]] = {}
        self._known: dict[tuple[Address, str], set[tuple[Spi, Spi]]] = {}
        self._until: dict[Spi, float] = {}
        self._taken_down: dict[str, float] = {}
        self._shut: dict[Address, set[PolicyId]] = {}
        self.wrong: list[str] = []
        self.served = 0
        """How often a child began to be served."""

    def take_down(self, child: str) -> None:
        """Somebody has asked for it."""
        self._taken_down[child] = asyncio.get_running_loop().time()

    def open(self, address: Address) -> None:
        """Somebody has removed the policies of a machine: nothing is shut there until they are put back."""
        self._shut.pop(address, None)

    def serves(self, child: str) -> bool:
        """Was it served when something changed last?"""
        return bool(self._served.get(child))

    def look(self) -> None:
        """Something may have changed."""
        now = asyncio.get_running_loop().time()
        for machine in self._machines:
            if machine.kernel.dead:
                self.wrong.append(f"an SA was installed again under its keys at {now:.3f}")
            for name in machine.kernel.sas:
                self._until.setdefault(name.spi, now + self._longest)
            self._look_for_clear_text(machine)
        for child in self.children:
            self._look(child)

    def _look_for_clear_text(self, machine: MortalMachine) -> None:
        """What once was blocked or led into a tunnel is ever after."""
        shut = self._shut.setdefault(machine.address, set())
        policies = machine.kernel.policies
        for name in shut - policies.keys():
            self.wrong.append(f"{name} leaves in the clear at {asyncio.get_running_loop().time():.3f}")
        shut.update(
            name
            for name, policy in policies.items()
            if name.direction is Direction.OUT and policy.action is not Action.BYPASS
        )

    def _look(self, child: Child) -> None:
        now, before = asyncio.get_running_loop().time(), self._served.get(child.name, frozenset())
        served = self._serving(child)
        self.served += bool(served and not before)
        self._served[child.name] = served
        if before and not served:
            asked = now - self._taken_down.get(child.name, -1e9) < ASKED_LATELY
            over = any(self._until[name] - NEARLY <= now for name in before)
            if not asked and not over:
                self.wrong.append(f"{child.name} was cut at {now:.3f}: {sorted(map(hex, before))}")

    def _serving(self, child: Child) -> frozenset[Spi]:
        """The SAs of the pairs that both hold, where traffic goes into them."""
        if not all(self._leads_into_tunnel(machine, child.reqid) for machine in self._machines):
            return frozenset()
        alices, bobs = (self._standing(machine, child.name) for machine in self._machines)
        pairs = alices & {(outbound, inbound) for inbound, outbound in bobs}
        return frozenset(name for pair in pairs if all(self._common(name) for name in pair) for name in pair)

    def _standing(self, machine: MortalMachine, child: str) -> set[tuple[Spi, Spi]]:
        """The pairs of which it knows, or knew when it was killed: inbound, outbound."""
        if session := machine.session:
            pairs = {pair.sa for pair in session.states[child].standing}
            self._known[machine.address, child] = {(sa.inbound, sa.outbound) for sa in pairs}
        return self._known.get((machine.address, child), set())

    def _common(self, spi: Spi) -> bool:
        alices, bobs = ({name.spi: keys for name, keys in m.kernel.keys.items()}.get(spi) for m in self._machines)
        dead = {name.spi for machine in self._machines for name in machine.kernel.dead}
        return alices is not None and alices == bobs and spi not in dead

    def _leads_into_tunnel(self, machine: MortalMachine, reqid: int) -> bool:
        outward = (policy for policy in machine.kernel.policies.values() if policy.id.direction is Direction.OUT)
        return any(policy.reqid == reqid and policy.action is Action.TUNNEL for policy in outward)
