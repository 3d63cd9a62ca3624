"""`python -m bench.hostile`: what one hostile datagram costs beside a genuine one, and what a flood of them leaves.

A whole gateway in memory hears them in virtual time. Cost is CPU time of the process, the median of several rounds.
Memory is what tracemalloc finds, at the end of the flood and when all that is kept for a moment has been given back;
the evidence, which has a bound of its own, is not counted.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import time
import tracemalloc
from collections.abc import Iterator

from bench.forged import ATTACKS, FLOODS, GENUINE, VISITOR, Attack
from ikevd.conversation.timing import LARVAL, LINGER
from ikevd.policy.settings import Limits
from tests.builders import ALICE, BOB, mirrored
from tests.gateways import Gateway, World
from tests.hostile.mallory import Mallory, mallory_at
from tests.virtual_time import run

ROUNDS, EACH = 7, 30


def main() -> None:
    """Print both tables."""
    print(run(_costs()), end="\n\n", flush=True)
    print(run(_left()))


async def _costs() -> str:
    costs = {attack.name: await _cost(attack) for attack in (*GENUINE, *ATTACKS)}
    lines = [f"{'one datagram':58} {'µs':>8} {'times a genuine one':>20}"]
    for attack in (*GENUINE, *ATTACKS):
        ratio = costs[attack.name] / costs[attack.beside]
        lines.append(f"{attack.name:58} {costs[attack.name]:8.0f} {ratio:20.1f}")
    return "\n".join(lines)


async def _cost(attack: Attack) -> float:
    """Microseconds of CPU for one datagram."""
    spent = []
    for _ in range(ROUNDS):
        gateway, mallory = _gateway(authenticated=attack.authenticated)
        datagrams = attack.datagrams(mallory)
        batch = [next(datagrams) for _ in range(EACH)]
        gc.collect()
        gc.disable()
        began = time.process_time()
        for octets in batch:
            mallory.say(octets)
        await asyncio.sleep(0)
        spent.append((time.process_time() - began) * 1e6 / EACH)
        gc.enable()
        assert "bug: datagram dropped" not in gateway.counters.as_dict()
    return statistics.median(spent)


async def _left() -> str:
    lines = [f"{'flood':58} {'KiB at its end':>15} {'KiB left':>9}"]
    for times, attack in FLOODS:
        at_end, left = await _memory(times, attack)
        lines.append(f"{f'{times} times: {attack.name}':58} {at_end / 1024:15.0f} {left / 1024:9.0f}")
    return "\n".join(lines)


async def _memory(times: int, attack: Attack) -> tuple[int, int]:
    """Octets that are held when the last datagram of the flood has come, and for good."""
    bob, mallory = _gateway(authenticated=attack.authenticated)
    datagrams = attack.datagrams(mallory)
    await _hear(mallory, datagrams, 3)
    tracemalloc.start()
    before = _held(bob)
    await _hear(mallory, datagrams, times)
    at_end = _held(bob) - before
    await asyncio.sleep(max(LARVAL, LINGER) + 5)
    left = _held(bob) - before
    tracemalloc.stop()
    return at_end, left


async def _hear(mallory: Mallory, datagrams: Iterator[bytes], times: int) -> None:
    for number in range(times):
        mallory.say(next(datagrams))
        if number % 100 == 0:
            await asyncio.sleep(0)
    await asyncio.sleep(0.1)
    mallory.heard()


def _held(bob: Gateway) -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0] - bob.history.octets


def _gateway(*, authenticated: bool) -> tuple[Gateway, Mallory]:
    """A gateway with places for all, and one whose connection it has; its answers are forgotten once heard."""
    world = World()
    limits = Limits(half_open=100_000, half_open_per_address=100_000)
    bob = world.gateway(BOB, mirrored(VISITOR), limits=limits)

    def heard() -> list[bytes]:
        new = [octets for _, _, octets in world.wire]
        world.wire.clear()
        return new

    mallory = Mallory(VISITOR, mallory_at(ALICE, BOB), bob.engine.datagram, heard)
    if authenticated:
        mallory.establish()
    return bob, mallory


if __name__ == "__main__":
    main()
