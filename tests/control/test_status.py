"""Status and trace: what the controller shows."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from ikevd.control.interface import UnknownName
from ikevd.errors import NoAnswer
from ikevd.observe.words import say_error
from ikevd.policy.child import Start
from ikevd.policy.identity import Identity
from tests.builders import ALICE, BOB, mirrored
from tests.control.controlled import (
    BOTH,
    LAN,
    SILENT,
    children,
    controlled,
    ignore,
    pair,
    status_of,
    traced,
    two_with_the_same_child,
)
from tests.gateways import alice_and_bob
from tests.virtual_time import run

# -- status -------------------------------------------------------------------------------------------------------


def test_status_names_what_is_configured_before_anything_stands() -> None:
    async def story() -> None:
        _, _, controller = pair()
        status = await status_of(controller)
        (one,) = status["connections"]
        assert status["listening"] == ["192.0.2.1:500"]
        assert (one["name"], one["local"], one["remote"]) == ("bob", "192.0.2.1", "198.51.100.1")
        assert (one["negotiating"], one["isakmp"]) == (False, [])
        assert [(c["name"], c["state"], c["last_cause"], c["sas"]) for c in one["children"]] == [
            ("lan", "down", None, []),
            ("dmz", "down", None, []),
        ]

    run(story())


def test_status_shows_sas_with_age_and_what_they_carried() -> None:
    async def story() -> None:
        alice, _, controller = pair()
        await controller.up("lan", ignore)
        await asyncio.sleep(100)
        (isakmp,) = (await status_of(controller))["connections"][0]["isakmp"]
        (sa,) = (await children(controller))["lan"]["sas"]
        assert {sa["spi_in"], sa["spi_out"]} == {str(name.spi) for name in alice.kernel.sas}
        assert (sa["age_seconds"], sa["expires_in_seconds"]) == (100, 3500)
        assert sa["rekeys_in_seconds"] in range(2900, 3201)
        assert not sa["replaced"]
        assert (sa["packets_in"], sa["packets_out"]) == (0, 0)
        assert isakmp["initiator"]
        assert isakmp["remote_id"].startswith("198.51.100.1")
        assert isakmp["expires_in_seconds"] == 86300
        assert isakmp["renews_in_seconds"] in range(84_680, 85_221)
        assert not isakmp["retired"]

    run(story())


def test_status_says_what_is_under_way() -> None:
    async def story() -> None:
        _, _, controller = pair(SILENT)
        waiting = asyncio.create_task(controller.up("lan", ignore))
        await asyncio.sleep(0.5)
        assert (await status_of(controller))["connections"][0]["negotiating"]
        assert (await children(controller))["lan"]["state"] == "negotiating"
        with pytest.raises(NoAnswer):
            await waiting

    run(story())


def test_status_keeps_the_cause_of_the_last_failure() -> None:
    async def story() -> None:
        _, _, controller = pair(SILENT)
        with pytest.raises(NoAnswer) as caught:
            await controller.up("lan", ignore)
        assert (await children(controller))["lan"]["last_cause"] == say_error(caught.value)

    run(story())


def test_status_and_trace_survive_json() -> None:
    async def story() -> None:
        _, _, controller = pair()
        await controller.up("bob", ignore)
        json.dumps([await status_of(controller), await traced(controller)])

    run(story())


def test_status_of_a_child_shows_its_connection_with_that_child_only() -> None:
    async def story() -> None:
        _, _, controller = pair()
        for name in ("dmz", "bob/dmz"):
            (one,) = (await status_of(controller, name))["connections"]
            assert (one["name"], [c["name"] for c in one["children"]]) == ("bob", ["dmz"])
        assert len((await status_of(controller, "bob"))["connections"][0]["children"]) == 2
        with pytest.raises(UnknownName):
            await status_of(controller, "paris")

    run(story())


def test_status_of_a_child_name_of_two_connections_shows_both() -> None:
    async def story() -> None:
        assert [c["name"] for c in (await status_of(two_with_the_same_child(), "lan"))["connections"]] == [
            "bob",
            "carol",
        ]

    run(story())


def test_status_of_a_peer_shows_the_connections_that_have_it() -> None:
    async def story() -> None:
        controller = two_with_the_same_child()
        assert [c["name"] for c in (await status_of(controller, peer=BOB))["connections"]] == ["bob"]
        assert (await status_of(controller, peer=ALICE))["connections"] == []

    run(story())


def test_a_peer_from_anywhere_is_found_by_the_address_of_its_isakmp_sa() -> None:
    async def story() -> None:
        anywhere = replace(mirrored(BOTH), remote=None, remote_id=Identity.of_address(ALICE))
        _, alice, bob = alice_and_bob(None, BOTH, anywhere)
        controller = controlled(bob)
        assert (await status_of(controller, peer=ALICE))["connections"] == []
        await alice.engine.session(BOTH).want("lan")
        await asyncio.sleep(1)
        (one,) = (await status_of(controller, peer=ALICE))["connections"]
        assert (one["remote"], one["isakmp"][0]["remote"]) == ("any", "192.0.2.1:500")
        assert one["children"][0]["sas"][0]["remote"] == "192.0.2.1"

    run(story())


def test_status_keeps_the_furthest_point_of_a_failed_phase_1_with_its_cisco_names() -> None:
    async def story() -> None:
        _, _, controller = pair(SILENT)
        with pytest.raises(NoAnswer) as caught:
            await controller.up("lan", ignore)
        phase1 = (await status_of(controller))["connections"][0]["phase1"]
        assert phase1 is not None
        assert (phase1["outcome"], phase1["furthest"]) == ("failed", "MM1 sent")
        assert phase1["cause"] == say_error(caught.value)
        assert phase1["cisco"] == {"ios": "MM_NO_STATE", "asa": "MM_WAIT_MSG2"}

    run(story())


def test_both_sides_of_an_established_isakmp_sa_are_named_as_cisco_does() -> None:
    async def story() -> None:
        _, alice, bob = alice_and_bob(None, BOTH)
        await controlled(alice).up("lan", ignore)
        for gateway in (alice, bob):
            (one,) = (await status_of(controlled(gateway)))["connections"]
            (isakmp,) = one["isakmp"]
            assert (isakmp["exchange"], isakmp["cisco"]["ios"], isakmp["cisco"]["asa"]) == (
                "MAIN_MODE",
                "QM_IDLE",
                "MM_ACTIVE",
            )
            assert one["phase1"]
            assert one["phase1"]["outcome"] == "established"

    run(story())


def test_a_child_that_waits_for_its_next_attempt_is_in_retry() -> None:
    async def story() -> None:
        auto = replace(BOTH, children=(replace(LAN, start=Start.ALWAYS),))
        _, alice, _ = alice_and_bob(SILENT, auto)
        controller = controlled(alice)
        alice.engine.start()
        await asyncio.sleep(6)
        found = (await children(controller))["lan"]
        assert found["state"] == "retry"
        assert found["retry_in_seconds"]
        assert "MM2" in (found["last_cause"] or "")
        await alice.engine.stop()

    run(story())


def test_names_are_those_of_the_configuration() -> None:
    async def story() -> None:
        assert two_with_the_same_child().names() == {"bob": {"lan": [], "dmz": []}, "carol": {"lan": []}}

    run(story())


# -- trace --------------------------------------------------------------------------------------------------------


def test_trace_gives_every_negotiation_oldest_first() -> None:
    async def story() -> None:
        _, _, controller = pair()
        await controller.up("bob", ignore)
        records = await traced(controller)
        assert [(r["exchange"], r["child"]) for r in records] == [
            ("MAIN_MODE", None),
            ("QUICK_MODE", "lan"),
            ("QUICK_MODE", "dmz"),
        ]

    run(story())


def test_trace_gives_only_the_newest() -> None:
    async def story() -> None:
        _, _, controller = pair()
        await controller.up("bob", ignore)
        (record,) = await traced(controller, last=1)
        assert record["child"] == "dmz"

    run(story())


def test_trace_obeys_each_filter() -> None:
    async def story() -> None:
        _, _, controller = pair()
        await controller.up("bob", ignore)
        main, lan, dmz = await traced(controller)
        assert await traced(controller, lan["spis"][0]) == [lan]
        assert await traced(controller, main["cookies"]["initiator"]) == [main, lan, dmz]
        assert await traced(controller, None, "dmz") == [dmz]
        assert len(await traced(controller, None, "bob")) == 3
        assert len(await traced(controller, None, None, str(BOB))) == 3
        assert await traced(controller, None, None, str(ALICE)) == []
        assert await traced(controller, lan["spis"][0], "dmz") == []

    run(story())
