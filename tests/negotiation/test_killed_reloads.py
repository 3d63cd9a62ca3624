"""A process that is killed while it carries out another file: the next one does the rest."""

from __future__ import annotations

import asyncio
import gc
from contextlib import suppress
from dataclasses import replace

import pytest

from ikevd.host.policies import PolicyId
from ikevd.policy.connection import Connection
from ikevd.policy.selectors import TrafficSelector
from ikevd.policy.settings import Listen
from ikevd.store.memory import Killed
from tests.builders import ALICE, psk, selector
from tests.gateways import reload
from tests.negotiation.guarded import CHANGED, DMZ, LAN, VIEW, Watched, both_up, out
from tests.virtual_time import run

pytestmark = [
    pytest.mark.long,  # some 240 stories
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),  # coroutines of the killed
]

POINTS = [
    f"{when} {call}"
    for call in ("place", "put", "put_policy", "delete_policy", "delete_sa")
    for when in ("before", "after")
]
SAME = ("both", "the names of its children", "the networks of two children are exchanged")
AFTER: dict[str, tuple[Connection, ...]] = {
    **{name: CHANGED[name] for name in SAME},
    "gone": (),
    "another key": (replace(VIEW, psk=psk("another one")),),
    "one child alone": (replace(VIEW, children=(replace(LAN, remote=selector("10.3.0.0/24")), DMZ)),),
}


def _selectors(name: PolicyId) -> tuple[TrafficSelector, TrafficSelector]:
    return TrafficSelector.of(name.source), TrafficSelector.of(name.destination)


async def killed_at(machine: Watched, point: str, passes: int, after: tuple[Connection, ...]) -> None:
    """While the process carries out that file."""
    assert machine.gateway is not None
    machine.kill_at(point, passes)
    reloading = asyncio.ensure_future(reload(machine.gateway, *after))
    await asyncio.sleep(0.5)
    reloading.cancel()
    with suppress(asyncio.CancelledError, Killed):
        await reloading
    machine.kill()


@pytest.mark.parametrize("passes", [1, 2, 3, 5])
@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("after", AFTER.values(), ids=AFTER)
def test_whoever_is_killed_meanwhile_leaves_the_rest_to_the_next_process(
    after: tuple[Connection, ...], point: str, passes: int
) -> None:
    async def story() -> None:
        _, hers, his, bob = await both_up(listen=Listen((ALICE,)))
        both = {(c.local, c.remote) for view in after for c in view.children}
        guarded = {name for name in out(hers.kernel.policies.values()) if _selectors(name) in both}
        hers.guarded = frozenset(guarded)
        await killed_at(hers, point, passes, after)
        hers.connections = after
        alice = await hers.restart()
        await asyncio.sleep(60)
        gates = out(hers.kernel.policies.values())
        assert {_selectors(name) for name in gates} == both
        assert {one.reqid for one in gates.values()} == {c.reqid for view in after for c in view.children}
        assert alice.pairs == bob.pairs
        assert len(hers.kernel.sas) == len(his.kernel.sas) == 2 * alice.pairs

    run(story())
    gc.collect()  # what the killed process left half-way is not the next test's
