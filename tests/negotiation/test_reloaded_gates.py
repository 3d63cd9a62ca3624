"""A file that is read again: the gates of what is down follow it, and those of others are not touched."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from ikevd.host.policies import Action, KernelPolicy, PolicyId
from ikevd.kernel.memory import MemoryKernel
from ikevd.policy.child import Start
from ikevd.policy.connection import Connection
from ikevd.policy.settings import Shunt
from tests.builders import ALICE, SeededEntropy, child, connection, selector
from tests.gateways import World, reload
from tests.negotiation.guarded import DAVE, DMZ, LAN, VIEW, both_up, of, out
from tests.virtual_time import run


def test_bypasses_come_and_go_before_and_after_what_they_concern() -> None:
    async def story() -> None:
        _, hers, _, _ = await both_up()
        alice, before = hers.gateway, dict(hers.kernel.policies)
        assert alice is not None
        own = Shunt("own", selector("10.1.0.0/24"), selector("10.1.0.0/16"))
        await reload(alice, VIEW, bypasses=(own,))
        added = {name: one for name, one in hers.kernel.policies.items() if name not in before}
        assert len(added) == 3
        assert {one.action for one in added.values()} == {Action.BYPASS}
        await reload(alice, VIEW, bypasses=())
        assert hers.kernel.policies == before
        assert alice.troubles == []

    run(story())


def test_fail_open_opens_and_shuts_the_gate_of_a_child_that_is_down() -> None:
    async def story() -> None:
        world = World()
        alice = world.gateway(ALICE, VIEW)
        await alice.engine.restore()
        alice.engine.start()
        gates = out(alice.kernel.policies.values())
        assert len(gates) == 2
        await reload(alice, replace(VIEW, children=(replace(LAN, fail_open=True), DMZ)))
        assert out(alice.kernel.policies.values()).keys() == set(of(alice, "dmz"))
        await reload(alice, VIEW)
        assert out(alice.kernel.policies.values()) == gates

    run(story())


def test_a_child_that_is_on_demand_now_has_a_trap() -> None:
    async def story() -> None:
        alice = World().gateway(ALICE, VIEW)
        await alice.engine.restore()
        alice.engine.start()
        await reload(alice, replace(VIEW, children=(replace(LAN, start=Start.ON_DEMAND), DMZ)))
        await asyncio.sleep(1)
        (gate,) = [alice.kernel.policies[name] for name in of(alice, "lan")]
        (block,) = [alice.kernel.policies[name] for name in of(alice, "dmz")]
        assert block.action is Action.BLOCK
        assert gate.action is not Action.BLOCK
        assert alice.troubles == []

    run(story())


def test_a_thousand_connections_of_which_one_changes_leave_the_others_alone() -> None:
    """Counted in calls of the kernel, not in seconds; `bench reload` has the figure."""

    async def story() -> None:
        world = World()
        views = [_numbered(number) for number in range(1000)]
        alice = world.gateway(ALICE, *views, kernel=(kernel := Counted()))
        await alice.engine.restore()
        alice.engine.start()
        await asyncio.sleep(1)
        before = dict(alice.kernel.policies)
        changed = replace(views[500], children=(replace(views[500].children[0], remote=selector("10.250.0.0/24")),))
        kernel.numbers.clear()
        await reload(alice, *views[:500], changed, *views[501:])
        await asyncio.sleep(1)
        (number,) = kernel.numbers
        assert number == alice.engine.config.connections[500].children[0].reqid
        same = {name: one for name, one in before.items() if one.reqid != number}
        assert same.items() <= alice.kernel.policies.items()

    run(story())


def _numbered(number: int) -> Connection:
    high, low = divmod(number, 250)
    lan = child(reqid=0x696B0000 + number, remote=f"10.{100 + high}.{low}.0/24", start=Start.MANUAL)
    return connection(name=f"peer {number}", remote=DAVE + number, children=(lan,))


class Counted(MemoryKernel):
    """Of its policies: the reqids of those that are put or removed."""

    def __init__(self) -> None:
        super().__init__(asyncio.get_running_loop().time, SeededEntropy(0))
        self.numbers = set[int]()

    async def put_policy(self, policy: KernelPolicy, *, former: int | None = None) -> None:
        self.numbers.add(policy.reqid)
        await super().put_policy(policy, former=former)

    async def delete_policy(self, policy: PolicyId, reqid: int) -> None:
        self.numbers.add(reqid)
        await super().delete_policy(policy, reqid)
