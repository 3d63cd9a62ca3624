"""What the API can do with a whole engine, in virtual time."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from ikevd.addresses import Endpoint
from ikevd.control.command import Command
from ikevd.control.controller import EngineController
from ikevd.control.interface import NotAllowed, UnknownName
from ikevd.control.shapes import Child
from ikevd.errors import Abandoned, IkeError, NoAnswer
from ikevd.facts import Heard, Sent
from ikevd.observe.frames import datagrams
from ikevd.observe.pcap import frames
from ikevd.observe.pcap_writer import file_header
from ikevd.observe.views import View
from ikevd.policy.identity import Identity
from ikevd.policy.model import Config, Connection, Resend, Start
from tests.builders import ALICE, BOB, child, connection, mirrored, psk
from tests.duet import Network
from tests.gateways import Gateway, World, alice_and_bob
from tests.virtual_time import run

QUICK = Resend(interval=1, factor=1.5, sends=3)
LAN = child(name="lan")
DMZ = child(name="dmz", reqid=0x696B0001, local="10.1.9.0/24", remote="10.2.9.0/24")
BOTH = connection(children=(LAN, DMZ), resend=QUICK)
SILENT = Network(loss=1.0)


def controlled(gateway: Gateway, *connections: Connection, export_keys: bool = False) -> EngineController:
    listening = (Endpoint(gateway.address, 500),)
    config = Config(connections, export_keys=export_keys)
    return EngineController(gateway.engine, config, gateway.history, gateway.counters, listening)


def pair(network: Network | None = None, view: Connection = BOTH) -> tuple[Gateway, Gateway, EngineController]:
    _, alice, bob = alice_and_bob(network, view)
    return alice, bob, controlled(alice, view)


def ignore(_: View) -> None:
    """Nobody listens."""


async def children(controller: EngineController) -> dict[str, Child]:
    status = await controller.status()
    return {view["name"]: view for one in status["connections"] for view in one["children"]}


# -- status -------------------------------------------------------------------------------------------------------


def test_status_names_what_is_configured_before_anything_stands() -> None:
    async def story() -> None:
        _, _, controller = pair()
        status = await controller.status()
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
        (isakmp,) = (await controller.status())["connections"][0]["isakmp"]
        (sa,) = (await children(controller))["lan"]["sas"]
        assert {sa["spi_in"], sa["spi_out"]} == {str(name.spi) for name in alice.kernel.sas}
        assert (sa["age_seconds"], sa["expires_in_seconds"]) == (100, 3500)
        assert (sa["packets_in"], sa["packets_out"]) == (0, 0)
        assert isakmp["initiator"]
        assert isakmp["remote_id"].startswith("198.51.100.1")
        assert isakmp["expires_in_seconds"] == 86300

    run(story())


def test_status_says_what_is_under_way() -> None:
    async def story() -> None:
        _, _, controller = pair(SILENT)
        waiting = asyncio.create_task(controller.up("lan", ignore))
        await asyncio.sleep(0.5)
        assert (await controller.status())["connections"][0]["negotiating"]
        assert (await children(controller))["lan"]["state"] == "negotiating"
        with pytest.raises(NoAnswer):
            await waiting

    run(story())


def test_status_keeps_the_cause_of_the_last_failure() -> None:
    async def story() -> None:
        _, _, controller = pair(SILENT)
        with pytest.raises(NoAnswer) as caught:
            await controller.up("lan", ignore)
        assert (await children(controller))["lan"]["last_cause"] == str(caught.value)

    run(story())


def test_status_and_trace_survive_json() -> None:
    async def story() -> None:
        _, _, controller = pair()
        await controller.up("bob", ignore)
        json.dumps([await controller.status(), controller.trace(None, None, None, 20)])

    run(story())


def test_status_of_a_child_shows_its_connection_with_that_child_only() -> None:
    async def story() -> None:
        _, _, controller = pair()
        for name in ("dmz", "bob/dmz"):
            (one,) = (await controller.status(name))["connections"]
            assert (one["name"], [c["name"] for c in one["children"]]) == ("bob", ["dmz"])
        assert len((await controller.status("bob"))["connections"][0]["children"]) == 2
        with pytest.raises(UnknownName):
            await controller.status("paris")

    run(story())


def test_status_of_a_child_name_of_two_connections_shows_both() -> None:
    async def story() -> None:
        assert [c["name"] for c in (await two_with_the_same_child().status("lan"))["connections"]] == ["bob", "carol"]

    run(story())


def test_status_of_a_peer_shows_the_connections_that_have_it() -> None:
    async def story() -> None:
        controller = two_with_the_same_child()
        assert [c["name"] for c in (await controller.status(peer=BOB))["connections"]] == ["bob"]
        assert (await controller.status(peer=ALICE))["connections"] == []

    run(story())


def test_a_peer_from_anywhere_is_found_by_the_address_of_its_isakmp_sa() -> None:
    async def story() -> None:
        anywhere = replace(mirrored(BOTH), remote=None, remote_id=Identity.of_address(ALICE))
        _, alice, bob = alice_and_bob(None, BOTH, anywhere)
        controller = controlled(bob, anywhere)
        assert (await controller.status(peer=ALICE))["connections"] == []
        await alice.engine.session(BOTH).want("lan")
        await asyncio.sleep(1)
        (one,) = (await controller.status(peer=ALICE))["connections"]
        assert (one["remote"], one["isakmp"][0]["remote"]) == ("any", "192.0.2.1:500")
        assert one["children"][0]["sas"][0]["remote"] == "192.0.2.1"

    run(story())


def test_status_keeps_the_furthest_point_of_a_failed_phase_1_with_its_cisco_names() -> None:
    async def story() -> None:
        _, _, controller = pair(SILENT)
        with pytest.raises(NoAnswer) as caught:
            await controller.up("lan", ignore)
        phase1 = (await controller.status())["connections"][0]["phase1"]
        assert phase1 is not None
        assert (phase1["outcome"], phase1["furthest"], phase1["cause"]) == ("failed", "MM1 sent", str(caught.value))
        assert phase1["cisco"] == {"ios": "MM_NO_STATE", "asa": "MM_WAIT_MSG2"}

    run(story())


def test_both_sides_of_an_established_isakmp_sa_are_named_as_cisco_does() -> None:
    async def story() -> None:
        _, alice, bob = alice_and_bob(None, BOTH)
        await controlled(alice, BOTH).up("lan", ignore)
        for gateway, view in ((alice, BOTH), (bob, mirrored(BOTH))):
            (one,) = (await controlled(gateway, view).status())["connections"]
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
        auto = replace(BOTH, children=(replace(LAN, start=Start.AUTO),))
        _, alice, _ = alice_and_bob(SILENT, auto)
        controller = controlled(alice, auto)
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
        assert two_with_the_same_child().names() == {"bob": ["lan", "dmz"], "carol": ["lan"]}

    run(story())


# -- trace --------------------------------------------------------------------------------------------------------


def test_trace_gives_every_negotiation_oldest_first() -> None:
    async def story() -> None:
        _, _, controller = pair()
        await controller.up("bob", ignore)
        records = controller.trace(None, None, None, 20)
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
        (record,) = controller.trace(None, None, None, 1)
        assert record["child"] == "dmz"

    run(story())


def test_trace_obeys_each_filter() -> None:
    async def story() -> None:
        _, _, controller = pair()
        await controller.up("bob", ignore)
        main, lan, dmz = controller.trace(None, None, None, 20)
        assert controller.trace(lan["spis"][0], None, None, 20) == [lan]
        assert controller.trace(main["cookies"]["initiator"], None, None, 20) == [main, lan, dmz]
        assert controller.trace(None, "dmz", None, 20) == [dmz]
        assert len(controller.trace(None, "bob", None, 20)) == 3
        assert len(controller.trace(None, None, str(BOB), 20)) == 3
        assert controller.trace(None, None, str(ALICE), 20) == []
        assert controller.trace(lan["spis"][0], "dmz", None, 20) == []

    run(story())


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
        with pytest.raises(IkeError, match="pre-shared key"):
            await controlled(alice, BOTH).up("lan", ignore)

    run(story())


def test_up_of_a_connection_tells_the_failure_of_one_child_and_leaves_the_other_up() -> None:
    async def story() -> None:
        _, alice, _ = alice_and_bob(None, BOTH, replace(mirrored(BOTH), children=mirrored(BOTH).children[:1]))
        controller = controlled(alice, BOTH)
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
        controller = controlled(alice, BOTH, elsewhere)
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
            "not done within 2.5 s: MM1 sent 3 times, no answer; the daemon goes on (see ikevd status)"
        )

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
        assert len((await controller.status())["connections"][0]["isakmp"]) == 1
        await asyncio.sleep(1)
        assert bob.pairs == 1

    run(story())


def test_down_of_a_connection_leaves_nothing_in_the_kernel_when_it_returns() -> None:
    async def story() -> None:
        alice, bob, controller = pair()
        await controller.up("bob", ignore)
        await controller.down("bob", ignore)
        assert alice.nothing_installed
        assert (await controller.status())["connections"][0]["isakmp"] == []
        await asyncio.sleep(1)
        assert bob.nothing_installed

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


def two_with_the_same_child() -> EngineController:
    elsewhere = connection(name="carol", remote=BOB + 1)
    return controlled(World().gateway(ALICE, BOTH, elsewhere), BOTH, elsewhere)


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


# -- evidence that leaves the daemon ------------------------------------------------------------------------------


def test_a_trace_with_trees_opens_encrypted_messages_and_shows_no_hash() -> None:
    async def story() -> None:
        _, _, controller = pair()
        await controller.up("lan", ignore)
        records = controller.trace(None, None, None, 20, decode=True)
        trees = {
            event["label"]: event["message"] for record in records for event in record["events"] if "wire" in event
        }
        names = {label: [payload["payload"]["name"] for payload in tree["payloads"]] for label, tree in trees.items()}
        assert names["MM5"][:2] == ["ID", "HASH"]
        assert names["QM1"][:3] == ["HASH", "SA", "NONCE"]
        hashes = [p["data"] for tree in trees.values() for p in tree["payloads"] if p["payload"]["name"] == "HASH"]
        assert len(hashes) == 5
        assert hashes == [{"octets": 32, "hidden": True}] * 5

    run(story())


def test_a_capture_holds_each_message_with_its_endpoints_and_its_time() -> None:
    async def story() -> None:
        alice, _, controller = pair()
        await controller.up("lan", ignore)
        facts = [
            (entry.at, entry.fact)
            for record in alice.history.find()
            for entry in record.entries
            if isinstance(entry.fact, Sent | Heard)
        ]
        found = list(datagrams(frames(b"".join(controller.capture(None, None, None, 20)))))
        assert [datagram.payload for datagram in found] == [fact.octets for _, fact in facts]
        assert [datagram.time / 1e9 for datagram in found] == pytest.approx([at for at, _ in facts])
        assert (str(found[0].source), str(found[0].destination)) == ("192.0.2.1:500", "198.51.100.1:500")
        assert (str(found[1].source), str(found[1].destination)) == ("198.51.100.1:500", "192.0.2.1:500")
        assert list(controller.capture(None, "nobody", None, 20)) == [file_header()]

    run(story())


def test_keys_are_withheld_unless_the_configuration_allows_them() -> None:
    async def story() -> None:
        _, _, controller = pair()
        await controller.up("lan", ignore)
        with pytest.raises(NotAllowed, match="export_keys"):
            controller.keys(None, None, None)

    run(story())


def test_keys_are_those_of_the_isakmp_sas_that_stand_and_fit() -> None:
    async def story() -> None:
        _, alice, bob = alice_and_bob(None, BOTH)
        controller = controlled(alice, BOTH, export_keys=True)
        await controller.up("lan", ignore)
        (session,) = bob.engine.sessions()
        (theirs,) = session.live
        (line,) = controller.keys(None, None, None)
        assert line == f"{theirs.sa.cookies.initiator.hex()},{theirs.sa.cipher_key.reveal().hex()}"
        assert controller.keys(theirs.sa.cookies.initiator.hex(), "bob", str(BOB)) == [line]
        assert controller.keys(None, "nobody", None) == []

    run(story())
