"""A member of a group, who has its key, sends from the place of another one: whole engines in virtual time."""

from __future__ import annotations

import asyncio

from ikevd.addresses import Endpoint
from ikevd.peer.state import Stage
from tests.builders import BOB
from tests.duet import Network
from tests.gateways import Gateway, World, bring_up
from tests.nat import Nat
from tests.negotiation.roaming import CLIENTS, HERE, client, hub, networks, reborn, roads
from tests.virtual_time import run

VICTIM, OTHER = CLIENTS[0], CLIENTS[1]
LAN = "10.3.0.0/24"


async def standing(**of_hub: object) -> tuple[World, Nat, Gateway, Gateway]:
    """A hub with a group key, and a client of it whose tunnel stands."""
    nat = Nat(HERE, *CLIENTS[:5])
    world = World(Network(nat=nat))
    bob = world.gateway(BOB, hub(*networks(1), group_key=True, **of_hub))
    victim = world.gateway(VICTIM, client(VICTIM, LAN))
    await bring_up(victim)
    await asyncio.sleep(1)
    return world, nat, bob, victim


def ready(gateway: Gateway) -> int:
    return sum(known.stage is Stage.READY for session in gateway.engine.sessions() for known in session.live)


def test_a_phase_1_from_the_place_of_a_living_member_ends_and_moves_nothing_of_it() -> None:
    """Message 5, with INITIAL-CONTACT, comes from a forged port: message 6 goes to the victim."""

    async def story() -> None:
        world, nat, bob, victim = await standing()
        before = dict(bob.kernel.sas)
        forger = world.gateway(OTHER, client(OTHER, LAN), seed=7)
        nat.forge(Endpoint(OTHER, 4500), Endpoint(VICTIM, 4500))
        coming = asyncio.create_task(bring_up(forger))
        await asyncio.sleep(1)
        assert ready(bob) == 2, "the forged one is there, and is asked"
        assert dict(bob.kernel.sas) == before
        await asyncio.gather(coming, return_exceptions=True)
        await asyncio.sleep(20)
        assert dict(bob.kernel.sas) == before
        assert (bob.pairs, victim.pairs, ready(bob)) == (1, 1, 1)

    run(story())


def test_a_member_that_comes_back_at_its_old_place_has_its_tunnel_a_round_trip_later() -> None:
    async def story() -> None:
        world, _, bob, victim = await standing()
        before = set(bob.kernel.sas)
        started = asyncio.get_running_loop().time()
        back = await reborn(world, victim, seed=50)
        assert asyncio.get_running_loop().time() - started < 2
        assert (back.pairs, bob.pairs) == (1, 1)
        assert before.isdisjoint(bob.kernel.sas)

    run(story())


def test_a_member_whose_message_shows_the_place_of_another_one_does_not_become_it() -> None:
    """The other one's next phase 1 goes to its own session."""

    async def story() -> None:
        nat = Nat(HERE, *CLIENTS[:5])
        world = World(Network(nat=nat))
        bob = world.gateway(BOB, hub(roads(), group_key=True))
        victim, other = [world.gateway(CLIENTS[n], client(CLIENTS[n], f"10.3.{n}.0/24"), seed=n) for n in (0, 1)]
        for each in (victim, other):
            await bring_up(each)
        nat.forge(Endpoint(OTHER, 4500), Endpoint(VICTIM, 4500))
        other.session.unwant("lan")
        await asyncio.sleep(5)
        await reborn(world, victim, seed=50)
        held = {
            session.state.key.instance: {str(pair.sa.remote_selector) for pair in session.states["roads"].standing}
            for session in bob.engine.sessions()
        }
        assert held[1] == {"10.3.0.0/24"}
        assert not held[2]

    run(story())


def test_a_member_renews_its_isakmp_sa_and_is_rekeyed_under_it() -> None:
    async def story() -> None:
        _, _, bob, victim = await standing()
        for waiting in victim.session.rekey(["lan"], phase1=True):
            await waiting
        await asyncio.sleep(60)
        assert {session.state.key.instance for session in bob.engine.sessions()} == {1}
        assert (bob.pairs, victim.pairs) == (1, 1)
        assert not any(known.unproven for session in bob.engine.sessions() for known in session.live)

    run(story())
