"""Children are rekeyed between two whole engines, with packets that flow both ways: not one is lost."""

from __future__ import annotations

import asyncio

import pytest

from ikevd.host.sas import SaId
from ikevd.policy.child import Rekey, Start
from ikevd.policy.connection import Connection
from ikevd.policy.lives import Lifetime
from ikevd.sa.model import Spi
from tests.builders import BOB, child, connection, mirrored
from tests.duet import Network
from tests.gateways import alice_and_bob, bring_up
from tests.negotiation.traffic import Traffic, spis, tunnel, until
from tests.virtual_time import run

MINUTE = Lifetime(60)


def of_a_minute(start: Start = Start.MANUAL, rekey: Rekey = Rekey.YES) -> Connection:
    return connection(children=(child(lifetime=MINUTE, start=start, rekey=rekey),))


def test_the_end_that_began_a_pair_rekeys_it_before_its_time_and_no_packet_is_lost() -> None:
    async def story() -> None:
        world, alice, bob = alice_and_bob(view=of_a_minute())
        async with await tunnel(world, alice, bob) as traffic:
            first = spis(alice)
            await asyncio.sleep(54.5)
            assert spis(alice) != first
            assert all(pair.sa.initiator for pair in alice.session.states["lan"].standing)
            await asyncio.sleep(250)
        assert (traffic.lost, traffic.most) == ([], 2)
        assert alice.pairs == bob.pairs

    run(story())


def test_the_other_end_rekeys_it_where_that_does_not() -> None:
    async def story() -> None:
        world, alice, bob = alice_and_bob(view=of_a_minute(rekey=Rekey.NO), other=mirrored(of_a_minute()))
        async with await tunnel(world, alice, bob) as traffic:
            await asyncio.sleep(300)
        assert (traffic.lost, traffic.most) == ([], 2)
        assert not any(pair.sa.initiator for pair in alice.session.states["lan"].standing)

    run(story())


def test_30_s_after_a_quick_mode_one_pair_is_left_and_the_kernels_agree() -> None:
    async def story() -> None:
        world, alice, bob = alice_and_bob(view=connection(children=(child(lifetime=Lifetime(600)),)))
        async with await tunnel(world, alice, bob) as traffic:
            first = spis(alice)
            await until(lambda: len(spis(alice)) == 2)
            await asyncio.sleep(30)
            assert (alice.pairs, bob.pairs) == (1, 1)
            assert spis(alice) != first
            assert alice.kernel.keys == bob.kernel.keys
        assert traffic.lost == []

    run(story())


@pytest.mark.parametrize("pause", [0.0, 1.0, 4.9])
def test_two_rekeyings_by_command_one_after_the_other_cost_no_packet(pause: float) -> None:
    async def story() -> None:
        world, alice, bob = alice_and_bob(Network(delay=0.3))
        async with await tunnel(world, alice, bob) as traffic:
            for _ in range(3):
                (rekeyed,) = alice.session.rekey(["lan"], phase1=False)
                await rekeyed
                await asyncio.sleep(pause)
            await asyncio.sleep(30)
        assert (traffic.lost, traffic.most) == ([], 2)
        assert (alice.pairs, bob.pairs) == (1, 1)

    run(story())


@pytest.mark.long
@pytest.mark.parametrize("seed", range(5))
def test_a_bad_network_cuts_nothing(seed: int) -> None:
    """20 % of the messages of IKE are lost: the margin has room for what is sent again."""

    async def story() -> None:
        network = Network(loss=0.2, duplicate=0.1, jitter=0.05, seed=seed)
        world, alice, bob = alice_and_bob(network, connection(children=(child(lifetime=Lifetime(600)),)), seed=seed)
        async with await tunnel(world, alice, bob) as traffic:
            await asyncio.sleep(1500)
        assert (traffic.lost, traffic.most) == ([], 2)

    run(story())


def test_a_rekeying_that_fails_cuts_nothing_and_is_tried_again_until_the_end() -> None:
    async def story() -> None:
        world, alice, bob = alice_and_bob(view=of_a_minute(start=Start.ALWAYS))
        async with await tunnel(world, alice, bob) as traffic:
            await asyncio.sleep(40)
            world.network.tamper = lambda sender, datagram: []
            await asyncio.sleep(15)
            assert (traffic.lost, spis(alice)) == ([], spis(alice))
            world.network.tamper = lambda sender, datagram: [datagram]
            await asyncio.sleep(30)
            assert alice.session.states["lan"].carries

    run(story())


def test_without_rekeying_a_pair_lapses_and_the_start_action_decides() -> None:
    async def story() -> None:
        view = of_a_minute(rekey=Rekey.NO)
        world, alice, bob = alice_and_bob(view=view, other=mirrored(view))
        await tunnel(world, alice, bob)
        await asyncio.sleep(70)
        assert (alice.pairs, bob.pairs) == (0, 0)

    run(story())


def test_a_child_that_is_taken_down_during_its_rekeying_stays_down() -> None:
    async def story() -> None:
        world, alice, bob = alice_and_bob(view=of_a_minute())
        await tunnel(world, alice, bob)
        await until(lambda: len(spis(alice)) == 2)
        alice.session.unwant("lan")
        await asyncio.sleep(60)
        assert (alice.pairs, bob.pairs) == (0, 0)
        assert alice.nothing_installed
        assert bob.nothing_installed

    run(story())


def test_the_peer_deletes_the_new_pair_and_the_old_one_carries_on() -> None:
    async def story() -> None:
        world, alice, bob = alice_and_bob(view=connection(children=(child(lifetime=Lifetime(600)),)))
        async with await tunnel(world, alice, bob) as traffic:
            (first,) = spis(alice)
            await until(lambda: len(spis(alice)) == 2)
            await asyncio.sleep(6)
            _, new = spis(bob)
            bob.kernel.remove_sa(SaId(BOB, Spi(new)))
            await asyncio.sleep(1)
            assert spis(alice)[0] == first
            assert new not in spis(bob)
        assert len(traffic.lost) <= 2

    run(story())


@pytest.mark.parametrize("caller", ["alice", "bob"])
def test_a_pair_is_rekeyed_before_its_volume_is_used_up(caller: str) -> None:
    async def story() -> None:
        counted = child(lifetime=Lifetime(3600, 2560))
        _, alice, bob = alice_and_bob(view=connection(children=(counted,)))
        await bring_up(alice if caller == "alice" else bob)
        await until(lambda: bool(alice.pairs and bob.pairs))
        async with Traffic(alice, bob, octets=5000) as traffic:  # 50 kB a second
            await asyncio.sleep(180)
        assert (traffic.lost, traffic.most) == ([], 2)
        assert [pair.sa.initiator for pair in alice.session.states["lan"].standing] == [caller == "alice"]

    run(story())


def test_what_the_kernel_told_while_no_process_listened_is_seen_in_its_counters() -> None:
    async def story() -> None:
        world, alice, bob = alice_and_bob(view=connection(children=(child(lifetime=Lifetime(3600, 2560)),)))
        await tunnel(world, alice, bob)
        first = spis(alice)
        (outbound,) = [sa for sa in alice.kernel.sas if sa.destination == BOB]
        with alice.kernel.deaf():
            alice.kernel.carry(outbound, 2000 * 1024)
        await asyncio.sleep(5)
        assert len(spis(alice)) == 2
        assert spis(alice) != first

    run(story())


@pytest.mark.parametrize("used", [False, True])
def test_by_option_only_what_has_carried_a_packet_is_rekeyed_and_the_other_lapses_quietly(used: bool) -> None:
    async def story() -> None:
        view = of_a_minute(rekey=Rekey.IF_USED)
        world, alice, bob = alice_and_bob(view=view, other=mirrored(view))
        await tunnel(world, alice, bob)
        first = spis(alice)
        if used:
            (outbound,) = [sa for sa in alice.kernel.sas if sa.destination == BOB]
            alice.kernel.carry(outbound, 100)
        await asyncio.sleep(56)
        assert (spis(alice) != first) == used
        await asyncio.sleep(20)
        assert (alice.pairs, bob.pairs) == ((1, 1) if used else (0, 0))
        assert alice.troubles == bob.troubles == []

    run(story())
