"""What the responder's status and trace tell of negotiations that peers began in vain."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from ikevd.addresses import Endpoint
from ikevd.control.controller import MAX_REFUSED
from ikevd.errors import IkeError, Said
from ikevd.observe.refused import OF_A_CONNECTION, OF_STRANGERS, Refused, RefusedAttempts
from ikevd.policy.connection import Connection
from ikevd.policy.identity import Identity
from ikevd.policy.proposals import parse_ike
from ikevd.wire.registry import ExchangeType
from tests.builders import ALICE, BOB, mirrored, psk
from tests.control.controlled import BOTH, QUICK, controlled
from tests.gateways import Gateway, World, alice_and_bob
from tests.views import record_view
from tests.virtual_time import run

ANYWHERE = replace(mirrored(BOTH), remote=None, remote_id=Identity.of_address(ALICE))


async def refused(gateway: Gateway, **filters: Any) -> list[dict[str, Any]]:
    head, _ = await controlled(gateway).status(**filters)
    return list(head["refused"])


async def tried(ours: Connection, theirs: Connection, children: tuple[str, ...] = ("lan",)) -> tuple[Gateway, Gateway]:
    """Alice tries, Bob refuses."""
    _, alice, bob = alice_and_bob(None, ours, theirs)
    for name in children:
        with pytest.raises(IkeError):
            await alice.engine.session(ours).want(name)
    return alice, bob


def test_a_refused_proposal_stands_with_when_from_where_and_why() -> None:
    async def story() -> None:
        theirs = replace(mirrored(BOTH), suites=(parse_ike("aes256-sha1-modp1024"),))
        _, bob = await tried(BOTH, theirs)
        (one,) = await refused(bob)
        assert (one["exchange"], one["peer"], one["connection"]) == ("MAIN_MODE", "192.0.2.1:500", theirs.name)
        assert one["finding"]["kind"] == "nearest_miss"
        assert one["cause"].startswith("no acceptable phase 1 proposal")
        assert 0 <= one["at"] < 10

    run(story())


def test_the_refusal_that_was_sent_stands_in_the_trace_of_what_it_refused() -> None:
    async def story() -> None:
        theirs = replace(mirrored(BOTH), suites=(parse_ike("aes256-sha1-modp1024"),))
        _, bob = await tried(BOTH, theirs)
        *_, record = map(record_view, bob.history.find())
        told = [event for event in record["events"] if event["fact"] == "sent"]
        assert [(event["label"], event["payloads"], event["notifications"]) for event in told] == [
            ("INFO", ["N"], ["NO_PROPOSAL_CHOSEN"])
        ]

    run(story())


def test_a_refused_child_stands_beside_its_connection_and_the_notify_in_the_trace() -> None:
    async def story() -> None:
        theirs = replace(mirrored(BOTH), children=mirrored(BOTH).children[:1])
        _, bob = await tried(BOTH, theirs, ("dmz",))
        (one,) = await refused(bob)
        assert (one["exchange"], one["connection"], one["child"]) == ("QUICK_MODE", theirs.name, None)
        assert one["finding"]["kind"] == "no_such_child"
        told = [
            e for r in map(record_view, bob.history.find()) if r["exchange"] == "INFORMATIONAL" for e in r["events"]
        ]
        assert ["INVALID_ID_INFORMATION"] in [event["notifications"] for event in told if event["fact"] == "sent"]

    run(story())


def test_a_peer_of_a_connection_for_any_address_stands_there_too() -> None:
    async def story() -> None:
        theirs = replace(ANYWHERE, psk=psk("another key"))
        _, bob = await tried(BOTH, theirs)
        (early,) = await refused(bob)
        await asyncio.sleep(100)
        (late,) = await refused(bob)
        for one in (early, late):
            assert (one["peer"], one["finding"]["kind"], one["times"]) == ("192.0.2.1:500", "other_key", 1)

    run(story())


def test_a_stranger_whose_address_no_connection_has_stands_there_with_its_number_of_attempts() -> None:
    async def story() -> None:
        theirs = replace(mirrored(BOTH), remote=BOB + 7)
        _, bob = await tried(BOTH, theirs)
        (one,) = await refused(bob)
        assert (one["peer"], one["connection"], one["times"]) == ("192.0.2.1:500", None, QUICK.sends)
        assert one["cause"] == "no connection has this address as its remote"
        assert await refused(bob, name=theirs.name) == []
        assert await refused(bob, peer=BOB) == []
        assert await refused(bob, peer=ALICE) == [one]

    run(story())


def test_aggressive_mode_that_is_not_allowed_is_named() -> None:
    async def story() -> None:
        theirs = mirrored(BOTH)
        _, bob = await tried(replace(BOTH, aggressive=True), theirs)
        (one,) = await refused(bob)
        assert one["cause"] == f"it asks for Aggressive Mode, which {theirs.name} does not allow"

    run(story())


def test_what_we_began_ourselves_is_no_refused_attempt() -> None:
    async def story() -> None:
        theirs = replace(mirrored(BOTH), suites=(parse_ike("aes256-sha1-modp1024"),))
        alice, _ = await tried(BOTH, theirs)
        assert await refused(alice) == []

    run(story())


def test_a_negotiation_that_ended_well_is_none() -> None:
    async def story() -> None:
        _, alice, bob = alice_and_bob(None, BOTH)
        await alice.engine.session(BOTH).want("lan")
        assert await refused(bob) == []

    run(story())


# -- bounds -------------------------------------------------------------------------------------------------------


def attempt(number: int, connection: str | None = None, cause: str = "no") -> Refused:
    peer = Endpoint(BOB + number, 500)
    return Refused(ExchangeType.MAIN_MODE, peer, connection, None, Said(cause), float(number))


def test_strangers_push_out_strangers_and_nobody_else() -> None:
    attempts = RefusedAttempts()
    attempts.add(attempt(0, "berlin"))
    for number in range(1, 1001):
        attempts.add(attempt(number))
    kept = list(attempts)
    assert kept[0] == attempt(0, "berlin")
    assert [one.last for one in kept[1:]] == [float(number) for number in range(1001 - OF_STRANGERS, 1001)]


def test_who_only_fits_the_address_of_a_connection_pushes_out_nothing_of_its_proven_peer() -> None:
    attempts = RefusedAttempts()
    proven = replace(attempt(0, "berlin"), proven=True)
    attempts.add(proven)
    for number in range(1, 1001):
        attempts.add(attempt(number, "berlin"))
    kept = list(attempts)
    assert kept[0] == proven
    assert len(kept) == 1 + OF_A_CONNECTION


def test_of_a_connection_only_the_last_are_kept() -> None:
    attempts = RefusedAttempts()
    for number in range(100):
        attempts.add(attempt(number, "berlin"))
    assert [one.last for one in attempts] == [float(number) for number in range(100 - OF_A_CONNECTION, 100)]


def test_equal_attempts_are_one_with_the_time_of_the_last() -> None:
    attempts = RefusedAttempts()
    for port in (500, 501, 502):
        attempts.add(replace(attempt(1), peer=Endpoint(BOB, port), last=float(port)))
    (one,) = attempts
    assert (one.count, one.last, one.peer.port) == (3, 502.0, 502)


def test_a_long_cause_is_cut() -> None:
    attempts = RefusedAttempts()
    attempts.add(attempt(1, cause="x" * 100_000))
    (one,) = attempts
    assert len(str(one.cause)) < 1000


def test_one_status_shows_the_latest_of_all() -> None:
    async def story() -> None:
        bob = World().gateway(BOB, mirrored(BOTH))
        for name in range(30):
            bob.history.refused.add(attempt(name, f"connection {name}"))
        found = await refused(bob)
        assert [one["at"] for one in found] == [float(number) for number in range(30 - MAX_REFUSED, 30)]

    run(story())
