"""Trees, captures and keys: evidence that leaves the daemon."""

from __future__ import annotations

import pytest

from ikevd.control.interface import NotAllowed
from ikevd.dissect.frames import datagrams
from ikevd.dissect.pcap import frames
from ikevd.dissect.pcap_writer import file_header
from ikevd.facts import Heard, Sent
from tests.builders import BOB
from tests.control.controlled import BOTH, controlled, ignore, pair, traced
from tests.gateways import alice_and_bob, reload
from tests.virtual_time import run

# -- evidence that leaves the daemon ------------------------------------------------------------------------------


def test_a_trace_with_trees_opens_encrypted_messages_and_shows_no_hash() -> None:
    async def story() -> None:
        _, _, controller = pair()
        await controller.up("lan", ignore)
        records = await traced(controller, decode=True)
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
        found = list(datagrams(frames(b"".join(await controller.capture(None, None, None, 20)))))
        assert [datagram.payload for datagram in found] == [fact.octets for _, fact in facts]
        assert [datagram.time / 1e9 for datagram in found] == pytest.approx([at for at, _ in facts])
        assert (str(found[0].source), str(found[0].destination)) == ("192.0.2.1:500", "198.51.100.1:500")
        assert (str(found[1].source), str(found[1].destination)) == ("198.51.100.1:500", "192.0.2.1:500")
        assert list(await controller.capture(None, "nobody", None, 20)) == [file_header()]

    run(story())


def test_keys_are_withheld_unless_the_configuration_allows_them() -> None:
    async def story() -> None:
        _, _, controller = pair()
        await controller.up("lan", ignore)
        with pytest.raises(NotAllowed, match="export_keys"):
            await controller.keys(None, None, None)

    run(story())


def test_keys_are_those_of_the_isakmp_sas_that_stand_and_fit() -> None:
    async def story() -> None:
        _, alice, bob = alice_and_bob(None, BOTH)
        controller = controlled(alice)
        await reload(alice, BOTH, export_keys=True)
        await controller.up("lan", ignore)
        (session,) = bob.engine.sessions()
        (theirs,) = session.live
        (line,) = await controller.keys(None, None, None)
        assert line == f"{theirs.sa.cookies.initiator.hex()},{theirs.sa.cipher_key.reveal().hex()}"
        assert await controller.keys(theirs.sa.cookies.initiator.hex(), "bob", str(BOB)) == [line]
        assert await controller.keys(None, "nobody", None) == []

    run(story())
