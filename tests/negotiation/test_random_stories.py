"""Random commands, refusals of slow kernels, loss and short lifetimes, by seed: at the end both sides agree."""

from __future__ import annotations

import asyncio
import errno
import random
from collections.abc import Iterator
from typing import Any

import pytest

from ikevd.host.policies import Action, Direction
from ikevd.kernel.memory import MemoryKernel
from ikevd.peer.child_state import ChildState
from ikevd.peer.start import has_trap
from ikevd.policy.child import Child, Start
from ikevd.policy.lives import Lifetime
from tests.builders import child, connection
from tests.duet import Network
from tests.gateways import Gateway, alice_and_bob
from tests.virtual_time import run

SLOW = ("reserve_spi", "add_sa", "delete_sa", "put_policy", "delete_policy")
PAUSES = (0.0, 0.01, 0.05, 0.2, 2.0, 10.0, 60.0)


def slow_down(kernel: MemoryKernel, dice: random.Random) -> None:
    """Every call takes a while, before and after it is done."""

    def slowly(call: Any) -> Any:
        async def slow_call(*words: Any, **names: Any) -> Any:
            await asyncio.sleep(dice.random() * 0.03)
            result = await call(*words, **names)
            await asyncio.sleep(dice.random() * 0.03)
            return result

        return slow_call

    for name in SLOW:
        setattr(kernel, name, slowly(getattr(kernel, name)))


def disturb(gateway: Gateway, dice: random.Random) -> None:
    """One command of an operator, or one refusal to come."""
    session = gateway.engine.session(gateway.engine._config.connections[0])
    name, chance = f"c{dice.randrange(3)}", dice.random()
    if chance < 0.45:
        session.want(name).add_done_callback(lambda future: future.exception())
    elif chance < 0.75:
        session.unwant(name)
    elif chance < 0.85:
        session.end()
    else:
        gateway.kernel.fail(dice.choice(("add_sa", "put_policy", "reserve_spi")), errno.ENOMEM, dice.randrange(1, 4))


async def story(seed: int) -> tuple[Gateway, Gateway]:
    dice = random.Random(seed)
    children = tuple(
        child(
            name=f"c{n}",
            reqid=0x696B0000 + n,
            local=f"10.1.{n}.0/24",
            remote=f"10.2.{n}.0/24",
            start=dice.choice(list(Start)),
            lifetime=Lifetime(dice.choice((60, 3600))),
        )
        for n in range(3)
    )
    network = Network(loss=dice.choice((0.0, 0.2)), duplicate=0.1, jitter=0.05, seed=seed)
    view = connection(children=children, lifetime=Lifetime(dice.choice((70, 86400))))
    _, alice, bob = alice_and_bob(network, view, seed=seed * 7)
    for gateway in (alice, bob):
        slow_down(gateway.kernel, dice)
        gateway.engine.start()
    for _ in range(25):
        await asyncio.sleep(dice.choice(PAUSES) * dice.random())
        disturb(dice.choice((alice, bob)), dice)
    network.loss = 0.0
    await asyncio.sleep(120)
    await quiet(alice, bob)
    return alice, bob


async def quiet(*gateways: Gateway) -> None:
    """Until nothing is under way, rekeyings with the pairs that they replace included."""
    for _ in range(100):
        sessions = [session for gateway in gateways for session in gateway.engine.sessions()]
        for session in sessions:
            await session.settled()
        pairs = [pair for session in sessions for child in session.states.values() for pair in child.pairs]
        replacing = any(pair.use_at is not None or pair.leave_at is not None for pair in pairs)
        if not (replacing or any(s.state.quick_modes or s.state.waiting or s.state.phase1 for s in sessions)):
            return
        await asyncio.sleep(1)
    raise AssertionError("never quiet")


def states(gateway: Gateway) -> Iterator[tuple[Child, ChildState]]:
    """Each child as it is configured, and as it stands."""
    for session in gateway.engine.sessions():
        for one in session.connection.children:
            yield one, session.states[one.name]


def spis(gateway: Gateway) -> set[tuple[int, int]]:
    """What the sessions believe to stand: (inbound, outbound)."""
    return {(pair.sa.inbound, pair.sa.outbound) for _, state in states(gateway) for pair in state.pairs}


@pytest.mark.parametrize("seed", [*range(15), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(15, 40))])
def test_both_sides_and_both_kernels_agree_in_the_end(seed: int) -> None:
    async def whole() -> None:
        alice, bob = await story(seed)
        assert spis(alice) == {(inbound, outbound) for outbound, inbound in spis(bob)}
        for gateway in (alice, bob):
            believed = {spi for pair in spis(gateway) for spi in pair}
            assert {int(sa.spi) for sa in gateway.kernel.sas} == believed
            open_ways = [child for child, state in states(gateway) if state.pairs or has_trap(child, state)]
            outward = [p.action for p in gateway.kernel.policies.values() if p.id.direction is Direction.OUT]
            assert outward.count(Action.TUNNEL) == len(open_ways)

    run(whole())
