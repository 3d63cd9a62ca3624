"""Dead peer detection between whole gateways in virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from ikevd.addresses import Path
from ikevd.facts import Note
from ikevd.host.policies import Action, Direction
from ikevd.liveness_findings import PeerDead
from ikevd.observe.words import say
from ikevd.policy.child import Start
from ikevd.policy.connection import Connection
from ikevd.policy.dpd import Dpd, DpdAction, DpdMode
from ikevd.store.difference import NUMBERS_RESERVED, THEIRS_RESERVED
from ikevd.wire.registry import ExchangeType
from tests.builders import ALICE, BOB, child, connection, mirrored
from tests.duet import Network
from tests.gateways import Gateway, World, alice_and_bob, bring_up
from tests.negotiation.mortal import Machine, tunnel
from tests.virtual_time import run

ALWAYS = connection(children=(child(start=Start.ALWAYS),))
EXCHANGE = 18
"""Where its type stands in a message."""


def silenced(*senders: str) -> Network:
    """What these say is lost."""
    return Network(tamper=lambda sender, datagram: [] if sender in senders else [datagram])


def verdicts(gateway: Gateway) -> list[PeerDead]:
    facts = [entry.fact for record in gateway.history.find() for entry in record.entries]
    return [fact.finding for fact in facts if isinstance(fact, Note) and isinstance(fact.finding, PeerDead)]


def is_informational(octets: bytes) -> bool:
    return octets[EXCHANGE] == ExchangeType.INFORMATIONAL


def informational(world: World, since: float = 0.0) -> list[tuple[float, Path]]:
    said = ((at, path) for at, path, octets in world.wire if is_informational(octets))
    return [(at, path) for at, path in said if at > since]


def out(gateway: Gateway) -> list[Action]:
    return [policy.action for policy in gateway.kernel.policies.values() if policy.id.direction is Direction.OUT]


async def up_and_cut(view: Connection = ALWAYS, *senders: str) -> tuple[World, Gateway, Gateway]:
    """The tunnel stands; 5 s later nothing that these say arrives any more."""
    world, alice, bob = alice_and_bob(view=view)
    alice.engine.start()
    if not alice.pairs:
        await bring_up(alice)
    await asyncio.sleep(5)
    world.network = silenced(*senders)
    return world, alice, bob


def killed(world: World, bob: Gateway) -> Gateway:
    """Another process in Bob's place, which knows nothing of what the former one had."""
    for session in bob.engine.sessions():
        session.close()
    return world.gateway(BOB, mirrored(ALWAYS), seed=77)


# -- nothing happens


def test_two_idle_gateways_ask_one_another_now_and_then_and_keep_their_tunnel() -> None:
    async def story() -> None:
        world, alice, bob = await up_and_cut()
        await asyncio.sleep(600)
        assert alice.pairs == bob.pairs == 1
        assert 20 <= len(informational(world)) <= 50
        assert not verdicts(alice)
        assert len(list(alice.history.find())) == 2, "phase 1 and the Quick Mode, and nothing for each question"

    run(story())


def test_while_packets_come_nobody_is_asked() -> None:
    async def story() -> None:
        world, alice, bob = await up_and_cut()
        now = asyncio.get_running_loop().time()
        for _ in range(60):
            await asyncio.sleep(10)
            for gateway in (alice, bob):
                for sa in gateway.kernel.sas:
                    gateway.kernel.carry(sa, octets=84)
        assert informational(world, now) == []

    run(story())


@pytest.mark.long
def test_a_question_costs_no_message_id_and_no_write_to_the_store() -> None:
    """With one each second a day would use up 86,400 of both."""

    async def story() -> None:
        view = replace(ALWAYS, dpd=Dpd(DpdMode.PERIODIC, delay=1.0))
        _, alice, bob = await up_and_cut(view)
        used = [gateway.session._ledger.message_ids.count for gateway in (alice, bob)]
        await asyncio.sleep(3000)
        assert [gateway.session._ledger.message_ids.count for gateway in (alice, bob)] == used
        assert alice.pairs == bob.pairs == 1

    run(story())


# -- the peer is gone


def test_a_peer_that_says_nothing_is_dead_38_s_after_its_last_word() -> None:
    async def story() -> None:
        _, alice, _ = await up_and_cut(ALWAYS, "bob")
        await asyncio.sleep(32.5)
        assert alice.pairs == 1
        await asyncio.sleep(2)
        assert alice.pairs == 0
        (dead,) = verdicts(alice)
        assert say(dead) == "the peer is dead: no answer to 12 R-U-THERE within 8 s, last heard of 38 s ago, by IKE"

    run(story())


def test_its_packets_keep_a_peer_alive_whose_ike_is_not_heard() -> None:
    async def story() -> None:
        _, alice, _ = await up_and_cut(ALWAYS, "bob")
        for _ in range(30):
            await asyncio.sleep(10)
            (arriving,) = [sa for sa in alice.kernel.sas if sa.destination == ALICE]
            alice.kernel.carry(arriving, octets=84)
        assert alice.pairs == 1
        assert not verdicts(alice)
        await asyncio.sleep(45)
        assert say(verdicts(alice)[0]).endswith("by ESP")

    run(story())


@pytest.mark.parametrize("lost", ["alice", "bob"])
def test_where_one_direction_alone_is_lost_the_tunnel_is_back_soon_after_it_passes_again(lost: str) -> None:
    async def story() -> None:
        world, alice, bob = await up_and_cut(ALWAYS, lost)
        await asyncio.sleep(60)
        assert alice.pairs == 0
        world.network = Network()
        await asyncio.sleep(30)
        assert alice.pairs == bob.pairs == 1

    run(story())


@pytest.mark.parametrize(
    ("start", "action", "gate"),
    [
        (Start.ALWAYS, None, "negotiating"),
        (Start.ON_DEMAND, None, "trap"),
        (Start.MANUAL, None, "blocked"),
        (Start.MANUAL, DpdAction.RESTART, "negotiating"),
        (Start.ALWAYS, DpdAction.HOLD, "trap"),
        (Start.ALWAYS, DpdAction.CLEAR, "blocked"),
    ],
)
def test_what_becomes_of_a_child_of_a_dead_peer(start: Start, action: DpdAction | None, gate: str) -> None:
    async def story() -> None:
        view = connection(children=(child(start=start),), dpd=Dpd(action=action))
        _, alice, _ = await up_and_cut(view, "alice", "bob")
        await asyncio.sleep(45)
        state = alice.session.states["lan"]
        assert not state.standing
        assert (alice.session.state.phase1 is not None) is (gate == "negotiating")
        assert out(alice) == [Action.TUNNEL if gate == "trap" else Action.BLOCK]
        assert "the peer is dead" in say(state.cause) if state.cause else False

    run(story())


def test_a_passive_child_of_a_dead_peer_waits_for_the_peer() -> None:
    async def story() -> None:
        passive = replace(
            mirrored(ALWAYS), children=(child(start=Start.PASSIVE, local="10.2.0.0/24", remote="10.1.0.0/24"),)
        )
        world, alice, bob = alice_and_bob(view=ALWAYS, other=replace(passive, dpd=Dpd(action=DpdAction.RESTART)))
        await bring_up(alice)
        world.network = silenced("alice")
        await asyncio.sleep(120)
        assert bob.pairs == 0
        assert bob.session.state.phase1 is None

    run(story())


def test_a_peer_that_was_killed_and_lost_everything_gets_a_new_tunnel_within_the_delay_and_15_s() -> None:
    async def story() -> None:
        world, alice, bob = await up_and_cut()
        bob = killed(world, bob)
        await asyncio.sleep(30 + 15)
        assert alice.pairs == bob.pairs == 1

    run(story())


def test_a_bad_network_alone_is_no_death() -> None:
    """One fifth is lost either way, and a round trip takes 300 ms, for a day."""

    async def story() -> None:
        world, alice, bob = await up_and_cut()
        world.network = Network(loss=0.2, delay=0.15, seed=3)
        await asyncio.sleep(3000)
        assert not verdicts(alice) + verdicts(bob)

    run(story())


# -- restarts


def number(machine: Machine) -> int:
    """Of its last R-U-THERE."""
    assert machine.gateway is not None
    (isakmp,) = machine.gateway.session.live
    assert isakmp.liveness is not None
    return isakmp.liveness.number


@pytest.mark.parametrize("seconds", [20, 32, 300])
def test_a_kill_while_a_peer_is_asked_ends_nothing_and_no_number_is_used_twice(seconds: float) -> None:
    async def story() -> None:
        _, hers, _, _, bob = await tunnel(ALWAYS)
        await asyncio.sleep(seconds)
        before = number(hers)
        alice = await hers.restart()
        assert before < number(hers) <= before + NUMBERS_RESERVED
        await asyncio.sleep(300)
        assert alice.pairs == bob.pairs == 1
        assert not verdicts(alice) + verdicts(bob)

    run(story())


def test_the_answer_of_a_living_peer_tells_a_new_process_how_soon_to_repeat_itself_once_it_is_dead() -> None:
    async def story() -> None:
        world, hers, _, _, _ = await tunnel(ALWAYS)
        await hers.restart()
        await asyncio.sleep(200)
        world.network = silenced("bob")
        now = asyncio.get_running_loop().time()
        await asyncio.sleep(60)
        hers_since = [(at, said) for at, path, said in world.wire if at > now and path.local.address == ALICE]
        calls = [at for at, said in hers_since if said[EXCHANGE] == ExchangeType.MAIN_MODE]
        assert [round(at - calls[0], 1) for at in calls[:4]] == [0, 0.5, 1, 1.6]

    run(story())


def test_a_peer_that_died_while_no_ikevd_ran_is_found_out_by_the_next() -> None:
    """The last minute in which it was heard is not stored to the second: it counts whole."""

    async def story() -> None:
        world, hers, _, _, _ = await tunnel(ALWAYS)
        hers.kill()
        world.network = silenced("bob")
        await asyncio.sleep(20)
        alice = await hers.restart()
        assert alice.pairs == 1
        await asyncio.sleep(60 + 30 + 8)
        assert alice.pairs == 0

    run(story())


def test_copies_of_what_a_peer_asked_before_a_restart_show_no_life_after_it() -> None:
    async def story() -> None:
        world, _, his, alice, bob = await tunnel(replace(ALWAYS, dpd=Dpd(DpdMode.PERIODIC, delay=1.0)))
        await asyncio.sleep(100)
        copies = [octets for at, path, octets in world.wire if path.local.address == ALICE and is_informational(octets)]
        del world.gateways[ALICE]
        bob = await his.restart()
        heard = bob.session.live[0].heard
        for octets in copies[-50:]:
            bob.engine.datagram(octets, bob.session.live[0].path)
            await asyncio.sleep(0.1)
        assert [isakmp.heard for isakmp in bob.session.live] == [heard]
        assert alice.pairs == 1, "which asked for as long as it could"

    run(story())


@pytest.mark.long
def test_of_a_thousand_questions_the_store_hears_once_and_once_a_minute_that_the_peer_was_heard() -> None:
    async def story() -> None:
        view = replace(ALWAYS, dpd=Dpd(DpdMode.PERIODIC, delay=1.0))
        _, _, _, alice, bob = await tunnel(view)
        before, store = number_of_writes(alice), alice.session._ledger
        await asyncio.sleep(3000)
        assert store.open
        assert number_of_writes(alice) - before <= 3000 / 60 + 3000 / NUMBERS_RESERVED + 3000 / THEIRS_RESERVED + 2
        assert alice.pairs == bob.pairs == 1

    run(story())


def number_of_writes(gateway: Gateway) -> int:
    store = gateway.session._ledger._store
    return int(store.transactions)  # type: ignore[attr-defined]
