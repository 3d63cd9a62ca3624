"""ESP is blocked between two gateways that reach each other by IKE: ESP in UDP is tried, and kept where it helps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from ikevd.addresses import Path
from ikevd.facts import Note
from ikevd.host.sas import Counters, SaId
from ikevd.kernel.memory import MemoryKernel
from ikevd.observe.words import say
from ikevd.path_findings import EspBlocked, EspSilent, UdpInVain, UdpNotTried
from ikevd.policy.child import Start
from ikevd.policy.connection import Connection
from ikevd.policy.dpd import Dpd
from ikevd.policy.nat import Encap
from ikevd.sa.model import Spi
from ikevd.wire.registry import ExchangeType
from tests.builders import ALICE, BOB, NO_DPD, child, connection, mirrored
from tests.gateways import Gateway, World, alice_and_bob, bring_up, reload, ripen
from tests.nat import Nat
from tests.negotiation.mortal import Machine
from tests.negotiation.pings import Passes, Pings, everything, no_esp_from_bob, not_in_udp, nothing, only_in_udp
from tests.virtual_time import run


class NoFloat(Nat):
    """What goes to port 4500 is dropped."""

    def arriving(self, path: Path) -> Path | None:
        return None if path.remote.port == 4500 else Path(path.remote, path.local)


MANUAL = connection(children=(child(start=Start.MANUAL),))
ALWAYS = connection(children=(child(start=Start.ALWAYS),))
MINUTE, HOUR = 60, 3600


@asynccontextmanager
async def pinging(alice: Gateway, bob: Gateway, passes: Passes) -> AsyncIterator[Pings]:
    pings = Pings(alice, bob, passes)
    task = asyncio.ensure_future(pings.run())
    yield pings
    task.cancel()


async def up(view: Connection = MANUAL, other: Connection | None = None) -> tuple[World, Gateway, Gateway]:
    world, alice, bob = alice_and_bob(view=view, other=other)
    await bring_up(alice)
    await asyncio.sleep(1)
    return world, alice, bob


def verdicts(gateway: Gateway) -> list[str]:
    """What was found about ESP, oldest first, each once."""
    kinds = EspSilent, EspBlocked, UdpInVain, UdpNotTried
    facts = [entry.fact for record in reversed(list(gateway.history.find())) for entry in record.entries]
    notes = [fact.finding for fact in facts if isinstance(fact, Note) and isinstance(fact.finding, kinds)]
    return list(dict.fromkeys(map(say, notes)))


def is_trying(gateway: Gateway) -> bool:
    """Is the ISAKMP SA of a trial not judged yet?"""
    known = gateway.session.state.one_way
    return known is not None and known.under is not None


def phase1s(world: World, since: float = 0.0) -> int:
    """First messages of Main Mode."""
    mains = [octets for at, _, octets in world.wire if octets[18] == ExchangeType.MAIN_MODE and at >= since]
    return len({octets[:8] for octets in mains})


def in_udp(gateway: Gateway) -> list[bool]:
    return [sa.encap is not None for sa in gateway.kernel.sas.values()]


def spis(gateway: Gateway) -> list[Spi]:
    return [pair.sa.inbound for pair in gateway.session.states["lan"].standing]


BLOCKED = (
    "packets come back in UDP: ESP (IP protocol 50) is blocked between 192.0.2.1 and 198.51.100.1; it stays in UDP"
)


@pytest.mark.parametrize("passes", [only_in_udp, no_esp_from_bob])
def test_esp_in_udp_is_tried_within_two_minutes_and_kept_where_it_helps(passes: Passes) -> None:
    async def story() -> None:
        _, alice, bob = await up()
        async with pinging(alice, bob, passes) as pings:
            await asyncio.sleep(2 * MINUTE)
            assert pings.back
            first = pings.back[0]
            await asyncio.sleep(2 * MINUTE)
            assert pings.back == [at for at in pings.sent if at >= first]
        silent, blocked = verdicts(alice)
        assert "packets left and none came back for 3" in silent
        assert blocked == BLOCKED
        for gateway in (alice, bob):
            assert (gateway.pairs, in_udp(gateway)) == (1, [True, True])
            serving = [known for known in gateway.session.live if not known.retired]
            assert len(serving) == 1
        assert not verdicts(bob)

    run(story())


@pytest.mark.long
def test_where_nothing_comes_in_udp_either_all_is_as_before_and_it_is_not_tried_again_for_an_hour() -> None:
    async def story() -> None:
        world, alice, bob = await up()
        before, (isakmp,) = spis(alice), alice.session.live
        async with pinging(alice, bob, nothing):
            await asyncio.sleep(3 * MINUTE)
            _, vain = verdicts(alice)
            assert vain.startswith("ESP in UDP did not help: ")
            assert vain.endswith(" none came back; what stood before carries on, and it is not tried again for 1 h")
            for gateway in (alice, bob):
                assert (gateway.pairs, in_udp(gateway)) == (1, [False, False])
            assert spis(alice) == before
            assert [known.sa.cookies for known in alice.session.live] == [isakmp.sa.cookies]
            assert phase1s(world) == 2
            await asyncio.sleep(HOUR - 3 * MINUTE)
            assert phase1s(world) == 2
            await asyncio.sleep(4 * MINUTE)
            assert phase1s(world) == 3
            await asyncio.sleep(2 * HOUR - 4 * MINUTE)
            assert phase1s(world) == 3

    run(story())


def test_a_tunnel_through_which_packets_come_never_tries() -> None:
    async def story() -> None:
        world, alice, bob = await up()
        async with pinging(alice, bob, everything) as pings:
            await asyncio.sleep(MINUTE)
            pings.passes = nothing
            await asyncio.sleep(10 * MINUTE)
        assert phase1s(world) == 1
        assert alice.session.state.one_way is None

    run(story())


def test_a_tunnel_without_traffic_never_tries() -> None:
    async def story() -> None:
        world, alice, _ = await up()
        await asyncio.sleep(HOUR)
        assert phase1s(world) == 1
        assert alice.session.state.one_way is None

    run(story())


class CountedKernel(MemoryKernel):
    """How often it was asked what an SA has carried."""

    asked = 0

    async def counters(self, sa: SaId) -> Counters | None:
        self.asked += 1
        return await super().counters(sa)


async def asked_in_half_an_idle_hour(view: Connection) -> tuple[int, int]:
    """Alice's kernel, who began the ISAKMP SA, and Bob's."""
    world, clock = World(), asyncio.get_running_loop().time
    hers, his = CountedKernel(clock=clock), CountedKernel(clock=clock)
    alice = world.gateway(ALICE, view, seed=1, kernel=hers)
    world.gateway(BOB, mirrored(view), seed=2, kernel=his)
    await bring_up(alice)
    await asyncio.sleep(HOUR / 2)
    assert alice.pairs == 1
    return hers.asked, his.asked


def test_an_idle_tunnel_asks_the_kernel_as_often_as_one_for_which_there_is_no_trial() -> None:
    """Save where it is the peer that asks each time: that end looks at one SA in 45 s at most."""

    async def story() -> None:
        hers, his = await asked_in_half_an_idle_hour(MANUAL)
        hers_without, his_without = await asked_in_half_an_idle_hour(replace(MANUAL, nat_methods=()))
        assert (hers, his_without) == (hers_without, 0)
        assert hers <= HOUR / 2 / 30
        assert his <= HOUR / 2 / 45

    run(story())


def test_where_packets_only_come_the_peer_is_asked_once_at_most_whether_it_lives() -> None:
    async def story() -> None:
        world, alice, _ = await up(other=replace(mirrored(MANUAL), dpd=Dpd(delay=HOUR)))
        since = asyncio.get_running_loop().time()
        for _ in range(60):
            await asyncio.sleep(10)
            alice.kernel.carry(next(sa for sa in alice.kernel.sas if sa.destination == ALICE), 84)
        assert len([at for at, path, _ in world.wire if path.local.address == ALICE and at > since]) <= 1

    run(story())


def test_where_esp_ever_came_a_stream_one_way_is_no_reason_after_a_renewal_and_a_rekeying() -> None:
    async def story() -> None:
        world, alice, bob = await up()
        async with pinging(alice, bob, everything) as pings:
            await asyncio.sleep(2 * MINUTE)
            pings.passes = lambda sender, _: sender == "alice"  # there is nothing to answer any more
            for _ in range(2):
                ripen(alice.session)
                await asyncio.sleep(2 * MINUTE)
            (rekeyed,) = alice.session.rekey(["lan"], phase1=False)
            await rekeyed
            await asyncio.sleep(HOUR / 4)
        assert verdicts(alice) == verdicts(bob) == []
        assert phase1s(world) == 3

    run(story())


@pytest.mark.parametrize(("caller", "within"), [("alice", 90), ("bob", 121)])
@pytest.mark.parametrize("idle", [0.0, 44.0, 75.0, 600.0, 1234.5])
def test_a_tunnel_that_was_idle_is_tried_about_a_minute_after_its_first_packet(
    caller: str, within: float, idle: float
) -> None:
    """The end that was called waits half a minute longer."""

    async def story() -> None:
        _, alice, bob = alice_and_bob(view=MANUAL)
        await bring_up({"alice": alice, "bob": bob}[caller])
        await asyncio.sleep(idle)
        async with pinging(alice, bob, only_in_udp) as pings:
            await asyncio.sleep(3 * MINUTE)
            assert pings.back[0] - pings.sent[0] <= within

    run(story())


def test_with_a_short_delay_of_dead_peer_detection_it_is_tried_within_40_s() -> None:
    async def story() -> None:
        _, alice, bob = await up(replace(MANUAL, dpd=Dpd(delay=3)))
        await asyncio.sleep(10 * MINUTE)
        async with pinging(alice, bob, only_in_udp) as pings:
            await asyncio.sleep(2 * MINUTE)
            assert pings.back[0] - pings.sent[0] <= 40

    run(story())


def test_fewer_than_twenty_packets_prove_nothing() -> None:
    async def story() -> None:
        world, alice, bob = await up()
        async with pinging(alice, bob, nothing) as pings:
            pings.every = 120.0
            await asyncio.sleep(36 * MINUTE)
            assert phase1s(world) == 1
            await asyncio.sleep(10 * MINUTE)
            assert phase1s(world) == 2

    run(story())


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [({"encap": Encap.FORCE}, {}), ({"nat_methods": ()}, {}), ({}, {"nat_methods": ()}), ({"dpd": NO_DPD}, {})],
    ids=["force", "we speak no NAT traversal", "the peer speaks none", "nothing tells that IKE lives"],
)
def test_it_is_for_encap_auto_with_nat_traversal_and_dead_peer_detection(
    ours: dict[str, object], theirs: dict[str, object]
) -> None:
    async def story() -> None:
        world, alice, bob = await up(replace(MANUAL, **ours), replace(mirrored(MANUAL), **theirs))  # type: ignore[arg-type]
        async with pinging(alice, bob, nothing):
            await asyncio.sleep(10 * MINUTE)
        assert phase1s(world) == 1

    run(story())


def test_the_end_that_was_called_tries_where_only_the_other_ones_packets_come() -> None:
    async def story() -> None:
        _, alice, bob = alice_and_bob(view=MANUAL)
        await bring_up(bob)
        await asyncio.sleep(1)
        async with pinging(alice, bob, no_esp_from_bob) as pings:
            await asyncio.sleep(3 * MINUTE)
            assert pings.back
        assert verdicts(alice)[1] == BLOCKED
        assert alice.session.live[-1].sa.initiator

    run(story())


def test_who_is_only_ever_called_tries_nothing() -> None:
    async def story() -> None:
        passive = replace(MANUAL, children=(child(start=Start.PASSIVE),))
        world, alice, bob = alice_and_bob(view=passive, other=mirrored(MANUAL))
        await bring_up(bob)
        async with pinging(alice, bob, no_esp_from_bob):
            await asyncio.sleep(10 * MINUTE)
        assert phase1s(world) == 1

    run(story())


def test_what_helped_outlives_the_renewal_of_the_isakmp_sa_by_either_end() -> None:
    async def story() -> None:
        _, alice, bob = await up()
        async with pinging(alice, bob, only_in_udp) as pings:
            await asyncio.sleep(3 * MINUTE)
            for gateway in (alice, bob, alice):
                ripen(gateway.session)
                await asyncio.sleep(2 * MINUTE)
                await alice.engine.session(MANUAL).rekey(["lan"], phase1=False)[0]
                await asyncio.sleep(MINUTE)
            assert all(in_udp(alice) + in_udp(bob))
            assert len(pings.back) >= len(pings.sent) - 2 * MINUTE
        assert len([known for known in alice.session.live if not known.retired]) == 1

    run(story())


def test_a_path_that_no_longer_lets_udp_pass_is_called_without() -> None:
    async def story() -> None:
        world, alice, bob = await up(ALWAYS)
        async with pinging(alice, bob, only_in_udp) as pings:
            await asyncio.sleep(3 * MINUTE)
            assert pings.back
            pings.passes = not_in_udp
            world.network.nat = NoFloat(ALICE)
            await asyncio.sleep(10 * MINUTE)
            assert pings.back[-1] >= pings.sent[-1] - 1
        assert in_udp(alice) == [False, False]

    run(story())


def test_other_settings_end_a_trial_and_encap_force_makes_it_what_it_is() -> None:
    async def story() -> None:
        _, alice, bob = await up(ALWAYS)
        async with pinging(alice, bob, only_in_udp) as pings:
            await asyncio.sleep(MINUTE + 0.5)
            assert is_trying(alice)
            await reload(alice, replace(ALWAYS, encap=Encap.FORCE))
            await asyncio.sleep(MINUTE)
            assert not is_trying(alice)
            assert pings.back[-1] >= pings.sent[-1] - 1
            assert (alice.pairs, in_udp(alice)) == (1, [True, True])

    run(story())


@pytest.mark.parametrize("passes", [only_in_udp, nothing])
@pytest.mark.parametrize("after", [60.5, 61.0, 64.0, 72.0])
def test_a_process_that_is_killed_in_a_trial_leaves_it_to_the_next_one(passes: Passes, after: float) -> None:
    async def story() -> None:
        world = World()
        bob = world.gateway(BOB, mirrored(ALWAYS), seed=1)
        machine = Machine(world, ALICE, ALWAYS)
        alice = machine.boot()
        alice.engine.start()
        await asyncio.sleep(1)
        async with pinging(alice, bob, passes) as pings:
            await asyncio.sleep(after)
            pings.alice = alice = await machine.restart()
            await asyncio.sleep(5 * MINUTE)
            assert bool(pings.back) is (passes is only_in_udp)
            if pings.back:
                assert pings.back[-1] >= pings.sent[-1] - 1
            for gateway in (alice, bob):
                assert (gateway.pairs, in_udp(gateway)) == (1, [passes is only_in_udp] * 2)

    run(story())


@pytest.mark.parametrize(("before", "after"), [(Encap.AUTO, Encap.FORCE), (Encap.FORCE, Encap.AUTO)])
def test_another_encap_in_the_file_is_negotiated_while_what_stands_carries_on(before: Encap, after: Encap) -> None:
    async def story() -> None:
        _, alice, bob = await up(replace(ALWAYS, encap=before), mirrored(MANUAL))
        async with pinging(alice, bob, everything) as pings:
            await asyncio.sleep(5)
            await reload(alice, replace(ALWAYS, encap=after))
            await asyncio.sleep(MINUTE)
            assert pings.back == pings.sent
        for gateway in (alice, bob):
            assert (gateway.pairs, in_udp(gateway)) == (1, [after is Encap.FORCE] * 2)

    run(story())
