"""A connection of three children that lives for hours: trouble, then calm, again and again; one life for each seed.

In trouble anything may happen that happens to gateways (`troubles`). After each stored fact the records are within
their bounds (`bounds`), after each change of a kernel nothing is cut without a cause, and nothing leaves in the clear
(`watch`). Calm lasts longer than a child's life: then both ends, both stores and both kernels agree (`verdict`), and no
more packets are lost.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ikevd.addresses import Address
from ikevd.kernel.memory import MemoryKernel
from ikevd.negotiation.session import Session
from ikevd.policy.child import Child, Start
from ikevd.policy.connection import Connection
from ikevd.policy.dpd import Dpd
from ikevd.policy.lives import Lifetime
from tests.builders import ALICE, BOB, SeededEntropy, child, connection, fqdn, mirrored
from tests.duet import Network
from tests.gateways import World
from tests.nat import Nat
from tests.negotiation.test_behind_a_nat import PUBLIC
from tests.soak.hours.bounds import Bounds
from tests.soak.hours.packets import Packets
from tests.soak.machine import MortalMachine
from tests.soak.verdict import faults
from tests.soak.watch import Watch
from tests.virtual_time import run

HOUR = 3600
LIVES = ((3600, 8 * HOUR), (3600, 8 * HOUR), (1200, 2 * HOUR), (600, 1800), (180, 600))
"""Of a child and of its ISAKMP SA, in seconds."""
KILOBYTES = (None, None, 2560, 10_000)
TROUBLE = 2400.0
RESTS = 900.0
"""Calm lasts a child's life and so much more: what is tried again waits 300 s at most."""
SETTLED = 120.0
"""The last seconds of calm, in which no packet is lost."""
EVERY = 2.0, 20.0
"""Seconds between two packets, each way, of the two children that have some."""
CLEARED = 400.0
"""So long after a trouble is over what was cut is back: DPD, and a pause between two attempts."""
LOOKS = 5.0
"""Seconds between two looks at what no fact tells."""
CHANGES = ("add_sa", "delete_sa", "put_policy", "delete_policy", "tick")


@dataclass(frozen=True)
class Outcome:
    """What one life came to."""

    seed: int
    wrong: tuple[str, ...]
    seconds: float
    """That it lasted."""
    served: float
    """Seconds in which a child was served, summed over the children."""
    facts: int
    troubles: Counter[str]
    packets: Counter[str]
    most: Counter[str]
    """The most that was reached of each thing that has a bound."""


class Clock:
    """The one by which a kernel counts: somebody may set it."""

    def __init__(self) -> None:
        self.error = 0.0

    def __call__(self) -> float:
        """Seconds."""
        return asyncio.get_running_loop().time() + self.error


class Life:
    """Must be made inside the running loop."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.dice = dice = random.Random(f"life {seed}")
        self.gentle = dice.random() < 0.4
        """Nothing happens that may cut a tunnel."""
        self.clocks: dict[Address, Clock] = {}
        self.editing: set[Address] = set()
        """Whose file is being read again. Killed then, the next process finds a changed file, and begins anew."""
        self.child_life, isakmp_life = dice.choice(LIVES)
        self.nat = Nat(PUBLIC, ALICE) if dice.random() < 0.3 else None
        self.network = Network(seed=seed, nat=self.nat)
        world = World(self.network)
        dpd = Dpd(delay=dice.choice((10.0, 30.0)))
        view = connection(
            local_id=fqdn("alice.example"), children=self._children(), lifetime=Lifetime(isakmp_life), dpd=dpd
        )
        his = mirrored(view)
        if self.nat:
            his = replace(his, remote=None, places=(PUBLIC,))
        self.alice = self._machine(world, ALICE, seed, view)
        self.bob = self._machine(world, BOB, seed, self._started(his))
        self.machines = self.alice, self.bob
        self.watch = Watch(self.alice, self.bob, view.children)
        self.bounds = Bounds()
        self.troubles = Counter[str]()
        self._excused_until = 0.0
        self._served = 0.0
        self._dark: list[asyncio.TimerHandle] = []
        """Ends of blackouts."""
        self._beside = set[asyncio.Task[None]]()
        self._packets = self._flows(view.children)

    # -- what there is

    def _children(self) -> tuple[Child, ...]:
        """One with packets each second, one with a few, and one that perhaps waits for a packet or a command."""
        networks = [(f"10.1.{n}.0/24", f"10.2.{n}.0/24") for n in range(3)]
        starts = Start.ALWAYS, Start.ALWAYS, self.dice.choice(list(Start))
        kilobytes = self.dice.choice(KILOBYTES), None, None
        return tuple(
            child(*both, name=f"c{n}", reqid=0x696B0000 + n, start=starts[n], lifetime=self._lifetime(kilobytes[n]))
            for n, both in enumerate(networks)
        )

    def _lifetime(self, kilobytes: int | None) -> Lifetime:
        return Lifetime(self.child_life, kilobytes)

    def _started(self, view: Connection) -> Connection:
        """The other end starts some of its children, too."""
        children = (replace(one, start=self.dice.choice((Start.ALWAYS, Start.MANUAL))) for one in view.children)
        return replace(view, children=tuple(children))

    def _machine(self, world: World, address: Address, seed: int, view: Connection) -> MortalMachine:
        clock = Clock()
        kernel = MemoryKernel(clock, SeededEntropy(int(address) + seed))
        machine = MortalMachine(world, address, random.Random(f"{address} {seed}"), view, kernel=kernel)
        self.clocks[address] = clock
        machine.at_each_point = partial(self._looked_at, machine)
        machine.meanwhile = partial(self._started_anew, machine)
        for name in CHANGES:
            setattr(kernel, name, self._watched(getattr(kernel, name)))
        return machine

    def _flows(self, children: tuple[Child, ...]) -> list[Packets]:
        """Both ways."""
        watched = self.dice.random() < 0.5
        octets = self.dice.choice((200, 5000))
        ends = ((self.alice, self.bob), (self.bob, self.alice))
        return [
            Packets(*both, one, every, octets, watched=watched)
            for both in ends
            for one, every in zip(children[:2], EVERY, strict=True)
        ]

    # -- what is looked at

    def _watched(self, call: Any) -> Any:
        """Whatever has changed a kernel is looked at."""

        def at_once() -> None:
            call()
            self.watch.look()

        async def awaited(*args: Any, **named: Any) -> Any:
            result = await call(*args, **named)
            self.watch.look()
            return result

        return awaited if asyncio.iscoroutinefunction(call) else at_once

    def _looked_at(self, machine: MortalMachine, point: str) -> None:
        if point == "after put":
            self.bounds.look(machine, asyncio.get_running_loop().time())

    async def _look_now_and_then(self) -> None:
        """At what no fact tells."""
        loop, names = asyncio.get_running_loop(), [one.name for one in self.watch.children]
        while True:
            await asyncio.sleep(LOOKS)
            now = loop.time()
            for machine in self.machines:
                machine.kernel.tick()
                self.bounds.look_for_owners(machine, now)
                if now % 300 < LOOKS:
                    self.bounds.look_at_store(machine, now)
            self._served += LOOKS * sum(map(self.watch.serves, names))
            if now < self._excused_until:
                for name in names:
                    self.watch.take_down(name)

    def _started_anew(self, machine: MortalMachine) -> None:
        if machine.address in self.editing:
            self.editing.discard(machine.address)
            self.excuse(CLEARED)

    def excuse(self, seconds: float) -> None:
        """Tunnels may be cut for so long."""
        self._excused_until = max(self._excused_until, asyncio.get_running_loop().time() + seconds)
        for one in self.watch.children:
            self.watch.take_down(one.name)

    # -- what happens

    async def tell(self, hours: float, trouble: Callable[[Life], Any]) -> Outcome:
        """`trouble`: lets something happen and waits a while."""
        loop = asyncio.get_running_loop()
        tasks = [asyncio.ensure_future(flow.run()) for flow in self._packets]
        tasks.append(asyncio.ensure_future(self._look_now_and_then()))
        for machine in self.machines:
            machine.start()
        wrong = list[str]()
        while not wrong and loop.time() < hours * HOUR:
            until = loop.time() + TROUBLE
            while loop.time() < until and not self._wrong:
                await trouble(self)
            wrong = self._wrong or [*await self._calm(), *self._wrong]
        for task in tasks:
            task.cancel()
        return self._outcome(wrong)

    @property
    def _wrong(self) -> list[str]:
        """At once, whatever the end may be."""
        return [*self.watch.wrong, *self.bounds.wrong.values()]

    async def _calm(self) -> list[str]:
        """Nothing happens any more; what is wrong in the end."""
        self.heal()
        await asyncio.sleep(self.child_life + RESTS)
        for flow in self._packets:
            flow.forget()
        await asyncio.sleep(SETTLED)
        await self._quiet()
        lost = sum(len(flow.lost) + len(flow.clear) for flow in self._packets)
        return [*([f"{lost} packets lost in calm"] if lost else []), *faults(self.alice, self.bob)]

    def go_dark(self, seconds: float) -> None:
        """Nothing arrives for so long."""
        before, self.network.loss = self.network.loss, 1.0
        self._dark.append(asyncio.get_running_loop().call_later(seconds, setattr, self.network, "loss", before))

    def heal(self) -> None:
        """What happened goes on no longer; who was taken down comes up."""
        for each in self._dark:
            each.cancel()
        self._dark.clear()
        self.network.loss = self.network.duplicate = self.network.jitter = 0.0
        self.network.delay = 0.01
        self.excuse(60)
        for machine in self.machines:
            machine.disarm()
            machine.kernel.heal()
            self.clocks[machine.address].error = 0.0
            if machine.session:
                self.bring_up(machine.session)

    def bring_up(self, session: Session) -> None:
        """What is always up."""
        for one in session.connection.children:
            if one.start is Start.ALWAYS:
                retrieve(session.want(one.name))

    def soon(self, command: Callable[[], object]) -> None:
        """The process may be killed at it: as a callback of the loop it takes nobody with it."""
        asyncio.get_running_loop().call_soon(command)

    def surely(self, work: Coroutine[Any, Any, None]) -> None:
        """Done beside all else."""
        task = asyncio.get_running_loop().create_task(work)
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)

    async def _quiet(self) -> None:
        """Until nothing is under way for a second, or for a while."""
        calm = 0
        for _ in range(240):
            calm = 0 if self._busy() else calm + 1
            if calm > 2:
                return
            await asyncio.sleep(0.5)

    def _busy(self) -> bool:
        states = [machine.session.state for machine in self.machines if machine.session]
        pairs = [pair for state in states for one in state.children.values() for pair in one.pairs]
        replacing = any(pair.use_at is not None or pair.leave_at is not None for pair in pairs)
        return replacing or any(state.quick_modes or state.waiting or state.phase1 is not None for state in states)

    def _outcome(self, wrong: list[str]) -> Outcome:
        packets = Counter({"sent": sum(flow.sent for flow in self._packets)})
        lasted = asyncio.get_running_loop().time()
        most, facts = self.bounds.most, self.bounds.facts
        return Outcome(self.seed, tuple(wrong), lasted, self._served, facts, self.troubles, packets, most)


def retrieve(*commands: asyncio.Future[None]) -> None:
    """Whatever becomes of them."""
    for each in commands:
        each.add_done_callback(lambda done: done.cancelled() or done.exception())


def life(seed: int, hours: float, trouble: Callable[[Life], Any]) -> Outcome:
    """In virtual time."""

    async def whole() -> Outcome:
        return await Life(seed).tell(hours, trouble)

    return run(whole())
