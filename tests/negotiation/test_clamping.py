"""The MSS of TCP connections through tunnels: it follows them, and survives processes; in virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest

from ikevd.host.clamps import Clamp
from ikevd.negotiation.rounds import LOOK_EVERY
from ikevd.policy.connection import AUTO_MSS, Connection
from tests.builders import BOB, NO_DPD, child, connection
from tests.duet import Network
from tests.gateways import Gateway, World, bring_up, reload
from tests.negotiation.mortal import Machine, tunnel
from tests.negotiation.roaming import CLIENTS, HUB_LAN, client, hub, roads, two_nats
from tests.negotiation.route_based import routed
from tests.virtual_time import run

FITS = 1398
"""Of AES-CBC with SHA-256 over 1500: 1438 octets, less 40."""
OURS, THEIRS = ip_network("10.1.0.0/24"), ip_network("10.2.0.0/24")


def clamped(mss: int | None = AUTO_MSS, **changes: Any) -> Connection:
    return connection(children=(child(**changes),), dpd=NO_DPD, mss=mss)


def of(mss: int) -> Clamp:
    return Clamp(mss, 4, "bob", None, (OURS,), (THEIRS,))


async def up(view: Connection | None = None) -> tuple[Machine, Gateway]:
    """Alice's machine, her tunnel up."""
    _, hers, _, alice, _ = await tunnel(view or clamped())
    alice.engine.start()
    await asyncio.sleep(1)
    return hers, alice


@pytest.mark.parametrize(("mss", "found"), [(AUTO_MSS, FITS), (1300, 1300)])
def test_what_goes_through_a_tunnel_gets_what_fits_or_what_the_file_says(mss: int, found: int) -> None:
    async def story() -> None:
        hers, alice = await up(clamped(mss))
        assert hers.clamps.table == [of(found)]
        alice.session.unwant("lan")
        await asyncio.sleep(5)
        assert hers.clamps.table == []
        await bring_up(alice)
        await asyncio.sleep(5)
        assert hers.clamps.table == [of(found)]
        assert alice.troubles == []

    run(story())


def test_without_the_key_nothing_is_ever_put() -> None:
    async def story() -> None:
        hers, alice = await up(clamped(None))
        await alice.engine.stop()
        assert hers.clamps.done == []

    run(story())


def test_what_is_routed_to_an_interface_is_known_by_that() -> None:
    async def story() -> None:
        hers, _ = await up(replace(routed(), mss=AUTO_MSS))
        assert hers.clamps.table == [Clamp(FITS, 4, "bob", "bob0")]

    run(story())


def test_ipv6_takes_twenty_octets_more() -> None:
    async def story() -> None:
        hers, _ = await up(clamped(local="fd00:1::/64", remote="fd00:2::/64"))
        assert [(clamp.mss, clamp.version) for clamp in hers.clamps.table] == [(FITS - 20, 6)]

    run(story())


def test_a_child_that_carries_no_tcp_has_none() -> None:
    async def story() -> None:
        view = clamped()
        udp = replace(view.children[0], local=replace(view.children[0].local, protocol=17))
        udp = replace(udp, remote=replace(udp.remote, protocol=17))
        hers, _ = await up(replace(view, children=(udp,)))
        assert hers.clamps.table == []

    run(story())


def test_what_fits_follows_the_way_to_the_peer() -> None:
    async def story() -> None:
        hers, _ = await up()
        hers.links.path = 1400
        hers.links.changed()
        await asyncio.sleep(LOOK_EVERY)
        assert hers.clamps.table == [of(1286)]

    run(story())


def test_a_rekeying_changes_nothing() -> None:
    async def story() -> None:
        hers, alice = await up()
        done = len(hers.clamps.done)
        alice.session.rekey(["lan"], phase1=False)
        await asyncio.sleep(60)
        assert len(hers.clamps.done) == done

    run(story())


def test_a_table_that_somebody_flushes_is_put_again() -> None:
    async def story() -> None:
        hers, _ = await up()
        hers.clamps.flush()
        await asyncio.sleep(2 * LOOK_EVERY)
        assert hers.clamps.table == [of(FITS)]

    run(story())


def test_where_there_is_no_nft_that_is_told_once_and_put_as_soon_as_there_is() -> None:
    async def story() -> None:
        _, hers, _, alice, _ = await tunnel(clamped())
        hers.clamps.lacking = True
        alice.engine.start()
        await asyncio.sleep(200)
        assert alice.troubles == ["there is no program nft"]
        assert alice.session.mss_problem == "there is no program nft"
        assert alice.pairs == 1
        hers.clamps.lacking = False
        await asyncio.sleep(61)
        assert hers.clamps.table == [of(FITS)]
        assert alice.session.mss_problem is None

    run(story())


@pytest.mark.parametrize("how", ["kill -9", "hand over"])
def test_another_process_goes_on(how: str) -> None:
    async def story() -> None:
        hers, alice = await up()
        if how == "hand over":
            assert await alice.engine.hand_over()
        assert hers.clamps.table == [of(FITS)]
        await hers.restart()
        await asyncio.sleep(5)
        assert hers.clamps.table == [of(FITS)]
        hers.connections = (clamped(None),)
        await hers.restart()
        await asyncio.sleep(5)
        assert hers.clamps.table == []
        assert "mss" not in hers.disk.placed

    run(story())


def test_what_a_lost_store_knew_of_is_removed_too() -> None:
    async def story() -> None:
        hers, _ = await up()
        hers.connections, hers.disk = (), type(hers.disk)()
        await hers.restart()
        await asyncio.sleep(5)
        assert hers.clamps.table == []

    run(story())


@pytest.mark.parametrize("point", ["before clamps put", "after clamps put", "before place", "after place"])
@pytest.mark.parametrize("passes", [1, 2, 3])
def test_whoever_is_killed_in_between_leaves_the_rest_to_the_next(point: str, passes: int) -> None:
    async def story() -> None:
        _, hers, _, alice, _ = await tunnel(clamped())
        hers.kill_at(point, passes)
        alice.engine.start()
        await asyncio.sleep(10)
        await hers.restart()
        await asyncio.sleep(5)
        assert hers.clamps.table == [of(FITS)]
        hers.connections = ()
        await hers.restart()
        await asyncio.sleep(20)
        assert hers.clamps.table == []

    run(story())


def test_a_stop_that_takes_all_down_leaves_nothing() -> None:
    async def story() -> None:
        hers, alice = await up()
        await alice.engine.stop()
        assert hers.clamps.table == []

    run(story())


def test_a_reload_changes_it_and_no_tunnel_notices() -> None:
    async def story() -> None:
        hers, alice = await up(clamped(None))
        before = {*hers.kernel.sas}
        for mss, found in ((1300, [of(1300)]), (AUTO_MSS, [of(FITS)]), (None, [])):
            await reload(alice, clamped(mss))
            await asyncio.sleep(1)
            assert hers.clamps.table == found
        assert {*hers.kernel.sas} == before

    run(story())


def test_each_peer_of_a_hub_has_its_own() -> None:
    async def story() -> None:
        world = World(Network(nat=two_nats()))
        machine = Machine(world, BOB, hub(roads(), group_key=True, dpd=NO_DPD, mss=1300))
        machine.boot().engine.start()
        clients = [world.gateway(where, client(where, f"10.3.{n}.0/24"), seed=n) for n, where in enumerate(CLIENTS[:2])]
        for each in clients:
            await bring_up(each)
        await asyncio.sleep(1)
        theirs = [
            Clamp(1300, 4, "clients", None, (ip_network(HUB_LAN),), (ip_network(f"10.3.{n}.0/24"),)) for n in (0, 1)
        ]
        assert machine.clamps.table == theirs
        clients[0].session.end()
        await asyncio.sleep(5)
        assert machine.clamps.table == theirs[1:]

    run(story())
