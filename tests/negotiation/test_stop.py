"""The end of a daemon: a bug that meets one peer leaves nothing of another in the kernel."""

from __future__ import annotations

import asyncio

from ikevd.addresses import Path
from tests.builders import ALICE, BOB, child, connection, mirrored
from tests.gateways import World
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
