"""What an earlier process left goes as soon as what replaces it stands, and no sooner."""

from __future__ import annotations

import asyncio
import errno
from dataclasses import replace

import pytest

from ikevd.host.policies import Direction, PolicyId
from ikevd.kernel.faults import Operation
from ikevd.negotiation.placed import OUTSIDE
from ikevd.peer.outside import outside
from ikevd.policy.settings import Config, Listen
from ikevd.store.memory import Disk
from tests.builders import ALICE, BOB, child, connection
from tests.duet import Network
from tests.gateways import World, bring_up
from tests.negotiation.guarded import DMZ, Watched, both_up, of_children, out
from tests.negotiation.mortal import Machine
from tests.negotiation.roaming import CLIENTS, client, hub, networks, two_nats
from tests.virtual_time import run

WIDE = child(name="wide", local="10.1.0.0/16", remote="10.2.0.0/16")
NARROW = child(name="narrow", reqid=0x696B0055)
WIDE_OUT, NARROW_OUT = ("10.1.0.0/16", "10.2.0.0/16"), ("10.1.0.0/24", "10.2.0.0/24")


(HERE,), (THERE,) = NARROW.local.networks, NARROW.remote.networks
THEIRS = PolicyId(HERE, THERE, 0, 0, 0, Direction.OUT)
"""Held by another program, it is in the way of a gate."""


def covered(machine: Machine) -> set[tuple[str, str]]:
    """By source and destination, what does not leave in the clear."""
    return {(str(name.source), str(name.destination)) for name in out(machine.kernel.policies.values())}


@pytest.mark.parametrize("known", [True, False], ids=["known", "the store is lost"])
@pytest.mark.parametrize("nth", range(1, 30))
def test_what_stood_goes_only_once_the_gate_that_replaces_it_stands(nth: int, known: bool) -> None:
    async def story() -> None:
        _, hers, _, _ = await both_up(connection(children=(WIDE,)))
        hers.connections = (connection(children=(NARROW,)),)
        hers.kill()
        if not known:
            hers.disk.peers.clear()
            hers.disk.placed.clear()
        hers.kernel.fail("put_policy", errno.ENOMEM, nth)
        alice = await hers.restart()
        for _ in range(300):
            assert {WIDE_OUT, NARROW_OUT} & covered(hers)
            await asyncio.sleep(0.01)
        await asyncio.sleep(10)
        assert covered(hers) == {NARROW_OUT}
        assert not hers.kernel.sas
        assert hers.disk.placed.keys() == {OUTSIDE, "gates of bob"}
        await alice.engine.stop()

    run(story())


@pytest.mark.parametrize("removal", ["delete_sa", "delete_policy"])
@pytest.mark.parametrize("nth", range(1, 3))
def test_what_nobody_knows_and_the_kernel_refuses_to_remove_goes_once_it_agrees(removal: Operation, nth: int) -> None:
    async def story() -> None:
        _, hers, _, _ = await both_up(connection(children=(WIDE,)))
        hers.connections = (connection(children=(NARROW,)),)
        hers.kill()
        hers.disk = Disk()
        hers.kernel.fail(removal, errno.ENOMEM, nth)
        alice = await hers.restart()
        await asyncio.sleep(10)
        assert not hers.kernel.sas
        assert covered(hers) == {NARROW_OUT}
        assert any("ENOMEM" in said for said in alice.troubles)

    run(story())


@pytest.mark.parametrize("nth", range(1, 4))
def test_a_bypass_that_the_kernel_refuses_at_the_start_stands_soon_after(nth: int) -> None:
    async def story() -> None:
        _, hers, _, _ = await both_up(connection(children=(WIDE,)))
        wanted = outside(Config(hers.connections), ())
        hers.kill()
        hers.kernel.flush_policies()
        hers.kernel.fail("put_policy", errno.ENOMEM, nth)
        await hers.restart()
        assert not wanted.keys() <= hers.kernel.policies.keys()
        await asyncio.sleep(10)
        assert wanted.keys() <= hers.kernel.policies.keys()

    run(story())


def test_as_long_as_the_kernel_refuses_it_stays_and_the_log_says_so_once() -> None:
    async def story() -> None:
        _, hers, _, _ = await both_up(connection(children=(WIDE, DMZ)))
        hers.connections = (connection(children=(NARROW,)),)
        hers.kill()
        hers.kernel.plant_policy(THEIRS, 4711)
        alice = await hers.restart()
        await asyncio.sleep(600)
        assert covered(hers) == {WIDE_OUT}, "what has nothing to do with it is gone"
        stay = "policies that are not wanted any more stay until those that replace them stand: 3"
        assert alice.troubles.count(stay) == 1
        hers.kernel.remove_policy(THEIRS)
        await asyncio.sleep(130)
        assert covered(hers) == {NARROW_OUT}

    run(story())


def test_a_process_that_ends_for_good_leaves_none_of_it() -> None:
    async def story() -> None:
        _, hers, _, _ = await both_up(connection(children=(WIDE,)))
        hers.connections = (connection(children=(NARROW,)),)
        hers.kill()
        hers.kernel.plant_policy(THEIRS, 4711)
        alice = await hers.restart()
        await alice.engine.stop()
        assert not hers.kernel.policies

    run(story())


@pytest.mark.parametrize("call", ["delete_sa", "delete_policy"])
def test_what_the_kernel_refuses_to_remove_is_told_once_and_removed_as_soon_as_it_agrees(call: Operation) -> None:
    async def story() -> None:
        _, hers, _, _ = await both_up(listen=Listen((ALICE,)))
        hers.connections = ()
        hers.kill()
        for nth in range(1, 10):
            hers.kernel.fail(call, errno.ENOMEM, nth)
        alice = await hers.restart()
        assert [*hers.kernel.sas, *of_children(hers.kernel)]
        await asyncio.sleep(30)
        assert [*hers.kernel.sas, *of_children(hers.kernel)] == []
        assert [text.split(":")[0] for text in alice.troubles] == ["what is not wanted any more is still there"]
        assert hers.disk.placed.keys() == {OUTSIDE}

    run(story())


@pytest.mark.parametrize("call", ["delete_sa", "delete_policy"])
def test_by_the_next_process_too(call: Operation) -> None:
    async def story() -> None:
        _, hers, _, _ = await both_up(listen=Listen((ALICE,)))
        hers.connections = ()
        hers.kernel.fail(call, errno.ENOMEM)
        await hers.restart()
        before = {*hers.kernel.sas, *hers.kernel.policies}
        alice = await hers.restart()
        assert len(before - {*hers.kernel.sas, *hers.kernel.policies}) == 1
        assert alice.troubles == []
        assert [*hers.kernel.sas, *of_children(hers.kernel)] == []
        assert hers.disk.placed.keys() == {OUTSIDE}

    run(story())


@pytest.mark.parametrize("after", [0.2, 1.5, 5.0])
def test_what_a_client_needs_again_by_then_stays(after: float) -> None:
    """It has the same reqid and the same selectors as before."""

    async def story() -> None:
        world, view = World(Network(nat=two_nats())), hub(*networks(1), group_key=True)
        machine = Watched(world, BOB, view)
        await machine.restart()
        first = world.gateway(CLIENTS[0], client(CLIENTS[0], "10.3.0.0/24"))
        await bring_up(first)
        await asyncio.sleep(1)
        before = {one.id: one.reqid for one in out(machine.kernel.policies.values()).values()}
        machine.connections = (replace(view, nat_keepalive=33.0),)
        machine.kill()
        for nth in range(1, 10):
            machine.kernel.fail("delete_policy", errno.ENOMEM, nth)
        bob = await machine.restart()
        await asyncio.sleep(after)
        await bring_up(first)
        machine.guarded = frozenset(before)
        await asyncio.sleep(60)
        assert {one.id: one.reqid for one in out(machine.kernel.policies.values()).values()} == before
        assert bob.pairs == 1
        assert len(machine.kernel.sas) == 2
        assert not [name for name in machine.disk.placed if name.startswith("left")]

    run(story())
