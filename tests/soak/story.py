"""Two machines, three children, five minutes in which all goes wrong, then calm: one story for each seed."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ikevd.host.policies import Direction
from ikevd.host.sas import SaId
from ikevd.policy.child import Child, Start
from ikevd.policy.connection import Connection
from ikevd.policy.lives import Lifetime
from ikevd.policy.settings import Listen
from tests.builders import ALICE, BOB, child, connection, mirrored
from tests.duet import Network
from tests.gateways import World
from tests.soak.machine import MortalMachine
from tests.soak.verdict import faults, left
from tests.soak.watch import Watch
from tests.virtual_time import run

STEPS = 100
PAUSES = (0.0, 0.05, 0.2, 1.0, 5.0, 15.0)
LIFETIMES = (60, 200, 400)
CALM = 480.0
"""Longer than the longest lifetime, and than the longest pause between two attempts."""
CLEANED = 70.0
"""So long after the last refusal the kernel was asked again to remove what is not desired."""
CHANGES = ("add_sa", "delete_sa", "put_policy", "delete_policy", "tick")


@dataclass(frozen=True)
class Outcome:
    """What one story came to."""

    seed: int
    wrong: tuple[str, ...]
    kills: Counter[str]
    served: int
    """How often a tunnel came to stand."""


class Story:
    """Must be made inside the running loop."""

    def __init__(self, seed: int) -> None:
        self.dice = dice = random.Random(seed)
        loss, duplicate = dice.choice((0.0, 0.1, 0.3)), dice.choice((0.0, 0.1))
        self.network = Network(loss=loss, duplicate=duplicate, jitter=dice.choice((0.0, 0.05)), seed=seed)
        world = World(self.network)
        lifetime = Lifetime(dice.choice((70, 300, 86400)))
        view = connection(children=self._children(), lifetime=lifetime)
        self.alice = MortalMachine(world, ALICE, random.Random(f"alice {seed}"), self._started(view))
        self.bob = MortalMachine(world, BOB, random.Random(f"bob {seed}"), self._started(mirrored(view)))
        self.watch = Watch(self.alice, self.bob, view.children)
        self._commands = dice.random() < 0.7
        self._refusals = dice.random() < 0.5
        self._removals = dice.random() < 0.5
        self._edits = dice.random() < 0.4
        for machine in (self.alice, self.bob):
            machine.meanwhile = partial(self._meanwhile, machine)
            for name in CHANGES:
                setattr(machine.kernel, name, self._watched(getattr(machine.kernel, name)))

    def _children(self) -> tuple[Child, ...]:
        lifetime = Lifetime(self.dice.choice(LIFETIMES))
        networks = [(f"10.1.{n}.0/24", f"10.2.{n}.0/24") for n in range(3)]
        return tuple(
            child(*both, name=f"c{n}", reqid=0x696B0000 + n, lifetime=lifetime) for n, both in enumerate(networks)
        )

    def _started(self, view: Connection) -> Connection:
        children = (replace(each, start=self.dice.choice(list(Start))) for each in view.children)
        return replace(view, children=tuple(children))

    def _watched(self, call: Any) -> Any:
        """Whatever has changed a kernel is looked at."""
        if not asyncio.iscoroutinefunction(call):
            return self._then_looked_at(call)

        async def watched(*args: Any, **named: Any) -> Any:
            result = await call(*args, **named)
            self.watch.look()
            return result

        return watched

    def _then_looked_at(self, call: Callable[[], None]) -> Callable[[], None]:
        def watched() -> None:
            call()
            self.watch.look()

        return watched

    async def tell(self) -> tuple[str, ...]:
        """All that is wrong in the end."""
        clock = asyncio.ensure_future(self._let_lives_end())
        for machine in (self.alice, self.bob):
            machine.start()
        for _ in range(STEPS):
            await asyncio.sleep(self.dice.choice(PAUSES) * self.dice.random())
            self._disturb(self.dice.choice((self.alice, self.bob)))
        self.network.loss = 0.0
        for machine in (self.alice, self.bob):
            machine.disarm()
            machine.kernel.heal()
        await asyncio.sleep(CLEANED)
        await self._quiet()
        after_a_while = tuple(left(self.alice, self.bob))
        await asyncio.sleep(CALM)
        clock.cancel()
        for machine in (self.alice, self.bob):
            machine.kernel.tick()
        await asyncio.sleep(1)
        await self._quiet()
        return (*self.watch.wrong, *after_a_while, *faults(self.alice, self.bob))

    async def _let_lives_end(self) -> None:
        while True:
            await asyncio.sleep(1)
            for machine in (self.alice, self.bob):
                machine.kernel.tick()

    def _disturb(self, machine: MortalMachine) -> None:
        """A kill at one of its next points, or at once; a command; a refusal of its kernel."""
        if self.dice.random() < 0.3:
            self._surely(partial(self._send, machine, self.dice.randrange(3)))
        chance = self.dice.random()
        if chance < 0.65:
            machine.arm()
        elif chance < 0.7:
            machine.kill_now()
        elif chance < 0.76 and self._refusals:
            machine.refuse()
        elif chance < 0.8 and self._removals:
            self._remove(machine)
        elif self._commands or chance > 0.9:
            self._command(machine)

    def _send(self, machine: MortalMachine, number: int) -> None:
        """A packet for one child: it may meet a trap."""
        outward = [
            name for name, one in machine.kernel.policies.items() if name.direction is Direction.OUT and one.reqid
        ]
        if outward:
            machine.kernel.send(outward[number % len(outward)])

    def _meanwhile(self, machine: MortalMachine) -> None:
        """Between two processes somebody removes the newest SA, or edits the file."""
        newest = [*machine.kernel.sas][-1:]
        if newest and self._removals and self.dice.random() < 0.2:
            self._take(machine, *newest)
        if self._edits and self.dice.random() < 0.2:
            self._edit(machine)

    def _edit(self, machine: MortalMachine) -> None:
        """Another connection of that name, another name of the connection, and who else may be on this machine."""
        (view,) = machine.connections
        name = self.dice.choice((view.name, "renamed", "renamed again"))
        machine.connections = (replace(view, name=name, nat_keepalive=self.dice.choice((20.0, 33.0))),)
        machine.settings = self.dice.choice(({}, {"remove_unknown": False}, {"listen": Listen((machine.address,))}))
        for each in view.children:
            self.watch.take_down(each.name)

    def _remove(self, machine: MortalMachine) -> None:
        """Somebody removes an SA, perhaps while no process runs."""
        if sas := sorted(machine.kernel.sas, key=lambda name: name.spi):
            self._take(machine, self.dice.choice(sas))

    def _take(self, machine: MortalMachine, name: SaId) -> None:
        self.watch.take_down(f"c{machine.kernel.sas[name].reqid & 3}")
        machine.kernel.remove_sa(name)

    def _command(self, machine: MortalMachine) -> None:
        session, name, chance = machine.session, f"c{self.dice.randrange(3)}", self.dice.random()
        if session is None:
            return
        if chance < 0.6 or not self._commands:
            self._surely(
                lambda: session.want(name).add_done_callback(lambda done: done.cancelled() or done.exception())
            )
        elif chance < 0.9:
            self.watch.take_down(name)
            self._surely(lambda: session.unwant(name))
        else:
            for each in session.states:
                self.watch.take_down(each)
            self._surely(session.end)

    def _surely(self, command: Callable[[], object]) -> None:
        """The process may be killed at it: as a callback of the loop it takes nobody with it."""
        asyncio.get_running_loop().call_soon(command)

    async def _quiet(self) -> None:
        """Until nothing is under way, for two looks in a row: the kernel is told a moment later. Or for a while."""
        before = True
        for _ in range(120):
            states = [machine.session.state for machine in (self.alice, self.bob) if machine.session]
            pairs = [pair for state in states for child in state.children.values() for pair in child.pairs]
            replacing = any(pair.use_at is not None or pair.leave_at is not None for pair in pairs)
            busy = any(state.quick_modes or state.waiting or state.phase1 is not None for state in states)
            if not (replacing or busy or before):
                return
            before = replacing or busy
            await asyncio.sleep(0.5)


def story(seed: int) -> Outcome:
    """In virtual time."""

    async def whole() -> Outcome:
        one = Story(seed)
        wrong = await one.tell()
        return Outcome(seed, wrong, one.alice.kills + one.bob.kills, one.watch.served)

    return run(whole())
