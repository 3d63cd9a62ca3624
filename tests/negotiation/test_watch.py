"""Somebody else changes SAs and policies of ours: what the daemon notices, mends and says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from ikevd.control.status import state_of
from ikevd.host.policies import Action, Direction, KernelPolicy, PolicyId
from ikevd.host.sas import FoundSa, SaId
from ikevd.negotiation.contest import PUT_BACK, WITHIN
from ikevd.negotiation.watch import SETTLE
from ikevd.observe.words import say
from ikevd.policy.child import Start
from tests.builders import ALICE, child, connection
from tests.gateways import Gateway, World, alice_and_bob, bring_up
from tests.virtual_time import run

VIEW = connection(children=(child(start=Start.ALWAYS),))
OTHERS_REQID = 7


async def tunnel() -> tuple[World, Gateway, Gateway]:
    """Up long enough that a loss is not taken for a fault of the tunnel itself."""
    world, alice, bob = alice_and_bob(view=VIEW)
    for gateway in (alice, bob):
        await gateway.engine.restore()
    await bring_up(alice)
    await asyncio.sleep(60)
    return world, alice, bob


def out(gateway: Gateway) -> KernelPolicy | None:
    """Its policy that leads into the tunnel, or blocks."""
    return next((one for name, one in gateway.kernel.policies.items() if is_childs(name, Direction.OUT)), None)


def is_childs(name: PolicyId, direction: Direction) -> bool:
    return name.direction is direction and name.protocol == 0 and name.source.version == 4


def action(gateway: Gateway) -> Action | None:
    found = out(gateway)
    return found.action if found else None


def foreign(policy: KernelPolicy) -> KernelPolicy:
    assert policy.template is not None
    return replace(policy, template=replace(policy.template, reqid=OTHERS_REQID))


def status(gateway: Gateway) -> str:
    return state_of(VIEW.children[0], gateway.session.state)


def sas_agree(alice: Gateway, bob: Gateway) -> bool:
    """Both kernels hold the two ends of the same SAs, under the same keys."""
    return alice.kernel.keys == bob.kernel.keys and len(alice.kernel.keys) == 2


# -- SAs


@pytest.mark.parametrize("inbound", [True, False])
@pytest.mark.parametrize("theirs", [True, False], ids=["at the responder", "at the initiator"])
def test_an_sa_that_is_removed_by_hand_makes_way_for_a_new_pair(*, inbound: bool, theirs: bool) -> None:
    async def story() -> None:
        _, alice, bob = await tunnel()
        before = set(alice.kernel.sas)
        hurt = bob if theirs else alice
        name = next(name for name in before if (name.destination == hurt.address) == inbound)
        hurt.kernel.remove_sa(name)
        await asyncio.sleep(30)
        assert sas_agree(alice, bob)
        assert before.isdisjoint(alice.kernel.sas)
        assert not alice.kernel.dead
        assert action(alice) == action(bob) == Action.TUNNEL

    run(story())


@pytest.mark.parametrize("lose", ["flush", "deaf"])
def test_all_sas_removed_at_once_make_way_for_new_ones(lose: str) -> None:
    async def story() -> None:
        _, alice, bob = await tunnel()
        before = set(alice.kernel.sas)
        if lose == "flush":
            alice.kernel.flush_sas()
        else:
            with alice.kernel.deaf():
                alice.kernel.flush_sas()
        await asyncio.sleep(30)
        assert sas_agree(alice, bob)
        assert before.isdisjoint(alice.kernel.sas)

    run(story())


def test_the_gate_is_closed_while_an_sa_is_gone_and_nobody_answers() -> None:
    async def story() -> None:
        world, alice, bob = await tunnel()
        world.gateways.pop(bob.address)
        alice.kernel.flush_sas()
        await asyncio.sleep(1)
        assert action(alice) is Action.BLOCK
        assert status(alice) == "negotiating"

    run(story())


def test_an_sa_that_another_daemon_removes_from_itself_is_no_matter_to_us() -> None:
    async def story() -> None:
        _, alice, _ = await tunnel()
        before = dict(alice.kernel.sas)
        alice.kernel.plant_sa(name := SaId(ALICE, next(iter(before)).spi.__class__(0xC0000001)), OTHERS_REQID)
        alice.kernel.remove_sa(name)
        await asyncio.sleep(5)
        assert alice.kernel.sas == before

    run(story())


# -- policies


def flush(gateway: Gateway) -> None:
    gateway.kernel.flush_policies()


def remove_out(gateway: Gateway) -> None:
    gateway.kernel.remove_policy(must(out(gateway)).id)


def let_pass(gateway: Gateway) -> None:
    gateway.kernel.change_policy(replace(must(out(gateway)), action=Action.BYPASS))


def change_its_form(gateway: Gateway) -> None:
    found = must(out(gateway))
    gateway.kernel.plant_policy(found.id, found.reqid)


def flush_unheard(gateway: Gateway) -> None:
    with gateway.kernel.deaf():
        gateway.kernel.flush_policies()


def must(policy: KernelPolicy | None) -> KernelPolicy:
    assert policy is not None
    return policy


Hand = Callable[[Gateway], None]


@pytest.mark.parametrize("hand", [flush, remove_out, let_pass, change_its_form, flush_unheard])
def test_policies_removed_or_changed_by_hand_are_put_back_within_a_second(hand: Hand) -> None:
    async def story() -> None:
        _, alice, _ = await tunnel()
        before, sas = dict(alice.kernel.policies), dict(alice.kernel.sas)
        hand(alice)
        await asyncio.sleep(1)
        assert alice.kernel.policies == before
        assert alice.kernel.sas == sas
        assert (status(alice), alice.troubles) == ("up", [])

    run(story())


@pytest.mark.parametrize("hand", [flush, remove_out])
def test_the_block_of_a_child_that_is_down_is_put_back(hand: Hand) -> None:
    async def story() -> None:
        _, alice, _ = alice_and_bob()
        await alice.engine.restore()
        await asyncio.sleep(1)
        before = dict(alice.kernel.policies)
        hand(alice)
        await asyncio.sleep(1)
        assert alice.kernel.policies == before

    run(story())


def test_what_passes_outside_of_every_tunnel_is_put_back() -> None:
    async def story() -> None:
        _, alice, _ = alice_and_bob()
        await alice.engine.restore()
        name, policy = next((n, p) for n, p in alice.kernel.policies.items() if p.action is Action.BYPASS)
        alice.kernel.remove_policy(name)
        await asyncio.sleep(1)
        assert alice.kernel.policies[name] == policy

    run(story())


def test_who_removes_them_a_fourth_time_within_a_minute_finds_a_block_until_it_is_over() -> None:
    async def story() -> None:
        _, alice, _ = await tunnel()
        for _ in range(PUT_BACK):
            flush(alice)
            await asyncio.sleep(1)
            assert action(alice) is Action.TUNNEL
        for _ in range(2):  # the block is put back too
            flush(alice)
            await asyncio.sleep(1)
            assert (action(alice), status(alice)) == (Action.BLOCK, "down")
        (line,) = alice.troubles
        assert f"{must(out(alice)).reqid:#x}" in line
        assert "ip xfrm monitor policy" in line
        assert say(alice.session.states["lan"].unplaced) in line  # type: ignore[arg-type]
        await asyncio.sleep(WITHIN)
        assert (action(alice), status(alice)) == (Action.TUNNEL, "up")

    run(story())


# -- another owner's


@pytest.mark.parametrize("direction", list(Direction))
def test_another_owners_policy_stands_and_the_child_is_down_and_names_it(direction: Direction) -> None:
    async def story() -> None:
        _, alice, _ = await tunnel()
        ours = next(one for name, one in alice.kernel.policies.items() if is_childs(name, direction))
        alice.kernel.change_policy(foreign(ours))
        await asyncio.sleep(200)
        assert alice.kernel.policies[ours.id] == foreign(ours)
        assert status(alice) == "down"
        (line,) = alice.troubles
        assert "reqid 0x7" in line
        assert f"ip xfrm policy delete src {ours.id.source} dst {ours.id.destination} dir {direction.value}" in line

    run(story())


def test_where_it_goes_again_the_tunnel_is_back_within_a_second() -> None:
    async def story() -> None:
        _, alice, _ = await tunnel()
        before = dict(alice.kernel.policies)
        alice.kernel.change_policy(foreign(must(out(alice))))
        await asyncio.sleep(200)
        remove_out(alice)
        await asyncio.sleep(1)
        assert alice.kernel.policies == before
        assert (status(alice), alice.session.states["lan"].unplaced) == ("up", None)

    run(story())


def test_nothing_leaves_in_the_clear_while_another_owner_has_the_way_in() -> None:
    async def story() -> None:
        _, alice, _ = await tunnel()
        inward = next(one for name, one in alice.kernel.policies.items() if is_childs(name, Direction.IN))
        with alice.kernel.deaf():
            alice.kernel.flush_policies()
            alice.kernel.change_policy(foreign(inward))
        await asyncio.sleep(1)
        assert action(alice) is Action.BLOCK

    run(story())


def test_a_selector_that_is_taken_at_start_is_named_in_the_status_and_tried_again() -> None:
    async def story() -> None:
        _, before, _ = alice_and_bob()
        before.engine.start()
        await asyncio.sleep(1)
        theirs = foreign(must(out(before)))
        _, alice, _ = alice_and_bob()
        alice.kernel.change_policy(theirs)
        await alice.engine.restore()
        alice.engine.start()
        await asyncio.sleep(200)
        assert "reqid 0x7" in say(alice.session.states["lan"].unplaced)  # type: ignore[arg-type]
        assert len(alice.troubles) == 1
        alice.kernel.remove_policy(theirs.id)
        await asyncio.sleep(1)
        assert action(alice) is Action.BLOCK
        assert alice.session.states["lan"].unplaced is None

    run(story())


# -- our own changes meanwhile


def answer_late(gateway: Gateway) -> None:
    """A dump of SAs tells what stood a moment ago."""
    dump = gateway.kernel.dump_sas

    async def late() -> Sequence[FoundSa]:
        found = await dump()
        await asyncio.sleep(0.05)
        return found

    gateway.kernel.dump_sas = late  # type: ignore[method-assign]


def test_a_dump_amid_our_own_changes_takes_them_for_nobody_elses() -> None:
    """A pair that came up after a dump began is not missing because that dump does not show it."""

    async def story() -> None:
        _, alice, bob = await tunnel()
        answer_late(alice)
        for wait in range(20):
            alice.session.unwant("lan")
            await asyncio.sleep(2)
            with alice.kernel.deaf():
                pass
            await asyncio.sleep(SETTLE - 0.05 + 0.005 * wait)
            await alice.session.want("lan")
            made = set(alice.kernel.sas)
            await asyncio.sleep(3)
            assert set(alice.kernel.sas) == made
        assert alice.troubles == bob.troubles == []

    run(story())


def test_a_flood_of_events_costs_two_dumps_a_second_at_most() -> None:
    async def story() -> None:
        _, alice, _ = await tunnel()
        dumps, dump = [], alice.kernel.dump_policies
        alice.kernel.dump_policies = lambda: dumps.append(1) or dump()  # type: ignore[method-assign,func-returns-value]
        for _ in range(1000):
            with alice.kernel.deaf():
                pass
            await asyncio.sleep(0.01)
        assert 10 <= len(dumps) <= 26

    run(story())
