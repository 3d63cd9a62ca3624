"""A process that starts with another file than the one before it: no packet leaves in the clear, nothing is left."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from ikevd.host.policies import Action
from ikevd.peer import message_facts
from ikevd.policy.child import Start
from ikevd.policy.connection import Connection
from ikevd.policy.lives import Lifetime
from ikevd.wire.registry import ExchangeType
from tests.builders import NO_DPD, connection
from tests.gateways import bring_up, silence
from tests.negotiation.guarded import CHANGED, DAVE, LAN, SETTINGS, VIEW, both_up, of_children, out
from tests.negotiation.mortal import kinds, tunnel
from tests.virtual_time import run


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("after", CHANGED.values(), ids=CHANGED)
def test_what_stands_is_turned_into_blocks_and_at_no_moment_a_selector_is_without_one(
    after: tuple[Connection, ...], settings: dict[str, Any]
) -> None:
    async def story() -> None:
        _, hers, _, bob = await both_up(**settings)
        hers.guarded = frozenset(out(hers.kernel.policies.values()))
        hers.connections = after
        alice = await hers.restart()
        gates = out(hers.kernel.policies.values())
        assert {one.action for one in gates.values()} == {Action.BLOCK}
        assert {one.reqid for one in gates.values()} == {c.reqid for view in after for c in view.children}
        assert not hers.kernel.sas
        await asyncio.sleep(30)
        assert out(hers.kernel.policies.values()) == gates
        assert bob.nothing_installed, "the peer was told"
        assert alice.troubles == []
        assert not hers.disk.placed.keys() - {"outside", *(f"gates of {view.name}" for view in after)}

    run(story())


@pytest.mark.parametrize("after", CHANGED.values(), ids=CHANGED)
def test_also_where_the_store_is_lost_and_ikevd_is_alone(after: tuple[Connection, ...]) -> None:
    async def story() -> None:
        _, hers, _, _ = await both_up()
        hers.guarded = frozenset(out(hers.kernel.policies.values()))
        hers.connections = after
        hers.disk.peers.clear()
        hers.disk.placed.clear()
        await hers.restart()
        gates = out(hers.kernel.policies.values())
        assert {one.action for one in gates.values()} == {Action.BLOCK}
        assert {one.reqid for one in gates.values()} == {c.reqid for view in after for c in view.children}
        assert not hers.kernel.sas

    run(story())


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("up", [True, False], ids=["up", "down"])
def test_of_a_connection_that_is_gone_from_the_file_nothing_is_left(settings: dict[str, Any], up: bool) -> None:
    async def story() -> None:
        world, hers, _, bob = await both_up(**settings)
        if not up:
            for name in ("lan", "dmz"):
                bob.session.unwant(name)
            await asyncio.sleep(20)
        hers.connections = ()
        now = asyncio.get_running_loop().time()
        alice = await hers.restart()
        assert not hers.kernel.sas
        assert of_children(hers.kernel) == []
        await asyncio.sleep(30)
        assert bob.nothing_installed
        assert kinds(world, now) <= {ExchangeType.INFORMATIONAL}
        assert alice.troubles == []
        assert not hers.disk.peers

    run(story())


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_of_a_child_that_is_gone_from_the_file_nothing_is_left(settings: dict[str, Any]) -> None:
    async def story() -> None:
        _, hers, _, bob = await both_up(**settings)
        hers.connections = (replace(VIEW, children=(LAN,)),)
        alice = await hers.restart()
        await asyncio.sleep(30)
        assert {one.reqid for one in out(hers.kernel.policies.values()).values()} == {LAN.reqid}
        assert not hers.kernel.sas
        assert bob.nothing_installed
        assert alice.troubles == []

    run(story())


@pytest.mark.parametrize("in_clear", [False, True], ids=["down", "down --open"])
@pytest.mark.parametrize("changes", [{"nat_keepalive": 33.0}, {"remote": DAVE}], ids=["a key of it", "its address"])
def test_what_the_operator_took_down_stays_down_and_its_gate_as_it_was(in_clear: bool, changes: dict[str, Any]) -> None:
    async def story() -> None:
        view = connection(children=(replace(LAN, start=Start.ALWAYS),))
        world, hers, _, alice, bob = await tunnel(view)
        alice.session.unwant("lan", in_clear=in_clear)
        await asyncio.sleep(1)
        before, now = out(hers.kernel.policies.values()), asyncio.get_running_loop().time()
        hers.connections = (replace(view, **changes),)
        for _ in range(2):
            alice = await hers.restart()
            await asyncio.sleep(30)
            assert alice.pairs == bob.pairs == 0
            assert out(hers.kernel.policies.values()).keys() == before.keys()
        assert kinds(world, now) == {ExchangeType.INFORMATIONAL}
        assert alice.session.states["lan"].open is in_clear

    run(story())


# -- what the peer is told ----------------------------------------------------------------------------------------


SHORT = connection(lifetime=Lifetime(60), children=(LAN,), dpd=NO_DPD)
"""Its ISAKMP SA ends long before its IPsec SAs."""


def test_without_an_isakmp_sa_the_peer_of_a_changed_connection_is_told_under_the_next_one() -> None:
    async def story() -> None:
        world, hers, his, bob = await both_up(SHORT)
        await silence(world, 110)
        assert not bob.session.live
        old = set(his.kernel.sas)
        hers.connections = (replace(SHORT, nat_keepalive=33.0),)
        alice = await hers.restart()
        await bring_up(alice)
        await asyncio.sleep(10)
        assert alice.pairs == bob.pairs == 1
        assert not old & set(his.kernel.sas)
        assert hers.kernel.keys == his.kernel.keys

    run(story())


def test_also_where_it_ended_while_no_process_ran() -> None:
    async def story() -> None:
        _, hers, his, _ = await both_up(SHORT)
        old = set(his.kernel.sas)
        await asyncio.sleep(20)
        hers.kill()
        await asyncio.sleep(100)
        hers.connections = (replace(SHORT, nat_keepalive=33.0),)
        await hers.restart()
        await asyncio.sleep(60)
        assert not old & set(his.kernel.sas)

    run(story())


@pytest.mark.parametrize("deleted", [False, True], ids=["none is left", "the peer has just deleted it"])
def test_also_where_the_connection_with_that_peer_has_another_name(deleted: bool) -> None:
    async def story() -> None:
        _, hers, his, bob = await both_up(SHORT)
        if deleted:
            (isakmp,) = bob.session.live
            bob.session.post(message_facts.Worn(isakmp.sa.cookies))
            await asyncio.sleep(1)
        else:
            await asyncio.sleep(100)
        old = set(his.kernel.sas)
        hers.connections = (replace(SHORT, name="robert"),)
        alice = await hers.restart()
        await asyncio.sleep(30)
        assert not old & set(his.kernel.sas)
        assert not hers.disk.peers.keys() - {alice.session.state.key}

    run(story())


def test_without_an_isakmp_sa_nobody_is_called_for_a_connection_that_is_gone() -> None:
    """Least of all with an empty key."""

    async def story() -> None:
        world, hers, _, _ = await both_up(SHORT)
        await silence(world, 110)
        now = asyncio.get_running_loop().time()
        hers.connections = ()
        await hers.restart()
        await asyncio.sleep(100)
        assert not [octets for at, _, octets in world.wire if at > now]
        assert not hers.kernel.sas
        assert not hers.disk.peers

    run(story())


@pytest.mark.parametrize("quickly", [True, False], ids=["at once", "later"])
def test_what_comes_up_under_the_changed_connection_stays_at_the_next_restart(quickly: bool) -> None:
    async def story() -> None:
        world, hers, _, bob = await both_up(SHORT)
        hers.connections = (replace(SHORT, nat_keepalive=33.0),)
        alice = await hers.restart()
        await asyncio.sleep(0.1 if quickly else 30)
        await bring_up(alice)
        await asyncio.sleep(30)
        before, now = set(hers.kernel.sas), asyncio.get_running_loop().time()
        alice = await hers.restart()
        await asyncio.sleep(10)
        assert set(hers.kernel.sas) == before
        assert alice.pairs == bob.pairs == 1
        assert not [octets for at, _, octets in world.wire if at > now]

    run(story())
