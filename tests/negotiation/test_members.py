"""A member of a group, who has its key, sends from the place of another one: whole engines in virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from ipaddress import ip_address

import pytest

from ikevd.addresses import Endpoint, Path
from ikevd.peer.dpd import liveness_of
from ikevd.peer.isakmp_state import IsakmpState, Stage
from ikevd.peer.notices import delete_isakmp, r_u_there, r_u_there_ack
from ikevd.peer.timing import TO_ANSWER
from ikevd.policy.connection import Unique
from ikevd.policy.dpd import Dpd
from ikevd.wire.registry import ExchangeType, Flags
from tests.builders import BOB, NO_DPD
from tests.duet import Network
from tests.gateways import Gateway, World, bring_up
from tests.nat import Nat
from tests.negotiation.roaming import CLIENTS, HERE, client, hub, informational, networks, reborn, roads
from tests.virtual_time import run

VICTIM, OTHER = CLIENTS[0], CLIENTS[1]
LAN = "10.3.0.0/24"
THIRD = ip_address("198.51.100.77")


async def standing(**of_hub: object) -> tuple[World, Nat, Gateway, Gateway]:
    """A hub with a group key, and a client of it whose tunnel stands."""
    nat = Nat(HERE, *CLIENTS[:5])
    world = World(Network(nat=nat))
    bob = world.gateway(BOB, hub(*networks(1), group_key=True, **of_hub))
    victim = world.gateway(VICTIM, client(VICTIM, LAN))
    await bring_up(victim)
    await asyncio.sleep(1)
    return world, nat, bob, victim


async def forged(world: World, nat: Nat) -> asyncio.Task[None]:
    """Another member begins phase 1, and message 5 comes from the port of the victim, to which message 6 goes."""
    forger = world.gateway(OTHER, client(OTHER, LAN), seed=7)
    nat.forge(Endpoint(OTHER, 4500), Endpoint(VICTIM, 4500))
    coming = asyncio.create_task(bring_up(forger))
    await asyncio.sleep(1)
    return coming


def ready(gateway: Gateway) -> int:
    return sum(known.stage is Stage.READY for session in gateway.engine.sessions() for known in session.live)


@pytest.mark.parametrize("dpd", [Dpd(), NO_DPD], ids=["asked", "nobody asks"])
def test_a_phase_1_from_the_place_of_a_living_member_ends_and_moves_nothing_of_it(dpd: Dpd) -> None:
    """Message 5, with INITIAL-CONTACT, comes from a forged port: message 6, and message 2 of Quick Mode, go to the
    victim."""

    async def story() -> None:
        world, nat, bob, victim = await standing(dpd=dpd)
        before = dict(bob.kernel.sas)
        coming = await forged(world, nat)
        assert ready(bob) == 2, "the forged one is there"
        assert before.items() <= dict(bob.kernel.sas).items()
        await asyncio.gather(coming, return_exceptions=True)
        await asyncio.sleep(60)
        assert dict(bob.kernel.sas) == before
        assert (bob.pairs, victim.pairs, ready(bob)) == (1, 1, 1)

    run(story())


def test_who_did_that_phase_1_does_not_hear_message_2_by_a_copy_of_message_1_from_its_own_place() -> None:
    async def story() -> None:
        world, nat, bob, victim = await standing(dpd=NO_DPD)
        before = dict(bob.kernel.sas)
        coming = await forged(world, nat)
        forger, hears = world.gateways[OTHER], Path(Endpoint(OTHER, 4500), Endpoint(BOB, 4500))
        world.others[THIRD] = lambda octets, path: forger.engine.datagram(octets, hears)
        told = [octets for _, path, octets in world.wire if path.local.address == BOB]
        message_6 = [octets for octets in told if is_encrypted_main(octets)][-1]
        forger.engine.datagram(message_6, hears)  # it has the keys, so it can make it by itself
        await asyncio.sleep(0.1)
        sent = [octets for _, path, octets in world.wire if path.local.address == OTHER]
        message_1 = next(octets for octets in sent if octets[18] == ExchangeType.QUICK_MODE)
        bob.engine.datagram(message_1, Path(Endpoint(BOB, 4500), Endpoint(THIRD, 4500)))
        await asyncio.gather(coming, return_exceptions=True)
        await asyncio.sleep(60)
        assert dict(bob.kernel.sas) == before
        assert (bob.pairs, victim.pairs, ready(bob)) == (1, 1, 1)

    run(story())


def test_who_did_that_phase_1_and_asks_for_another_part_of_a_template_takes_no_policy_of_the_member() -> None:
    async def story() -> None:
        nat = Nat(HERE, *CLIENTS[:5])
        world = World(Network(nat=nat))
        bob = world.gateway(BOB, hub(roads(), group_key=True, dpd=NO_DPD))
        await bring_up(world.gateway(VICTIM, client(VICTIM, LAN)))
        await asyncio.sleep(1)
        before, sas = dict(bob.kernel.policies), len(bob.kernel.sas)
        forger = world.gateway(OTHER, client(OTHER, "10.3.9.0/24"), seed=7)
        nat.forge(Endpoint(OTHER, 4500), Endpoint(VICTIM, 4500))
        coming = asyncio.create_task(bring_up(forger))
        await asyncio.sleep(0.5)
        told = [octets for _, path, octets in world.wire if path.local.address == BOB]
        message_6 = [octets for octets in told if is_encrypted_main(octets)][-1]
        forger.engine.datagram(message_6, Path(Endpoint(OTHER, 4500), Endpoint(BOB, 4500)))
        await asyncio.sleep(0.1)
        assert len(bob.kernel.sas) == sas + 1, "its Quick Mode is half-way"
        assert bob.kernel.policies == before
        await asyncio.gather(coming, return_exceptions=True)

    run(story())


def is_encrypted_main(octets: bytes) -> bool:
    return octets[18] == ExchangeType.MAIN_MODE and octets[19] & Flags.ENCRYPTION != 0


def last_block_of_message_5(world: World, known: IsakmpState) -> bytes:
    """The forger has made it, and so knows what its phase 2 begins with."""
    sent = [octets for _, path, octets in world.wire if path.local.address == OTHER]
    return next(octets for octets in sent if octets[:8] == known.sa.cookies.initiator and octets[19] & 1)[-16:]


def number_by_the_keys(known: IsakmpState) -> int:
    """Of the first question, for who has the keys and knows ikevd, but not what this process has drawn."""
    return liveness_of(replace(known, liveness=None), b"").number + 1


def test_who_did_that_phase_1_cannot_answer_for_the_place_without_hearing_the_question() -> None:
    async def story() -> None:
        world, nat, bob, victim = await standing()
        before = dict(bob.kernel.sas)
        coming = await forged(world, nat)
        (known,) = [one for one in bob.session.state.isakmp.values() if one.unproven]
        after = last_block_of_message_5(world, known)
        for ahead in range(3):
            ack = r_u_there_ack(known.sa.cookies, (number_by_the_keys(known) + ahead).to_bytes(4, "big"))
            blind = informational(known.sa, ack, message_id=0x0BAD0001 + ahead, after=after)
            world.carry(blind, Path(Endpoint(OTHER, 4500), Endpoint(BOB, 4500)))
            await asyncio.sleep(0.1)
        await asyncio.gather(coming, return_exceptions=True)
        await asyncio.sleep(20)
        assert dict(bob.kernel.sas) == before
        assert (bob.pairs, victim.pairs, ready(bob)) == (1, 1, 1)

    run(story())


def test_a_peer_cannot_point_its_tunnel_at_a_machine_that_does_not_answer() -> None:
    """The peer claims to be at a third one and answers the question from there without having heard it."""

    async def story() -> None:
        world, _, bob, evil = await standing()
        (known,) = evil.session.state.isakmp.values()
        before, there = bob.tunnel_ends, Path(Endpoint(BOB, 4500), Endpoint(THIRD, 4500))
        world.others[THIRD] = lambda octets, path: None
        bob.engine.datagram(informational(known.sa, r_u_there(known.sa.cookies, 2**30)), there)
        await asyncio.sleep(0.1)
        asked = next(iter(bob.session.state.isakmp.values())).roaming
        assert asked is not None
        for ahead in range(5):
            ack = r_u_there_ack(known.sa.cookies, (number_by_the_keys(known) + ahead).to_bytes(4, "big"))
            bob.engine.datagram(informational(known.sa, ack, message_id=0x0BAD0001 + ahead), there)
            await asyncio.sleep(0.1)
        assert bob.tunnel_ends == before

    run(story())


@pytest.mark.parametrize("dpd", [Dpd(), NO_DPD], ids=["asked", "nobody asks"])
def test_a_member_that_comes_back_at_its_old_place_has_its_tunnel_a_round_trip_later(dpd: Dpd) -> None:
    async def story() -> None:
        world, _, bob, victim = await standing(dpd=dpd)
        before = set(bob.kernel.sas)
        started = asyncio.get_running_loop().time()
        back = await reborn(world, victim, seed=50)
        assert asyncio.get_running_loop().time() - started < 2
        assert (back.pairs, bob.pairs) == (1, 1)
        assert before.isdisjoint(bob.kernel.sas)

    run(story())


def test_with_unique_keep_it_has_it_once_its_former_self_had_its_time_to_answer() -> None:
    async def story() -> None:
        world, _, bob, victim = await standing(unique=Unique.KEEP)
        started = asyncio.get_running_loop().time()
        back = await reborn(world, victim, seed=50)
        assert asyncio.get_running_loop().time() - started < TO_ANSWER + 2
        assert (back.pairs, bob.pairs) == (1, 1)

    run(story())


def test_who_did_that_phase_1_cannot_delete_the_isakmp_sa_of_the_member() -> None:
    async def story() -> None:
        world, nat, bob, victim = await standing()
        (of_victim,) = bob.session.state.isakmp
        coming = await forged(world, nat)
        (known,) = [one for one in bob.session.state.isakmp.values() if one.unproven]
        delete = informational(known.sa, delete_isakmp(of_victim), after=last_block_of_message_5(world, known))
        world.carry(delete, Path(Endpoint(OTHER, 4500), Endpoint(BOB, 4500)))
        await asyncio.gather(coming, return_exceptions=True)
        await asyncio.sleep(60)
        assert bob.session.state.isakmp[of_victim].stage is Stage.READY
        assert (bob.pairs, victim.pairs) == (1, 1)

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


@pytest.mark.parametrize("dpd", [Dpd(), NO_DPD], ids=["asked", "nobody asks"])
def test_a_member_renews_its_isakmp_sa_and_is_rekeyed_under_it(dpd: Dpd) -> None:
    async def story() -> None:
        _, _, bob, victim = await standing(dpd=dpd)
        for waiting in victim.session.rekey(["lan"], phase1=True):
            await waiting
        await asyncio.sleep(60)
        assert {session.state.key.instance for session in bob.engine.sessions()} == {1}
        assert (bob.pairs, victim.pairs) == (1, 1)
        assert not any(known.unproven for session in bob.engine.sessions() for known in session.live)

    run(story())
