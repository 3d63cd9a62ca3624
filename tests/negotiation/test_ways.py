"""An address of this machine goes away and comes back, or another one: whole engines in virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from ipaddress import ip_address

import pytest

from ikevd.errors import Abandoned
from ikevd.facts import Failed
from ikevd.negotiation.session import Session
from ikevd.path_findings import LocalAddressGone, NoLocalAddress
from ikevd.policy.child import Start
from ikevd.policy.connection import Resend
from tests.builders import ALICE, BOB, child, connection, fqdn, mirrored
from tests.gateways import World, alice_and_bob, bring_up
from tests.virtual_time import run

SECOND = ip_address("192.0.2.2")
"""Another address of Alice."""
QUICK = Resend(interval=1, factor=1.5, sends=3)
VIEW = connection(local_id=fqdn("alice.example"), resend=QUICK, children=(child(start=Start.ALWAYS),))


def lan(session: Session) -> object:
    return session.states["lan"].cause


def sent(world: World, since: float) -> list[float]:
    """When Alice sent anything."""
    return [when for when, path, _ in world.wire if when >= since and path.local.address in (ALICE, SECOND)]


def now() -> float:
    return asyncio.get_running_loop().time()


@pytest.mark.parametrize("start", [Start.ALWAYS, Start.MANUAL])
def test_an_address_that_goes_ends_the_tunnel_at_once_and_its_return_brings_it_back_at_once(start: Start) -> None:
    async def story() -> None:
        world, alice, bob = alice_and_bob(view=replace(VIEW, children=(child(start=start),)))
        await bring_up(alice)
        before = set(alice.kernel.sas)
        alice.kernel.lose_address(ALICE)
        await asyncio.sleep(0.5)
        assert alice.kernel.sas == {}
        assert lan(alice.session) == NoLocalAddress(str(ALICE))
        assert sent(world, now() - 0.4) == []

        await asyncio.sleep(1000)
        assert sent(world, now() - 999) == [], "nothing is tried from an address that is not there"
        back = now()
        alice.kernel.gain_address(ALICE)
        await asyncio.sleep(1)
        assert alice.pairs == 1
        assert min(sent(world, back)) - back < 0.1
        assert not before & set(alice.kernel.sas)
        await asyncio.sleep(10)
        assert bob.pairs == 1, "it has heard that the former pair is gone"

    run(story())


def test_a_standby_waits_for_its_address_and_not_for_its_next_attempt() -> None:
    """As with VRRP: the address comes when the other router goes."""

    async def story() -> None:
        world, alice, _ = alice_and_bob(view=VIEW)
        alice.kernel.lose_address(ALICE)
        alice.engine.start()
        await asyncio.sleep(3600)
        assert sent(world, 0) == []
        assert lan(alice.session) == NoLocalAddress(str(ALICE))

        alice.kernel.gain_address(ALICE)
        await asyncio.sleep(1)
        assert alice.pairs == 1

    run(story())


def test_an_operator_is_told_at_once_that_the_address_is_not_there() -> None:
    async def story() -> None:
        _, alice, _ = alice_and_bob(view=replace(VIEW, children=(child(),)))
        alice.kernel.lose_address(ALICE)
        with pytest.raises(Abandoned) as told:
            await bring_up(alice)
        assert told.value.finding == NoLocalAddress(str(ALICE))
        assert now() < 1
        (record,) = alice.history.find(connection="bob")
        assert [entry.fact for entry in record.entries] == [Failed(NoLocalAddress(str(ALICE)), "Abandoned")]

    run(story())


def test_another_address_takes_the_place_of_one_that_went() -> None:
    """No `local` is configured: routing chooses."""

    async def story() -> None:
        world = World()
        alice = world.gateway(ALICE, replace(VIEW, local=None))
        bob = world.gateway(BOB, replace(mirrored(VIEW), remote=None), seed=1)
        world.gateways[SECOND] = alice
        await bring_up(alice)
        world.sources[ALICE] = SECOND
        alice.kernel.lose_address(ALICE)
        await asyncio.sleep(1)
        assert {sa.source for sa in alice.kernel.sas.values()} == {SECOND, BOB}
        assert {sa.source for sa in bob.kernel.sas.values()} == {SECOND, BOB}

    run(story())


def test_a_phase_1_under_way_from_an_address_that_goes_ends_with_it() -> None:
    async def story() -> None:
        world, alice, _ = alice_and_bob(view=VIEW)
        del world.gateways[BOB]
        wanted = alice.engine.session(VIEW).want("lan")
        await asyncio.sleep(0.5)
        alice.kernel.lose_address(ALICE)
        with pytest.raises(Abandoned) as told:
            await wanted
        assert told.value.finding == LocalAddressGone(str(ALICE))
        assert now() < 1

    run(story())


def test_an_event_that_changes_nothing_touches_nothing() -> None:
    async def story() -> None:
        world, alice, _ = alice_and_bob(view=VIEW)
        await bring_up(alice)
        await asyncio.sleep(5)
        state, wire = alice.session.state, len(world.wire)
        alice.kernel.gain_address(SECOND)
        await asyncio.sleep(5)
        assert alice.session.state is state
        assert len(world.wire) == wire

    run(story())


def test_a_peer_that_comes_from_anywhere_loses_what_used_the_address() -> None:
    async def story() -> None:
        view = replace(VIEW, local=ALICE)
        _, alice, bob = alice_and_bob(None, view, replace(mirrored(view), remote=None))
        await bring_up(alice)
        await asyncio.sleep(1)
        bob.kernel.lose_address(BOB)
        await asyncio.sleep(1)
        assert bob.kernel.sas == {}
        assert bob.pairs == 0

    run(story())
