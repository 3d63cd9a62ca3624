"""The end of a daemon: a bug that meets one peer leaves nothing of another in the kernel."""

from __future__ import annotations

import asyncio

from ikevd.addresses import Address, Path
from ikevd.host.sas import SaId
from ikevd.kernel.memory import MemoryKernel
from ikevd.negotiation.backstop import FAR
from ikevd.negotiation.ending import STOP_WITHIN
from ikevd.sa.model import Spi
from ikevd.store.memory import MemoryStore
from ikevd.wire.registry import Protocol
from tests.builders import ALICE, BOB, SeededEntropy, child, connection, mirrored
from tests.gateways import Gateway, World
from tests.virtual_time import run

CAROL = BOB + 1
TO_BOB = connection()
TO_CAROL = connection(name="carol", remote=CAROL, children=(child(reqid=0x696B0001, remote="10.3.0.0/24"),))


class Broken(World):
    """Whose wire to Bob is a bug, once `broken` is set."""

    broken = False

    def carry(self, octets: bytes, path: Path) -> None:
        if self.broken and path.remote.address == BOB:
            raise RuntimeError("the wire is broken")
        super().carry(octets, path)


def test_a_bug_at_the_farewell_of_one_peer_leaves_nothing_of_another_in_the_kernel() -> None:
    async def story() -> None:
        told: list[str] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(str(context["exception"])))
        world = Broken()
        alice = world.gateway(ALICE, TO_BOB, TO_CAROL)
        world.gateway(BOB, mirrored(TO_BOB), seed=1)
        carol = world.gateway(CAROL, mirrored(TO_CAROL), seed=2)
        for view in (TO_BOB, TO_CAROL):
            await alice.engine.session(view).want("lan")
        world.broken = True
        await alice.engine.stop()
        await asyncio.sleep(10)
        assert alice.nothing_installed
        assert carol.nothing_installed
        assert set(told) == {"the wire is broken"}

    run(story())


class Stuck(MemoryKernel):
    """Never gives another SPI for what comes from Bob, once `stuck` is set."""

    stuck = False

    async def reserve_spi(
        self, source: Address, destination: Address, reqid: int, protocol: Protocol = Protocol.ESP
    ) -> Spi:
        if self.stuck and source == BOB:
            await asyncio.Event().wait()
        return await super().reserve_spi(source, destination, reqid, protocol)


async def waits_for_the_kernel() -> Gateway:
    """Alice, whose session with Bob does."""
    world = World()
    kernel = Stuck(clock=asyncio.get_running_loop().time, entropy=SeededEntropy(3))
    alice = world.gateway(ALICE, TO_BOB, TO_CAROL, kernel=kernel, store=MemoryStore())
    world.gateway(BOB, mirrored(TO_BOB), seed=1)
    world.gateway(CAROL, mirrored(TO_CAROL), seed=2)
    for view in (TO_BOB, TO_CAROL):
        await alice.engine.session(view).want("lan")
    kernel.stuck = True
    alice.engine.session(TO_BOB).rekey(["lan"], phase1=False)
    await asyncio.sleep(1)
    return alice


def test_a_session_that_waits_for_the_kernel_leaves_nothing_of_another_there() -> None:
    async def story() -> None:
        alice = await waits_for_the_kernel()
        await asyncio.wait_for(alice.engine.stop(), STOP_WITHIN + 0.1)
        assert {sa.destination for sa in alice.kernel.sas} & {CAROL} == set()
        assert len(alice.kernel.sas) == 2  # of Bob's pair
        assert alice.troubles == ["the kernel is slow; what is left in it is removed at the next start"]

    run(story())


def test_nor_does_the_hand_over_of_another_one_wait_for_it() -> None:
    async def story() -> None:
        alice = await waits_for_the_kernel()
        assert await alice.engine.hand_over()
        limited = [sa.id for sa in await alice.kernel.dump_sas() if (sa.ends_in or FAR) < FAR]
        assert len(limited) == 2

    run(story())


class Faulty(MemoryKernel):
    """Raises what nobody foresaw where an SA to or from Bob is to be removed or limited, once `faulty` is set."""

    faulty = False

    async def delete_sa(self, sa: SaId) -> None:
        self._fail_for_bob(sa)
        await super().delete_sa(sa)

    async def limit_sa(self, sa: SaId, seconds: int) -> None:
        self._fail_for_bob(sa)
        await super().limit_sa(sa, seconds)

    def _fail_for_bob(self, sa: SaId) -> None:
        if self.faulty and BOB in (sa.destination, self.sas[sa].source):
            raise RuntimeError("the kernel is odd")


async def meets_a_bug() -> tuple[Gateway, list[str]]:
    """Alice, whose kernel raises what nobody foresaw for what she has with Bob; and what is reported."""
    told: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(str(context["exception"])))
    world = World()
    kernel = Faulty(clock=asyncio.get_running_loop().time, entropy=SeededEntropy(3))
    alice = world.gateway(ALICE, TO_BOB, TO_CAROL, kernel=kernel, store=MemoryStore())
    world.gateway(BOB, mirrored(TO_BOB), seed=1)
    world.gateway(CAROL, mirrored(TO_CAROL), seed=2)
    for view in (TO_BOB, TO_CAROL):
        await alice.engine.session(view).want("lan")
    kernel.faulty = True
    return alice, told


def test_a_bug_while_one_peer_is_cleared_away_leaves_nothing_of_another_in_the_kernel() -> None:
    async def story() -> None:
        alice, told = await meets_a_bug()
        await alice.engine.stop()
        assert {BOB in (sa.source, sa.id.destination) for sa in await alice.kernel.dump_sas()} == {True}
        assert alice.kernel.policies == {}
        assert set(told) == {"the kernel is odd"}

    run(story())


def test_nor_does_one_at_the_hand_over_of_one_peer_keep_another_from_being_handed_over() -> None:
    async def story() -> None:
        alice, told = await meets_a_bug()
        assert await alice.engine.hand_over()
        limited = [sa for sa in await alice.kernel.dump_sas() if (sa.ends_in or FAR) < FAR]
        assert sorted({CAROL in (sa.source, sa.id.destination) for sa in limited}) == [True]
        assert len(limited) == 2
        assert told == ["the kernel is odd"]

    run(story())
