"""What tunnels take in memory, by the allocator's count. Both ends of each are in this process."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from dataclasses import replace
from ipaddress import ip_address

import pytest

from ikevd.conversation.timing import LINGER
from ikevd.observe import history
from tests.builders import BOB, child, connection, mirrored
from tests.gateways import Gateway, World
from tests.virtual_time import run

FIRST = ip_address("10.77.0.1")
BEFORE, TUNNELS = 10, 40
"""The first ones bring with them what all have in common."""


def octets(world: World) -> int:
    """All that is in use, but for what the test itself keeps."""
    world.wire.clear()
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def hub_and_spokes(world: World) -> Gateway:
    """One gateway of many addresses that calls another one of one."""
    lans = [child(local=f"10.100.{number}.0/24", reqid=0x696B0000 + number) for number in range(BEFORE + TUNNELS)]
    views = [connection(name=f"hub{number}", local=FIRST + number, children=(lan,)) for number, lan in enumerate(lans)]
    hub = world.gateway(BOB, *(replace(mirrored(view), name=view.name) for view in views))
    spokes = world.gateway(FIRST, *views)
    hub.engine.start()
    spokes.engine.start()
    world.gateways.update((FIRST + number, spokes) for number in range(BEFORE + TUNNELS))
    return spokes


async def bring_up(spokes: Gateway, numbers: range) -> None:
    views = spokes.engine.config.connections
    await asyncio.gather(*(spokes.engine.session(views[number]).want("lan") for number in numbers))


@pytest.mark.parametrize(("seconds", "most"), [(1.0, 14_000), (LINGER + 5, 10_000)], ids=["at first", "later"])
def test_one_end_of_a_tunnel_takes_10_kB_and_4_more_while_its_exchanges_may_have_to_be_repeated(
    monkeypatch: pytest.MonkeyPatch, seconds: float, most: int
) -> None:
    monkeypatch.setattr(history, "MAX_UNPACKED", 4)  # of ten thousand tunnels those that are not packed do not count

    async def story() -> None:
        world = World()
        spokes = hub_and_spokes(world)
        await bring_up(spokes, range(BEFORE))
        await asyncio.sleep(LINGER + 5)
        before = octets(world)
        await bring_up(spokes, range(BEFORE, BEFORE + TUNNELS))
        await asyncio.sleep(seconds)
        assert spokes.pairs == BEFORE + TUNNELS
        each = (octets(world) - before) / TUNNELS / 2
        assert each <= most

    tracemalloc.start()
    try:
        run(story())
    finally:
        tracemalloc.stop()
