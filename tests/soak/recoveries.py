"""How soon a tunnel is back on a bad network, after the peer or we were killed and had lost everything.

`python -m tests.soak.recoveries --trials 1000 --seed 0`: virtual time, two whole engines; 20 % of the datagrams are
lost each way, 5 % come twice, a round trip takes 300 ms and more.
"""

from __future__ import annotations

import argparse
import asyncio
import random
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any

from ikevd.policy.child import Start
from ikevd.policy.connection import Connection
from ikevd.sa.model import Spi
from tests.builders import child, connection, mirrored
from tests.duet import Network
from tests.gateways import Gateway, World, alice_and_bob
from tests.virtual_time import run

ALWAYS = connection(children=(child(start=Start.ALWAYS),))
LOOK = 0.05
WORST = 600.0
"""Later than that counts as never."""
IN_TIME = 15.0
"""Seconds, beside those after which a silent peer is asked."""


def bad(seed: int) -> Network:
    """One datagram in five is lost; a round trip takes 300 ms, and some datagrams overtake others."""
    return Network(loss=0.2, duplicate=0.05, delay=0.15, jitter=0.02, seed=seed)


@dataclass(frozen=True)
class Recovery:
    """Of one kind."""

    name: str
    promised: float
    """Seconds."""
    story: Callable[[int], Coroutine[Any, Any, float]]


async def bring_up_for_good(gateway: Gateway) -> None:
    """Its children start always: a failure is followed by another attempt."""
    gateway.engine.start()
    await until(lambda: gateway.pairs == 1)


async def until(condition: Callable[[], bool]) -> float:
    """Seconds until it holds, at most `WORST`."""
    looks = round(WORST / LOOK)
    for look in range(looks):
        if condition():
            return look * LOOK
        await asyncio.sleep(LOOK)
    return WORST


async def together(alice: Gateway, bob: Gateway) -> float:
    """How long it takes until both have the same pair."""
    return await until(lambda: joined(alice, bob))


async def heard_just_now(gateway: Gateway) -> None:
    """Wait for the peer's next sign of life: the silence that follows is the longest before it is asked."""
    now = asyncio.get_running_loop().time
    await until(lambda: max(isakmp.heard for isakmp in gateway.session.live) >= now() - LOOK)


def joined(alice: Gateway, bob: Gateway) -> bool:
    """Does each send by an SA that the other one receives by?"""
    ours, theirs = newest(alice), newest(bob)
    return ours is not None and theirs is not None and ours == (theirs[1], theirs[0])


def newest(gateway: Gateway) -> tuple[Spi, Spi] | None:
    """Inbound and outbound SPI of its newest pair."""
    children = (state for session in gateway.engine.sessions() for state in session.states.values())
    pairs = [pair.sa for state in children for pair in state.standing]
    return (pairs[-1].inbound, pairs[-1].outbound) if pairs else None


def replaced(world: World, gateway: Gateway, view: Connection, seed: int) -> Gateway:
    """Another process in its place, which knows nothing of what the former one had."""
    for session in gateway.engine.sessions():
        session.close()
    return world.gateway(gateway.address, view, seed=seed)


async def peer_lost_all(seed: int) -> float:
    """The peer is killed right after a sign of life on an idle tunnel, and the next one calls nobody."""
    chance = random.Random(seed)
    world, alice, bob = alice_and_bob(bad(seed), ALWAYS, seed=seed * 10)
    first = (alice, bob)[seed % 2]
    await bring_up_for_good(first)
    await together(alice, bob)
    if first is bob:
        alice.engine.start()
    await asyncio.sleep(100 + chance.random() * 60)
    await heard_just_now(alice)
    bob = replaced(world, bob, mirrored(ALWAYS), seed * 10 + 7)
    return await together(alice, bob)


async def we_lost_all(seed: int) -> float:
    """We are killed, and the next process calls the peer, which holds all that was."""
    chance = random.Random(seed)
    passive = connection(children=(child(start=Start.MANUAL),))
    world, alice, bob = alice_and_bob(bad(seed), ALWAYS, mirrored(passive), seed=seed * 10)
    await bring_up_for_good(alice)
    await asyncio.sleep(100 + chance.random() * 60)
    alice = replaced(world, alice, ALWAYS, seed * 10 + 7)
    alice.engine.start()
    return await together(alice, bob)


RECOVERIES = (
    Recovery("the peer has lost everything", ALWAYS.dpd.delay + IN_TIME, peer_lost_all),
    Recovery("we have lost everything", IN_TIME, we_lost_all),
)


def main() -> None:
    """Print the distribution of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for recovery in RECOVERIES:
        took = trials(recovery, range(options.seed, options.seed + options.trials))
        middle, late = took[len(took) // 2], took[len(took) * 95 // 100]
        print(
            f"{recovery.name}: {held(recovery, took)} of {len(took)} within {recovery.promised:g} s; "
            f"median {middle:.1f}, 95th {late:.1f}, worst {took[-1]:.1f} s"
        )


def trials(recovery: Recovery, seeds: Iterable[int]) -> list[float]:
    """Seconds, the shortest first."""
    return sorted(run(recovery.story(seed)) for seed in seeds)


def held(recovery: Recovery, took: Iterable[float]) -> int:
    """How often the promise was kept."""
    return sum(seconds <= recovery.promised for seconds in took)


if __name__ == "__main__":
    main()
