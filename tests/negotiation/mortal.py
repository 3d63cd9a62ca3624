"""Processes that are killed: what they hold of kernel, store and network does nothing more from then on."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import replace
from typing import Any, cast

from ikevd.addresses import Address, Path
from ikevd.errors import Finding
from ikevd.host.events import KernelEvent, Listener
from ikevd.host.hooks import HookCall, Programs
from ikevd.host.policies import KernelPolicy
from ikevd.kernel.memory import MemoryKernel
from ikevd.kernel.memory_clamps import MemoryClamps
from ikevd.kernel.memory_links import MemoryLinks
from ikevd.kernel.memory_routes import MemoryRoutes
from ikevd.policy.child import Start
from ikevd.policy.connection import Connection
from ikevd.store.memory import Disk, Killed, MemoryStore
from tests.builders import ALICE, BOB, NO_DPD, SeededEntropy, child, connection, mirrored
from tests.gateways import Gateway, World, bring_up

EXCHANGE = 18
"""Where its type stands in a message."""
VIEW = connection(children=(child(start=Start.MANUAL),), dpd=NO_DPD)
WRITES = ("put", "place")
SA_CALLS = ("reserve_spi", "add_sa", "delete_sa", "limit_sa", "change_ports", "move_sa")
CALLS = (*SA_CALLS, "put_policy", "delete_policy", "dump_sas", "dump_policies")


class Process:
    """What it may still do: nothing, once it is dead."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.dead = False
        self._limbo: list[asyncio.Future[None]] = []

    def pass_point(self, point: str) -> None:
        """It comes to a place where it may be killed. Raises `Killed` there, and ever after."""
        if not self.dead and self._machine.strikes(point):
            self._machine.kill()
        if self.dead:
            raise Killed

    async def for_ever(self) -> None:
        """A coroutine of a dead process goes no further."""
        self._limbo.append(asyncio.get_running_loop().create_future())
        await self._limbo[-1]

    def transmit(self, octets: bytes, path: Path) -> str | None:
        """Stands for `World.carry`."""
        if self.dead:
            raise Killed
        return self._machine.world.carry(octets, path)


class Leash:
    """Stands for a process's `held`, which outlives it."""

    def __init__(self, process: Process, held: object, pause: Callable[[], float], what: str = "") -> None:
        """`pause`: how long a call takes before it is done, and after. `what` is held, before the name of a call in
        that of a point."""
        self._what = what
        self._process = process
        self._held = held
        self._pause = pause

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._held, name)
        if not callable(found):
            return found
        return self._slowly(name, found) if inspect.iscoroutinefunction(found) else self._at_once(name, found)

    def on_event(self, listener: Listener) -> None:
        """An event comes a moment later, as through a socket."""

        def hear(event: KernelEvent) -> None:
            if not self._process.dead:
                listener(event)

        def tell(event: KernelEvent) -> None:
            asyncio.get_running_loop().call_soon(hear, event)

        cast(MemoryKernel, self._held).on_event(tell)

    def _slowly(self, name: str, call: Any) -> Any:
        async def at_the_kernel(*args: object, **named: object) -> object:
            try:
                await self._wait()
                self._process.pass_point(f"before {self._what}{name}")
                result = await call(*args, **named)
                self._process.pass_point(f"after {self._what}{name}")
                await self._wait()
                self._process.pass_point(f"answer of {self._what}{name}")
            except Killed:
                await self._process.for_ever()
            return result

        return at_the_kernel

    def _at_once(self, name: str, call: Any) -> Any:
        def at_the_store(*args: object, **named: object) -> object:
            if name in WRITES:
                self._process.pass_point(f"before {name}")
            result = call(*args, **named)
            if name in WRITES:
                self._process.pass_point(f"after {name}")
            return result

        return at_the_store

    async def _wait(self) -> None:
        if pause := self._pause():
            await asyncio.sleep(pause)


class Mortal:
    """Programs of a process: when that is dead none of them tells it anything."""

    def __init__(self, process: Process, programs: Programs) -> None:
        self._process = process
        self._programs = programs

    async def run(self, key: Hashable, call: HookCall, up: bool) -> Finding | None:
        failure = await self._programs.run(key, call, up)
        if self._process.dead:
            await self._process.for_ever()
        return failure

    async def rest(self) -> None:
        await self._programs.rest()


class Machine:
    """A gateway's kernel and runtime folder: whatever process runs on it, they stay."""

    def __init__(
        self, world: World, address: Address, *connections: Connection, kernel: MemoryKernel | None = None
    ) -> None:
        """`kernel`: of a network namespace in which another ikevd runs, too."""
        self.world = world
        self.address = address
        self.connections = connections
        self.settings: dict[str, Any] = {}
        """What else the file says."""
        self.at_boot: tuple[KernelPolicy, ...] = ()
        """Installed before any process ran, as it believes."""
        self.kernel = kernel or MemoryKernel(asyncio.get_running_loop().time, SeededEntropy(int(address)))
        self.programs: Programs | None = None
        """Run what children have as updown; they outlive no process."""
        self.links = MemoryLinks()
        self.links.changed = lambda: self.kernel.gain_address(address)  # which tells that something has changed
        self.clamps = MemoryClamps()
        self.routes = MemoryRoutes()
        self.routes.changed = self.links.changed
        self.disk = Disk()
        self.gateway: Gateway | None = None
        """Of the process that runs."""
        self._process = Process(self)
        self._seed = 0
        self._passes_left = 0
        """Until a kill; 0: none is asked for."""
        self._killed_at = ""

    def strikes(self, point: str) -> bool:
        """Shall the process be killed at this point?"""
        if point != self._killed_at or not self._passes_left:
            return False
        self._passes_left -= 1
        return not self._passes_left

    def kill_at(self, point: str, passes: int = 1) -> None:
        """As `kill`, as soon as the process comes there so many times more."""
        self._killed_at, self._passes_left = point, passes

    def kill_after(self, writes: int) -> None:
        """As `kill`, as soon as the process has written so many times more."""
        self.kill_at("after put", writes)

    def pause(self) -> float:
        """Seconds that a call of the kernel takes, before it is done and after."""
        return 0.0

    def boot(self) -> Gateway:
        """A process, not started."""
        self._seed += 1
        self._process = process = Process(self)
        store = cast(Any, Leash(process, MemoryStore(self.disk), self.pause))
        self.gateway = self.world.gateway(
            self.address,
            *self.connections,
            seed=self._seed,
            kernel=cast(Any, Leash(process, self.kernel, self.pause)),
            store=store,
            transmit=process.transmit,
            settings=self.settings,
            at_boot=self.at_boot,
            programs=Mortal(process, self.programs) if self.programs else None,
            links=cast(Any, Leash(process, self.links, self.pause, "links ")),
            routes=cast(Any, Leash(process, self.routes, self.pause, "routes ")),
            clamps=cast(Any, Leash(process, self.clamps, self.pause, "clamps ")),
        )
        self.gateway.kernel = self.kernel
        return self.gateway

    def kill(self) -> None:
        """The process that runs: kill -9."""
        self._process.dead = True
        self._passes_left = 0
        self.world.gateways.pop(self.address, None)
        if self.gateway is not None:
            for session in (*self.gateway.engine.sessions(), *self.gateway.engine.dismissed):
                with suppress(Killed):
                    session.close()
        self.gateway = None

    async def restart(self) -> Gateway:
        """Another process goes on."""
        self.kill()
        gateway = self.boot()
        await gateway.engine.restore()
        gateway.engine.start()
        return gateway


async def tunnel(view: Connection = VIEW) -> tuple[World, Machine, Machine, Gateway, Gateway]:
    """Alice has called Bob; both on machines of their own."""
    world, his = World(), mirrored(view)
    waits = replace(his, children=tuple(replace(child, start=Start.MANUAL) for child in his.children))
    machines = Machine(world, ALICE, view), Machine(world, BOB, waits)
    alice, bob = (machine.boot() for machine in machines)
    await bring_up(alice)
    await asyncio.sleep(1)
    return world, *machines, alice, bob


def kinds(world: World, after: float) -> set[int]:
    """Exchange types of all that was sent since then."""
    return {octets[EXCHANGE] for at, _, octets in world.wire if at >= after}
