"""Processes that are killed: what they hold of kernel, store and network does nothing more from then on."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from itertools import count
from typing import Any, cast

from ikevd.kernel.memory import MemoryKernel
from ikevd.policy.model import Connection
from ikevd.store.memory import Disk, MemoryStore
from tests.gateways import Gateway, World


class Leash:
    """Stands for a process's `held`, which outlives it."""

    def __init__(self, held: object) -> None:
        self._held = held
        self.dead = False
        self.after_put: Callable[[], None] = lambda: None
        """Called when something has been written, where it is a store."""

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._held, name)
        if not callable(found):
            return found

        async def forever(*args: object, **named: object) -> object:
            if self.dead:
                await asyncio.get_running_loop().create_future()
            return await found(*args, **named)

        def unless_dead(*args: object, **named: object) -> object:
            if self.dead:
                return None
            result = found(*args, **named)
            if name == "put":
                self.after_put()
            return result

        return forever if inspect.iscoroutinefunction(found) else unless_dead


class Machine:
    """A gateway's kernel and runtime folder: whatever process runs on it, they stay."""

    def __init__(self, world: World, gateway_address: object, *connections: Connection) -> None:
        self.world = world
        self.address = cast(Any, gateway_address)
        self.connections = connections
        self.kernel = MemoryKernel(clock=asyncio.get_running_loop().time)
        self.disk = Disk()
        self._leashes: list[Leash] = []
        self._seed = 0

    def boot(self) -> Gateway:
        """A process, not started."""
        self._seed += 1
        kernel, store = Leash(self.kernel), Leash(MemoryStore(self.disk))
        self._leashes = [kernel, store]
        gateway = self.world.gateway(
            self.address, *self.connections, seed=self._seed, kernel=cast(Any, kernel), store=cast(Any, store)
        )
        gateway.kernel = self.kernel
        return gateway

    def kill(self) -> None:
        """The process that runs: kill -9."""
        for leash in self._leashes:
            leash.dead = True
        self.world.gateways.pop(self.address, None)

    def kill_after(self, writes: int) -> None:
        """As `kill`, as soon as the process has written so many times more."""
        left = count(writes - 1, -1)
        self._leashes[1].after_put = lambda: None if next(left) else self.kill()

    async def restart(self) -> Gateway:
        """Another process goes on."""
        self.kill()
        gateway = self.boot()
        await gateway.engine.restore()
        gateway.engine.start()
        return gateway
