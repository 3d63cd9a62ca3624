"""A machine whose process is killed at random points and goes on a while later, on a slow kernel that may refuse."""

from __future__ import annotations

import asyncio
import errno
import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from ikevd.addresses import Address, Path
from ikevd.kernel.faults import Operation
from ikevd.kernel.memory import MemoryKernel
from ikevd.negotiation.session import Session
from ikevd.policy.connection import Connection
from ikevd.store.memory import Disk, Killed
from tests.gateways import Gateway, World
from tests.negotiation.mortal import CALLS, Machine

LONGEST_PAUSE = 3.0
CHANCES_OF_WRITES = 10
"""As many as a kernel's call has one."""
FAULTS: tuple[Operation, ...] = ("reserve_spi", "add_sa", "put_policy", "delete_sa", "delete_policy")
POINTS = (
    *(f"{when} put" for when in ("before", "after") for _ in range(CHANCES_OF_WRITES)),
    *(f"{when} place" for when in ("before", "after")),
    *(f"{when} {call}" for call in CALLS for when in ("before", "after", "answer of")),
)


class MortalMachine(Machine):
    """Begins with a process that runs."""

    def __init__(
        self,
        world: World,
        address: Address,
        dice: random.Random,
        *connections: Connection,
        kernel: MemoryKernel | None = None,
    ) -> None:
        super().__init__(world, address, *connections, kernel=kernel)
        self.dice = dice
        self.kills: Counter[str] = Counter()
        """How many, by point."""
        self.stores_lost = 0
        self.troubles: list[str] = []
        """Of all processes."""
        self.meanwhile: Callable[[], None] = lambda: None
        """Happens while no process runs, right before the next one starts."""
        self.at_each_point: Callable[[str], None] = lambda point: None
        """Happens where it may be killed and is not."""
        self._armed: dict[str, int] = {}
        self._starting: asyncio.Task[None] | None = None
        self._held: list[tuple[bytes, Path]] = []
        """Came while no process ran, where something holds the sockets."""

    # -- how it dies

    def arm(self) -> None:
        """Kill the process at one of the next times that it comes to some point."""
        self._armed[self.dice.choice(POINTS)] = self.dice.randrange(1, 6)

    def disarm(self) -> None:
        """No kill any more."""
        self._armed.clear()

    def strikes(self, point: str) -> bool:
        """See `Machine.strikes`."""
        left = self._armed.pop(point, 0)
        if left > 1:
            self._armed[point] = left - 1
        self.kills[point] += left == 1
        if left != 1:
            self.at_each_point(point)
        return left == 1

    def kill_now(self) -> None:
        """At a moment when it waits."""
        if self.gateway is not None:
            self.kills["at any moment"] += 1
            self.kill()

    def kill(self, down_for: float | None = None) -> None:
        """And start the next process in so many seconds, else in a while."""
        if self.gateway is not None:
            self.troubles += self.gateway.troubles
        super().kill()
        if self.dice.random() < 0.7:
            self.world.others[self.address] = self._hold
        pause = self.dice.random() * LONGEST_PAUSE if down_for is None else down_for
        asyncio.get_running_loop().call_later(pause, self.start)

    def lose_store(self) -> None:
        """The process crashes, and the next one finds no store."""
        if self.gateway is not None:
            self.kill()
            self.disk = Disk()
            self.stores_lost += 1

    def reboot(self, down_for: float) -> None:
        """The machine crashes: neither store nor kernel hold anything when it is back."""
        if self.gateway is not None:
            self.kill(down_for)
            self.world.others.pop(self.address, None)
            self.disk = Disk()
            self.kernel.flush_sas()
            self.kernel.flush_policies()

    def _hold(self, octets: bytes, path: Path) -> None:
        self._held.append((octets, path))

    # -- how it lives

    def start(self) -> None:
        """The next process."""
        self._starting = asyncio.get_running_loop().create_task(self._start())

    async def _start(self) -> None:
        self.meanwhile()
        gateway = self.boot()
        self.world.others.pop(self.address, None)
        with suppress(Killed):
            gateway.engine.wait()
            held, self._held = self._held, []
            for octets, path in held:
                gateway.engine.datagram(octets, path)
            await gateway.engine.restore()
            gateway.engine.start()

    def pause(self) -> float:
        """See `Machine.pause`."""
        return self.dice.random() * 0.03

    def refuse(self) -> None:
        """One of the next calls of the kernel fails."""
        self.kernel.fail(self.dice.choice(FAULTS), errno.ENOMEM, self.dice.randrange(1, 4))

    @property
    def running(self) -> Gateway | None:
        """The process, where one runs that has its peers."""
        started = self._starting is not None and self._starting.done()
        return self.gateway if started else None

    @property
    def session(self) -> Session | None:
        """Its one peer, where a process runs."""
        return self.running.session if self.running else None
