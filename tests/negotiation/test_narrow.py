"""A peer with one child for all of ours, 0.0.0.0/0 or a supernet: what stands here, and for how long."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from ikevd.facts import Note
from ikevd.host.policies import Action, Direction
from ikevd.policy.child import Selection, Start
from ikevd.policy.connection import Connection
from ikevd.selector_findings import Narrowed
from tests.builders import ALICE, BOB, NO_DPD, child, connection, mirrored, selector
from tests.gateways import Gateway, World, bring_up, reload
from tests.negotiation.mortal import Machine
from tests.virtual_time import run

WIDE = connection(children=(child("0.0.0.0/0", "10.0.0.0/8", start=Start.MANUAL),), dpd=NO_DPD)
"""Alice's: all that Bob has, in one."""
LAN = child("10.2.0.0/24", "10.1.0.0/24", selection=Selection.NARROW, start=Start.PASSIVE)
DMZ = child("10.2.1.0/24", "10.1.0.0/24", name="dmz", reqid=0x696B0001, selection=Selection.NARROW, start=Start.PASSIVE)
NARROW = replace(mirrored(WIDE), children=(LAN, DMZ))
"""Bob's."""


def gates(gateway: Gateway) -> dict[str, tuple[Action, int, int]]:
    """Of each network of Bob's, what becomes of what leaves it: by which reqid and SPI."""
    out = [policy for policy in gateway.kernel.policies.values() if policy.id.direction is Direction.OUT]
    return {str(one.id.source): (one.action, one.template.reqid, one.template.spi or 0) for one in out if one.template}


def through(gateway: Gateway) -> dict[str, tuple[Action, int, int]]:
    """Both networks, by the newest pair of `lan`."""
    pair = gateway.session.states["lan"].standing[-1].sa
    return {str(each.local): (Action.TUNNEL, LAN.reqid, pair.outbound) for each in (LAN, DMZ)}


BLOCKED = {str(each.local): (Action.BLOCK, each.reqid, 0) for each in (LAN, DMZ)}


async def tunnel(view: Connection = NARROW) -> tuple[World, Gateway, Machine, Gateway]:
    world = World()
    alice = world.gateway(ALICE, WIDE, seed=1)
    machine = Machine(world, BOB, view)
    bob = machine.boot()
    await bob.engine.restore()
    bob.engine.start()
    await bring_up(alice)
    await asyncio.sleep(1)
    return world, alice, machine, bob


def test_one_pair_carries_both_children_and_the_record_says_what_is_in_vain() -> None:
    async def story() -> None:
        _, _, _, bob = await tunnel()
        assert gates(bob) == through(bob)
        assert len(bob.kernel.sas) == 2
        facts = [entry.fact for record in bob.history.find() for entry in record.entries]
        said = [fact.finding for fact in facts if isinstance(fact, Note)]
        assert [one.into_nothing for one in said if isinstance(one, Narrowed)] == [True]

    run(story())


def test_a_rekeying_by_the_peer_takes_both_over_and_its_delete_shuts_both() -> None:
    async def story() -> None:
        _, alice, _, bob = await tunnel()
        first = through(bob)
        await asyncio.gather(*alice.session.rekey(["lan"], phase1=False))
        await asyncio.sleep(60)
        assert gates(bob) == through(bob) != first
        assert len(bob.kernel.sas) == 2
        alice.session.unwant("lan")
        await asyncio.sleep(10)
        assert (gates(bob), bob.kernel.sas) == (BLOCKED, {})

    run(story())


def test_a_killed_hub_goes_on_with_both() -> None:
    async def story() -> None:
        _, alice, machine, _ = await tunnel()
        bob = await machine.restart()
        await asyncio.sleep(30)
        assert gates(bob) == through(bob)
        assert bob.session.states["dmz"].carries
        assert not bob.troubles
        alice.session.unwant("lan")
        await asyncio.sleep(10)
        assert (gates(bob), bob.kernel.sas) == (BLOCKED, {})

    run(story())


def test_a_policy_of_the_borrower_that_somebody_removes_is_put_back() -> None:
    async def story() -> None:
        _, _, _, bob = await tunnel()
        (name,) = [one for one in bob.kernel.policies if str(one.source) == "10.2.1.0/24"]
        bob.kernel.remove_policy(name)
        assert gates(bob).keys() == {"10.2.0.0/24"}
        await asyncio.sleep(5)
        assert gates(bob) == through(bob)

    run(story())


def test_a_borrower_that_is_gone_from_the_file_leaves_nothing_and_the_lender_goes_on() -> None:
    async def story() -> None:
        _, _, _, bob = await tunnel()
        await reload(bob, replace(NARROW, children=(LAN,)))
        await asyncio.sleep(5)
        assert gates(bob).keys() == {"10.2.0.0/24"}
        assert len(bob.kernel.sas) == 2

    run(story())


def test_a_lender_that_is_gone_from_the_file_shuts_the_borrowers_gate() -> None:
    async def story() -> None:
        _, _, _, bob = await tunnel()
        await reload(bob, replace(NARROW, children=(DMZ,)))
        await asyncio.sleep(5)
        assert (gates(bob), bob.kernel.sas) == ({"10.2.1.0/24": (Action.BLOCK, DMZ.reqid, 0)}, {})

    run(story())


def test_a_peer_that_asks_for_a_second_part_of_one_child_keeps_the_first() -> None:
    async def story() -> None:
        halves = tuple(
            child(local, "10.2.0.0/24", name=name, reqid=0x696B0000 + number, start=Start.MANUAL)
            for number, (name, local) in enumerate({"low": "10.1.0.0/25", "high": "10.1.0.128/25"}.items())
        )
        world = World()
        alice = world.gateway(ALICE, replace(WIDE, children=halves), seed=1)
        bob = world.gateway(BOB, replace(NARROW, children=(LAN,)), seed=2)
        session = alice.engine.session(alice.engine.config.connections[0])
        await session.want("low")
        second = session.want("high")
        await asyncio.sleep(60)
        assert "INVALID_ID_INFORMATION" in str(second.exception())
        assert bob.pairs == 1
        assert str(bob.session.states["lan"].standing[0].sa.remote_selector) == "10.1.0.0/25"

    run(story())


def test_two_hundred_children_take_one_pair_and_are_shut_by_one_delete() -> None:
    async def story() -> None:
        nets = [f"10.2.{number}.0/24" for number in range(200)]
        ours = tuple(
            replace(LAN, name=f"net{number}", reqid=0x696B0000 + number, local=selector(net))
            for number, net in enumerate(nets)
        )
        _, alice, _, bob = await tunnel(replace(NARROW, children=ours))
        (lender,) = {reqid for _, reqid, _ in gates(bob).values()}
        assert gates(bob).keys() == set(nets)
        assert {action for action, _, _ in gates(bob).values()} == {Action.TUNNEL}
        assert (len(bob.kernel.sas), lender) == (2, ours[0].reqid)
        alice.session.unwant("lan")
        await asyncio.sleep(10)
        assert {action for action, _, _ in gates(bob).values()} == {Action.BLOCK}
        assert {reqid for _, reqid, _ in gates(bob).values()} == {one.reqid for one in ours}

    run(story())
