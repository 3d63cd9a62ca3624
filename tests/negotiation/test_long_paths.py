"""Where an answer takes longer than the first pause: nothing is lost there, and nothing is sent for a loss."""

from __future__ import annotations

import asyncio

import pytest

from ikevd.conversation.timing import pauses
from ikevd.policy.connection import Resend
from ikevd.policy.dpd import Dpd, DpdMode
from ikevd.wire.registry import ExchangeType
from tests.builders import ALICE, connection, mirrored
from tests.duet import Network
from tests.gateways import Gateway, World, alice_and_bob, bring_up
from tests.virtual_time import run

TYPE_AT = 18
"""The octet of the header that holds the exchange type."""


def copies_within(seconds: float) -> int:
    """Of a message that is answered after so long, by the configured schedule."""
    sent, number = 0.0, 0
    for pause in pauses(Resend()):
        number += sent < seconds
        sent += pause
    return number


async def firsts_of_a_rekeying(world: World, alice: Gateway) -> int:
    """How often message 1 of Quick Mode leaves."""
    before = len(world.wire)
    (rekeyed,) = alice.session.rekey(["lan"], phase1=False)
    await rekeyed
    await asyncio.sleep(25)
    sent = [octets for _, path, octets in world.wire[before:] if path.local.address == ALICE]
    modes = [octets for octets in sent if octets[TYPE_AT] == ExchangeType.QUICK_MODE]
    return modes.count(modes[0])


@pytest.mark.parametrize("round_trip", [0.2, 0.8, 1.2, 1.5, 3.0])
def test_each_rekeying_sends_what_is_configured_and_no_more(round_trip: float) -> None:
    async def story() -> None:
        world, alice, _ = alice_and_bob(Network(delay=round_trip / 2))
        await bring_up(alice)
        await asyncio.sleep(30)
        for _ in range(3):
            assert await firsts_of_a_rekeying(world, alice) == copies_within(round_trip)
        known = alice.session.at_work._timing.round_trip
        assert known.seconds == pytest.approx(round_trip)
        assert not known.loses

    run(story())


def test_dead_peer_detection_measures_by_the_question_that_is_answered() -> None:
    async def story() -> None:
        dpd = Dpd(mode=DpdMode.PERIODIC, delay=10, timeout=12)
        world, alice, _ = alice_and_bob(view=connection(dpd=dpd), other=mirrored(connection(dpd=Dpd(mode=DpdMode.OFF))))
        await bring_up(alice)
        world.network.delay = 1.5
        await asyncio.sleep(20)
        assert alice.session.at_work._timing.round_trip.seconds == pytest.approx(3.0)

    run(story())
