"""Pairs that live for a moment only, between two whole engines: the Quick Modes for new ones are few."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from ikevd.facts import Note
from ikevd.host.sas import SaId
from ikevd.policy.child import Start
from ikevd.policy.lives import Lifetime
from tests.builders import child, connection, mirrored
from tests.gateways import Gateway, alice_and_bob, bring_up
from tests.negotiation.flow import Flow
from tests.sayings import said
from tests.virtual_time import run


@dataclass
class Pairs:
    """All that a gateway had, by the inbound SPI, looked at ten times a second."""

    gateway: Gateway
    seen: dict[int, float] = field(default_factory=dict)

    async def watch(self, seconds: float) -> int:
        """How many are new within that time."""
        before, loop = len(self.seen), asyncio.get_running_loop()
        end = loop.time() + seconds
        while loop.time() < end:
            for pair in self.gateway.session.states["lan"].standing:
                self.seen.setdefault(pair.sa.inbound, loop.time())
            await asyncio.sleep(0.1)
        return len(self.seen) - before


@pytest.mark.parametrize("start", [Start.MANUAL, Start.ALWAYS])
@pytest.mark.parametrize("octets", [200_000, 20_000_000], ids=["a second", "a packet"])
def test_a_volume_that_lasts_but_a_moment_brings_a_quick_mode_in_two_seconds_and_one_note(
    octets: int, start: Start
) -> None:
    """2,560 kB are the least that the file may ask for. `octets`: in each of ten packets a second."""

    async def story() -> None:
        counted = child(lifetime=Lifetime(3600, 2560), start=start)
        _, alice, bob = alice_and_bob(view=connection(children=(counted,)))
        await bring_up(alice)
        flow = asyncio.ensure_future(Flow(alice, bob, octets=octets).run())
        assert 15 <= await Pairs(alice).watch(60) <= 32
        flow.cancel()
        for gateway in (alice, bob):
            entries = [entry for record in gateway.history.find() for entry in record.entries]
            notes = [said(entry.fact) for entry in entries if isinstance(entry.fact, Note)]
            assert sum("were used up in" in note for note in notes) <= 1

    run(story())


def test_of_a_peer_that_loses_each_pair_at_once_the_next_one_is_asked_for_later_each_time() -> None:
    async def story() -> None:
        view, manual = (connection(children=(child(start=start),)) for start in (Start.ALWAYS, Start.MANUAL))
        _, alice, bob = alice_and_bob(view=view, other=mirrored(manual))
        await bring_up(alice)
        pairs = Pairs(alice)

        async def spoil() -> None:
            while True:
                await asyncio.sleep(0.5)
                for sa in bob.kernel.sas:
                    bob.kernel.remove_sa(sa)

        task = asyncio.ensure_future(spoil())
        assert await pairs.watch(250) <= 8
        task.cancel()

    run(story())


@pytest.mark.parametrize(("octets", "least", "most"), [(2_000_000, 15, 32), (100, 0, 6)], ids=["used up", "unused"])
def test_of_a_peer_whose_own_kernel_ends_each_pair_the_next_one_is_made_soon_where_that_had_carried_a_volume(
    octets: int, least: int, most: int
) -> None:
    """`octets`: that each pair has carried by then."""

    async def story() -> None:
        view, manual = (connection(children=(child(start=start),)) for start in (Start.ALWAYS, Start.MANUAL))
        _, alice, bob = alice_and_bob(view=view, other=mirrored(manual))
        await bring_up(alice)

        async def use_up() -> None:
            while True:
                await asyncio.sleep(0.5)
                for pair in bob.session.states["lan"].standing:
                    if SaId(pair.sa.local, pair.sa.inbound) in bob.kernel.sas:
                        alice.kernel.carry(SaId(pair.sa.remote, pair.sa.outbound), octets)
                        bob.session.gone("lan", SaId(pair.sa.local, pair.sa.inbound), expired=True)

        task = asyncio.ensure_future(use_up())
        assert least <= await Pairs(alice).watch(60) <= most
        task.cancel()

    run(story())
