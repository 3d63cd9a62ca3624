"""A process that starts with another file than the one before it, watched at each of its steps."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ikevd.host.policies import Action, Direction, KernelPolicy, PolicyId
from ikevd.kernel.memory import MemoryKernel
from ikevd.policy.child import Child, Start
from ikevd.policy.connection import Connection
from ikevd.policy.settings import Listen
from tests.builders import ALICE, BOB, child, connection, mirrored
from tests.gateways import Gateway, World, bring_up
from tests.negotiation.mortal import Machine


def renamed(children: Iterable[Child], base: int) -> tuple[Child, ...]:
    return tuple(replace(one, name=f"new {one.name}", reqid=base + n) for n, one in enumerate(children))


LAN = child()
DMZ = child(name="dmz", reqid=0x696B0001, local="10.1.9.0/24", remote="10.2.9.0/24")
VIEW = connection(children=(LAN, DMZ))
DAVE = BOB + 1
SETTINGS: dict[str, dict[str, Any]] = {
    "alone": {},
    "remove_unknown: false": {"remove_unknown": False},
    "listen.addresses": {"listen": Listen((ALICE,))},
}
"""Of the file."""

CHANGED: dict[str, tuple[Connection, ...]] = {
    "a key of it": (replace(VIEW, nat_keepalive=33.0),),
    "its name": (replace(VIEW, name="robert", children=tuple(replace(c, reqid=c.reqid + 9) for c in VIEW.children)),),
    "the names of its children": (replace(VIEW, children=renamed(VIEW.children, 0x696B0100)),),
    "both": (replace(VIEW, name="robert", children=renamed(VIEW.children, 0x696B0100)),),
    "a number that another child had": (replace(VIEW, name="robert", children=renamed(VIEW.children, DMZ.reqid)),),
    "the networks of two children are exchanged": (
        replace(
            VIEW,
            children=(
                replace(LAN, local=DMZ.local, remote=DMZ.remote),
                replace(DMZ, local=LAN.local, remote=LAN.remote),
            ),
        ),
    ),
    "its address": (replace(VIEW, remote=DAVE),),
    "a child each of two connections": (
        replace(VIEW, children=(LAN,)),
        replace(VIEW, name="robert", remote=DAVE, children=(replace(DMZ, reqid=0x696B0100),)),
    ),
}
"""Files that follow it."""


class Watched(Machine):
    """At each step of its process every policy of `guarded` must stand, in whatever form."""

    guarded: frozenset[PolicyId] = frozenset()

    def strikes(self, point: str) -> bool:
        """See `Machine.strikes`."""
        assert self.guarded <= self.kernel.policies.keys(), f"clear text {point}"
        return super().strikes(point)


def of_children(kernel: MemoryKernel) -> list[PolicyId]:
    """Policies that are no bypass."""
    return [name for name, policy in kernel.policies.items() if policy.action is not Action.BYPASS]


def out(policies: Iterable[KernelPolicy]) -> dict[PolicyId, KernelPolicy]:
    return {one.id: one for one in policies if one.id.direction is Direction.OUT and one.action is not Action.BYPASS}


def waiting(view: Connection) -> Connection:
    """Bob's side of it: he never calls."""
    his = mirrored(view)
    return replace(his, children=tuple(replace(one, start=Start.MANUAL) for one in his.children))


async def both_up(view: Connection = VIEW, **settings: Any) -> tuple[World, Watched, Machine, Gateway]:
    """Alice has called Bob for both children. His machine never changes."""
    world = World()
    hers, his = Watched(world, ALICE, view), Machine(world, BOB, waiting(view))
    hers.settings = settings
    alice, bob = hers.boot(), his.boot()
    for gateway in (alice, bob):
        await gateway.engine.restore()
        gateway.engine.start()
    for name in [one.name for one in view.children]:
        await bring_up(alice, name)
    await asyncio.sleep(1)
    assert len(hers.kernel.sas) == 2 * len(view.children)
    return world, hers, his, bob


def of(gateway: Gateway, child: str) -> list[PolicyId]:
    """The ways out of one child."""
    return [name for name, one in out(gateway.kernel.policies.values()).items() if one.reqid == reqid(gateway, child)]


def reqid(gateway: Gateway, child: str) -> int:
    (found,) = [one.reqid for c in gateway.engine.config.connections for one in c.children if one.name == child]
    return found
