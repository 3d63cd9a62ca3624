"""IPComp between whole engines: four SAs for a pair, which come, go on and go together."""

from __future__ import annotations

import asyncio
import errno
from dataclasses import replace

import pytest

from ikevd.errors import KernelRefused
from ikevd.host.policies import Action, Direction, KernelPolicy
from ikevd.host.sas import SaId
from ikevd.policy.child import Start
from ikevd.policy.connection import Connection
from ikevd.sa.model import Spi
from ikevd.wire.registry import Protocol
from tests.builders import BOB, child, connection, mirrored
from tests.gateways import Gateway, World, alice_and_bob, bring_up, reload
from tests.negotiation.mortal import Machine, tunnel
from tests.negotiation.roaming import CLIENTS, HUB_LAN, client, hub
from tests.virtual_time import run

IPCOMP = Protocol.IPCOMP
PLAIN, VIEW = connection(), connection(children=(child(ipcomp=True),))
ALWAYS = connection(children=(child(ipcomp=True, start=Start.ALWAYS),))


def cpis(gateway: Gateway) -> set[Spi]:
    return {name.spi for name in gateway.kernel.sas if name.spi.protocol == IPCOMP}


def compressed(gateway: Gateway) -> list[bool]:
    """In, fwd, out: is the tunnel one of IPComp?"""
    policies = sorted(gateway.kernel.policies.values(), key=lambda policy: policy.id.direction.value)
    return [policy.template.compressed for policy in policies if policy.template]


def out(gateway: Gateway) -> KernelPolicy:
    (found,) = [one for one in gateway.kernel.policies.values() if one.id.direction is Direction.OUT]
    return found


def whole(one: Gateway | Machine, other: Gateway | Machine) -> bool:
    """Do both kernels hold the same four SAs, and nothing else?"""
    return len(one.kernel.sas) == 4 and one.kernel.keys == other.kernel.keys and not one.kernel.larval


async def both_up(view: Connection = VIEW, other: Connection | None = None) -> tuple[World, Gateway, Gateway]:
    world, alice, bob = alice_and_bob(view=view, other=other)
    await bring_up(alice)
    await asyncio.sleep(1)
    return world, alice, bob


def test_a_pair_has_four_sas_in_both_kernels_and_packets_pass_through_two() -> None:
    async def story() -> None:
        _, alice, bob = await both_up()
        assert whole(alice, bob)
        assert len(cpis(alice)) == 2
        assert compressed(alice) == compressed(bob) == [True] * 3
        assert alice.kernel.send(out(alice).id)
        used = [found.id.spi.protocol for found in await alice.kernel.dump_sas() if found.counters.packets]
        assert sorted(used) == [Protocol.ESP, IPCOMP]

    run(story())


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_whoever_takes_it_down_nothing_is_left(who: str) -> None:
    """A Delete names the SPI of ESP alone."""

    async def story() -> None:
        _, alice, bob = await both_up()
        (alice if who == "alice" else bob).session.unwant("lan")
        await asyncio.sleep(20)
        assert alice.nothing_installed
        assert bob.nothing_installed

    run(story())


def test_a_new_pair_has_new_cpis_and_the_old_ones_go() -> None:
    async def story() -> None:
        _, alice, bob = await both_up()
        before = cpis(alice)
        alice.session.rekey(["lan"], phase1=False)
        await asyncio.sleep(120)
        assert whole(alice, bob)
        assert cpis(alice).isdisjoint(before)

    run(story())


@pytest.mark.parametrize("protocol", [IPCOMP, Protocol.ESP], ids=str)
@pytest.mark.parametrize("end", ["in", "out"])
def test_whichever_sa_the_kernel_loses_the_pair_is_made_anew(protocol: Protocol, end: str) -> None:
    async def story() -> None:
        _, alice, bob = await both_up(ALWAYS, mirrored(VIEW))
        (pair,) = alice.session.states["lan"].standing
        spis = pair.sa.inbound_spis if end == "in" else pair.sa.outbound_spis
        at = pair.sa.local if end == "in" else pair.sa.remote
        before = set(alice.kernel.sas)
        alice.kernel.remove_sa(next(SaId(at, spi) for spi in spis if spi.protocol == protocol))
        await asyncio.sleep(60)
        assert whole(alice, bob)
        assert before.isdisjoint(alice.kernel.sas)

    run(story())


@pytest.mark.parametrize("who", ["initiator", "responder", "both"])
def test_a_kill_cuts_nothing(who: str) -> None:
    async def story() -> None:
        _, hers, his, *_ = await tunnel(VIEW)
        before = set(hers.kernel.sas)
        for machine in {"initiator": [hers], "responder": [his], "both": [hers, his]}[who]:
            await machine.restart()
        await asyncio.sleep(100)
        assert set(hers.kernel.sas) == before
        assert whole(hers, his)

    run(story())


@pytest.mark.parametrize("passes", range(1, 5))
@pytest.mark.parametrize("point", ["before add_sa", "after add_sa", "after reserve_spi", "after put"])
@pytest.mark.parametrize("who", ["initiator", "responder"])
def test_wherever_it_is_killed_in_a_quick_mode_both_ends_agree_in_the_end(who: str, point: str, passes: int) -> None:
    async def story() -> None:
        _, hers, his, alice, _ = await tunnel(ALWAYS)
        alice.session.unwant("lan")
        await asyncio.sleep(20)
        killed = hers if who == "initiator" else his
        attempt = asyncio.ensure_future(bring_up(alice))
        killed.kill_at(point, passes)
        await asyncio.sleep(2)
        await killed.restart()
        await asyncio.sleep(120)
        attempt.cancel()
        assert whole(hers, his)
        assert not hers.kernel.dead
        assert not his.kernel.dead

    run(story())


def test_what_stands_goes_though_the_store_is_lost() -> None:
    async def story() -> None:
        _, hers, _, alice, _ = await tunnel(VIEW)
        before = set(alice.kernel.sas)
        hers.kill()
        hers.disk.peers.clear()
        hers.disk.placed.clear()
        await hers.restart()
        await asyncio.sleep(5)
        assert before.isdisjoint(hers.kernel.sas)

    run(story())


def test_a_kernel_without_it_is_named_and_nothing_is_left() -> None:
    async def story() -> None:
        _, alice, bob = alice_and_bob(view=VIEW)
        alice.kernel.lacking = {"deflate"}
        with pytest.raises(KernelRefused, match="this kernel has no deflate for IPCOMP: cannot install IPCOMP SA d"):
            await bring_up(alice)
        await asyncio.sleep(60)
        assert alice.nothing_installed
        assert bob.nothing_installed
        assert not alice.kernel.larval

    run(story())


@pytest.mark.parametrize("nth", [1, 2, 3, 4])
@pytest.mark.parametrize("who", ["initiator", "responder"])
def test_whichever_sa_a_kernel_refuses_nothing_of_the_pair_is_left(who: str, nth: int) -> None:
    async def story() -> None:
        _, alice, bob = alice_and_bob(view=VIEW)
        faulty = alice if who == "initiator" else bob
        faulty.kernel.fail("add_sa", errno.ENOMEM, nth)
        await asyncio.gather(bring_up(alice), return_exceptions=True)
        await asyncio.sleep(60)
        for gateway in (alice, bob):
            assert gateway.nothing_installed
            assert not gateway.kernel.larval

    run(story())


def test_a_reserved_cpi_that_the_peer_has_no_use_for_is_given_back() -> None:
    async def story() -> None:
        _, alice, _ = await both_up(VIEW, mirrored(PLAIN))
        assert cpis(alice) == set()
        assert compressed(alice) == [False] * 3
        assert not alice.kernel.larval

    run(story())


@pytest.mark.parametrize("wish", [True, False], ids=["from now on", "no more"])
def test_a_change_of_the_file_makes_a_pair_beside_the_one_that_stands(wish: bool) -> None:
    async def story() -> None:
        before, after = (PLAIN, VIEW) if wish else (VIEW, PLAIN)
        _, alice, bob = await both_up(before)
        await reload(bob, mirrored(after))
        await reload(alice, after)
        assert out(alice).action is Action.TUNNEL
        await asyncio.sleep(120)
        assert alice.pairs == bob.pairs == 1
        assert compressed(alice) == compressed(bob) == [wish] * 3

    run(story())


def test_clients_from_anywhere_each_have_it() -> None:
    async def story() -> None:
        world = World()
        template = child(local=HUB_LAN, remote="10.3.0.0/16", template=True, ipcomp=True)
        bob = world.gateway(BOB, hub(template, group_key=True))
        callers = CLIENTS[:3]
        for number, where in enumerate(callers):
            wish = child(local=f"10.3.{number}.0/24", remote=HUB_LAN, ipcomp=True)
            await bring_up(world.gateway(where, replace(client(where, HUB_LAN), children=(wish,)), seed=number))
        await asyncio.sleep(1)
        assert bob.pairs == 3
        assert len(cpis(bob)) == 6

    run(story())


def test_the_volume_is_that_of_esp() -> None:
    """What IPComp has counted is not told of its soft limit after a restart: the packets are longer there."""

    async def story() -> None:
        view = replace(VIEW, children=(child(ipcomp=True, lifetime=replace(child().lifetime, kilobytes=4000)),))
        _, hers, _, alice, _ = await tunnel(view)
        (pair,) = alice.session.states["lan"].standing
        assert pair.sa.cpis is not None
        hers.kernel.carry(SaId(pair.sa.remote, pair.sa.cpis.outbound), 3_900_000)
        alice = await hers.restart()
        await asyncio.sleep(30)
        assert alice.session.states["lan"].standing[0].sa == pair.sa

    run(story())
