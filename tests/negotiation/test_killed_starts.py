"""A process that is killed while it starts with another file: the next one does the rest."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ikevd.host.policies import Action
from ikevd.negotiation.placed import LEFT, OUTSIDE
from ikevd.policy.settings import Listen
from tests.builders import ALICE
from tests.gateways import World
from tests.negotiation.guarded import CHANGED, SETTINGS, VIEW, Watched, both_up, of_children, out
from tests.negotiation.mortal import Machine
from tests.virtual_time import run

pytestmark = pytest.mark.long  # some 300 starts

POINTS = [
    f"{when} {call}"
    for call in ("place", "put", "put_policy", "delete_policy", "delete_sa")
    for when in ("before", "after")
]
NAMES = [
    "both",
    "the names of its children",
    "a number that another child had",
    "the networks of two children are exchanged",
    "gone",
]


async def killed_at(machine: Machine, point: str, passes: int) -> None:
    """While another process starts."""
    machine.kill()
    killed = machine.boot()
    machine.kill_at(point, passes)
    restoring = asyncio.ensure_future(killed.engine.restore())
    await asyncio.sleep(0.5)
    restoring.cancel()
    machine.kill()


@pytest.mark.parametrize("passes", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("after", NAMES)
def test_whoever_is_killed_meanwhile_leaves_the_rest_to_the_next_process(after: str, point: str, passes: int) -> None:
    async def story() -> None:
        _, hers, _, bob = await both_up(listen=Listen((ALICE,)))
        hers.connections = CHANGED.get(after, ())
        wanted = out(hers.kernel.policies.values()) if hers.connections else {}
        hers.guarded = frozenset(wanted)
        await killed_at(hers, point, passes)
        await hers.restart()
        await asyncio.sleep(60)
        gates = out(hers.kernel.policies.values())
        assert gates.keys() == wanted.keys()
        assert {one.action for one in gates.values()} <= {Action.BLOCK}
        assert {one.reqid for one in gates.values()} == {c.reqid for view in hers.connections for c in view.children}
        assert not hers.kernel.sas
        assert bob.nothing_installed

    run(story())


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("passes", range(1, 6))
@pytest.mark.parametrize("point", ["before place", "after place", "before put_policy", "after put_policy"])
def test_a_gate_that_has_no_tunnel_is_turned_too(settings: dict[str, Any], point: str, passes: int) -> None:
    async def story() -> None:
        hers = Watched(World(), ALICE, VIEW)
        hers.settings = settings
        await hers.restart()
        hers.guarded = frozenset(out(hers.kernel.policies.values()))
        hers.connections = CHANGED["both"]
        await killed_at(hers, point, passes)
        alice = await hers.restart()
        await asyncio.sleep(1)
        gates = out(hers.kernel.policies.values())
        assert {one.reqid for one in gates.values()} == {c.reqid for view in hers.connections for c in view.children}
        assert gates.keys() == hers.guarded
        assert alice.troubles == []

    run(story())


@pytest.mark.parametrize("passes", range(1, 5))
def test_what_is_left_stays_known_however_often_a_process_is_killed(passes: int) -> None:
    """Each of them writes the list anew."""

    async def story() -> None:
        _, hers, _, _ = await both_up(listen=Listen((ALICE,)))
        hers.connections = ()
        for number in range(1, 8):
            await killed_at(hers, "after place" if number % 2 else "after delete_policy", passes)
        assert len([name for name in hers.disk.placed if name.startswith(LEFT)]) <= 2
        await hers.restart()
        await asyncio.sleep(1)
        assert not hers.kernel.sas
        assert of_children(hers.kernel) == []
        assert hers.disk.placed.keys() == {OUTSIDE}

    run(story())
