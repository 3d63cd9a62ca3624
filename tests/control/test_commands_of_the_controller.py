"""Up and down, and the names that they take."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from ikevd.control.command import Command
from ikevd.control.interface import UnknownName
from ikevd.errors import Abandoned, IkeError
from ikevd.observe.views import View
from ikevd.policy.connection import Resend
from tests.builders import ALICE, BOB, child, connection, mirrored, psk
from tests.control.controlled import (
    BOTH,
    DMZ,
    SILENT,
    children,
    controlled,
    ignore,
    pair,
    status_of,
    traced,
    two_with_the_same_child,
)
from tests.gateways import World, alice_and_bob
from tests.sayings import raises_saying
from tests.virtual_time import run

NETS = [
    child(name=f"net[{n}]", group="net", reqid=0x696B0002 + n, local=f"10.1.{n}.0/24", remote="10.2.7.0/24")
    for n in (1, 2)
]
OF_TWO_NETWORKS = replace(BOTH, children=(*NETS, DMZ))

# -- up -----------------------------------------------------------------------------------------------------------


def test_up_brings_up_one_child_and_tells_its_facts() -> None:
    async def story() -> None:
        alice, _, controller = pair()
        facts: list[View] = []
        await controller.up("lan", facts.append)
        assert alice.pairs == 1
        assert [fact["label"] for fact in facts if fact["fact"] == "sent"] == ["MM1", "MM3", "MM5", "QM1", "QM3"]
        assert {fact["connection"] for fact in facts} == {"bob"}

    run(story())


def test_up_of_a_connection_brings_up_every_child() -> None:
    async def story() -> None:
        alice, _, controller = pair()
        await controller.up("bob", ignore)
        assert alice.pairs == 2

    run(story())


def test_up_of_what_is_up_is_done_at_once() -> None:
    async def story() -> None:
        alice, _, controller = pair()
        await controller.up("lan", ignore)
        await controller.up("lan", ignore)
        assert alice.pairs == 1

    run(story())


def test_up_fails_with_the_cause() -> None:
    async def story() -> None:
        world = World()
        alice = world.gateway(ALICE, BOTH)
        world.gateway(BOB, replace(mirrored(BOTH), psk=psk("another")), seed=1)
        with raises_saying(IkeError, "pre-shared key"):
            await controlled(alice).up("lan", ignore)

    run(story())


def test_up_of_a_connection_tells_the_failure_of_one_child_and_leaves_the_other_up() -> None:
    async def story() -> None:
        _, alice, _ = alice_and_bob(None, BOTH, replace(mirrored(BOTH), children=mirrored(BOTH).children[:1]))
        controller = controlled(alice)
        with pytest.raises(IkeError):
            await controller.up("bob", ignore)
        found = await children(controller)
        assert (found["lan"]["state"], found["dmz"]["state"]) == ("up", "down")
        assert found["dmz"]["last_cause"]

    run(story())


def test_up_tells_nothing_of_other_connections() -> None:
    async def story() -> None:
        elsewhere = connection(name="carol", remote=BOB + 1, children=(child(name="wan", reqid=0x696B0002),))
        world = World()
        alice = world.gateway(ALICE, BOTH, elsewhere)
        world.gateway(BOB, mirrored(BOTH), seed=1)
        controller = controlled(alice)
        other = asyncio.create_task(controller.up("wan", ignore))
        facts: list[View] = []
        await controller.up("lan", facts.append)
        assert {fact["connection"] for fact in facts} == {"bob"}
        other.cancel()

    run(story())


def test_up_of_a_child_tells_nothing_of_its_siblings() -> None:
    async def story() -> None:
        _, _, controller = pair()
        other = asyncio.create_task(controller.up("dmz", ignore))
        facts: list[View] = []
        await controller.up("lan", facts.append)
        await other
        assert {fact["child"] for fact in facts} == {None, "lan"}

    run(story())


def test_nobody_is_told_anything_after_the_command() -> None:
    async def story() -> None:
        _, _, controller = pair()
        facts: list[View] = []
        await controller.up("lan", facts.append)
        count = len(facts)
        await controller.down("bob", ignore)
        assert len(facts) == count

    run(story())


def test_the_attempt_goes_on_when_nobody_waits_for_it_any_more() -> None:
    async def story() -> None:
        alice, _, controller = pair()
        waiting = asyncio.create_task(controller.up("lan", ignore))
        await asyncio.sleep(0.015)
        waiting.cancel()
        await asyncio.sleep(5)
        assert alice.pairs == 1

    run(story())


def test_an_up_that_takes_too_long_names_what_was_sent_last() -> None:
    async def story() -> None:
        _, _, controller = pair(SILENT, replace(BOTH, resend=Resend(interval=1, factor=1, sends=20)))
        async with Command(lambda progress: controller.up("lan", progress), timeout=2.5) as command:
            lines = [line async for line in command]
        assert lines[-1]["cause"] == (
            "not done within 2.5 s: MM1 sent 3 times, no answer; UDP 500 may be blocked, or the peer knows no "
            "connection for our address; the daemon goes on (see ikevd status)"
        )

    run(story())


# -- a child of several networks ------------------------------------------------------------------------------------


def test_up_down_status_and_trace_know_a_child_of_several_networks_by_its_own_name() -> None:
    async def story() -> None:
        alice, _, controller = pair(view=OF_TWO_NETWORKS)
        await controller.up("dmz", ignore)
        await controller.up("net", ignore)
        assert alice.pairs == 3
        (shown,) = (await status_of(controller, "net"))["connections"]
        assert [(c["name"], c["group"], c["state"]) for c in shown["children"]] == [
            ("net[1]", "net", "up"),
            ("net[2]", "net", "up"),
        ]
        assert [record["child"] for record in await traced(controller, None, "bob/net")] == ["net[1]", "net[2]"]
        await controller.down("bob/net", ignore)
        assert {name: c["state"] for name, c in (await children(controller)).items()} == {
            "net[1]": "down",
            "net[2]": "down",
            "dmz": "up",
        }

    run(story())


def test_one_pair_of_a_child_of_several_networks_has_a_name_of_its_own() -> None:
    async def story() -> None:
        _, _, controller = pair(view=OF_TWO_NETWORKS)
        await controller.up("net[2]", ignore)
        found = await children(controller)
        assert (found["net[1]"]["state"], found["net[2]"]["state"]) == ("down", "up")

    run(story())


# -- down ---------------------------------------------------------------------------------------------------------


def test_down_of_a_child_leaves_its_sibling_and_the_isakmp_sa() -> None:
    async def story() -> None:
        alice, bob, controller = pair()
        await controller.up("bob", ignore)
        await controller.down("lan", ignore)
        found = await children(controller)
        assert (found["lan"]["state"], found["dmz"]["state"]) == ("down", "up")
        assert len(alice.kernel.sas) == 2
        assert len((await status_of(controller))["connections"][0]["isakmp"]) == 1
        await asyncio.sleep(1)
        assert bob.pairs == 1

    run(story())


def test_down_of_a_connection_leaves_nothing_in_the_kernel_when_it_returns() -> None:
    async def story() -> None:
        alice, bob, controller = pair()
        await controller.up("bob", ignore)
        await controller.down("bob", ignore)
        assert alice.nothing_installed
        assert (await status_of(controller))["connections"][0]["isakmp"] == []
        await asyncio.sleep(1)
        assert bob.nothing_installed

    run(story())


def test_down_of_all_leaves_no_tunnel_of_any_connection() -> None:
    async def story() -> None:
        alice, _, controller = pair()
        await controller.up("bob", ignore)
        await controller.down(None, ignore)
        assert alice.nothing_installed
        assert (await status_of(controller))["connections"][0]["isakmp"] == []

    run(story())


def test_down_ends_an_attempt_that_is_under_way() -> None:
    async def story() -> None:
        _, _, controller = pair(SILENT)
        waiting = asyncio.create_task(controller.up("lan", ignore))
        await asyncio.sleep(0.5)
        await controller.down("bob", ignore)
        with pytest.raises(Abandoned):
            await waiting

    run(story())


def test_down_of_what_is_down_is_done() -> None:
    async def story() -> None:
        _, _, controller = pair()
        await controller.down("bob", ignore)

    run(story())


# -- names --------------------------------------------------------------------------------------------------------


def test_an_unknown_name_is_refused_with_the_names_that_exist() -> None:
    async def story() -> None:
        _, _, controller = pair()
        with pytest.raises(UnknownName, match=r"no connection or child is named paris; configured: bob \(lan, dmz\)"):
            controller.expect("paris")
        with pytest.raises(UnknownName):
            await controller.up("paris", ignore)
        with pytest.raises(UnknownName):
            await controller.down("paris", ignore)

    run(story())


def test_a_name_that_is_nearly_right_is_suggested() -> None:
    async def story() -> None:
        _, _, controller = pair()
        with pytest.raises(UnknownName, match=r"no connection or child is named dmx; did you mean dmz\?"):
            await controller.status("dmx")

    run(story())


def test_a_child_name_of_two_connections_is_refused_with_the_choices() -> None:
    async def story() -> None:
        with pytest.raises(UnknownName, match="several children are named lan; say which: bob/lan, carol/lan"):
            two_with_the_same_child().expect("lan")

    run(story())


@pytest.mark.parametrize("name", ["bob", "carol", "dmz", "bob/lan", "carol/lan"])
def test_a_name_that_says_which_is_accepted(name: str) -> None:
    async def story() -> None:
        two_with_the_same_child().expect(name)

    run(story())
