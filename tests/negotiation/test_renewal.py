"""Two gateways renew their ISAKMP SA while the children carry traffic."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from ikevd.peer.due import serves
from ikevd.peer.effects import Say
from ikevd.policy.lives import Lifetime
from ikevd.wire.payloads import NotifyPayload
from ikevd.wire.registry import ExchangeType, NotifyType, Protocol
from tests.builders import NO_DPD, child, connection, mirrored
from tests.duet import Network
from tests.gateways import Gateway, World, alice_and_bob, bring_up, ripen, silence
from tests.virtual_time import run

SHORT = connection(lifetime=Lifetime(300), children=(child(lifetime=Lifetime(86400)),), dpd=NO_DPD)
OVER = 320
"""So many seconds after its birth an ISAKMP SA of 300 s is forgotten by both ends, whatever became of it."""


def serving(gateway: Gateway) -> set[str]:
    """The ISAKMP SAs under which something may begin."""
    return {str(one.sa.cookies) for one in gateway.session.live if serves(one)}


def stands(gateway: Gateway) -> set[object]:
    """The SAs in the kernel."""
    return set(gateway.kernel.sas)


async def up() -> tuple[World, Gateway, Gateway]:
    """Both ends of the tunnel stand."""
    world, alice, bob = alice_and_bob(view=SHORT)
    await bring_up(alice)
    await asyncio.sleep(1)
    return world, alice, bob


async def at_once(alice: Gateway, bob: Gateway) -> None:
    """Both begin to renew it before either hears of the other."""
    for gateway in (alice, bob):
        ripen(gateway.session)
    await asyncio.sleep(1)


@pytest.mark.parametrize("aggressive", [False, True], ids=["Main Mode", "Aggressive Mode"])
def test_the_isakmp_sa_is_renewed_and_its_children_do_not_notice(*, aggressive: bool) -> None:
    async def story() -> None:
        _, alice, bob = alice_and_bob(view=replace(SHORT, aggressive=aggressive))
        await bring_up(alice)
        await asyncio.sleep(1)
        first, carrying = serving(alice), (stands(alice), stands(bob))
        await asyncio.sleep(OVER)
        assert serving(alice) == serving(bob)
        assert len(serving(alice)) == 1
        assert serving(alice) != first
        assert (stands(alice), stands(bob)) == carrying
        assert len(alice.session.live) == len(bob.session.live) == 1, "the former one is forgotten"

    run(story())


def test_for_three_hours_there_is_always_one_and_never_three() -> None:
    async def story() -> None:
        _, alice, bob = await up()
        seen = set[str]()
        for _ in range(180 * 6):
            await asyncio.sleep(10)
            assert 1 <= len(serving(alice)) <= 2
            assert 1 <= len(serving(bob)) <= 2
            seen |= serving(alice)
        assert 180 / 4 < len(seen) < 180 / 3.4, "one every 210 to 240 s"

    run(story())


def test_an_isakmp_sa_that_nobody_needs_is_not_renewed() -> None:
    async def story() -> None:
        _, alice, bob = await up()
        alice.session.unwant("lan")
        await asyncio.sleep(OVER)
        assert not alice.session.live
        assert not bob.session.live

    run(story())


def test_where_both_renew_it_at_once_one_is_left_after_40_s_and_it_is_the_same() -> None:
    async def story() -> None:
        for seed in range(8):
            _, alice, bob = alice_and_bob(view=SHORT, seed=seed)
            await bring_up(alice)
            await asyncio.sleep(1)
            first, carrying = serving(alice), (stands(alice), stands(bob))
            await at_once(alice, bob)
            assert len(serving(alice)) == len(serving(bob)) == 3
            await asyncio.sleep(41)
            assert serving(alice) == serving(bob)
            assert len(serving(alice) - first) == 1
            assert (stands(alice), stands(bob)) == carrying

    run(story())


@pytest.mark.parametrize("loss", [0.1, 0.3])
def test_on_a_lossy_network_the_pairs_stand_for_an_hour_of_renewals(loss: float) -> None:
    async def story() -> None:
        world, alice, bob = await up()
        carrying = stands(alice), stands(bob)
        world.network = Network(loss=loss, duplicate=0.1, jitter=0.2, seed=4)
        for _ in range(340):
            await asyncio.sleep(10)
            assert (stands(alice), stands(bob)) == carrying
            assert serving(alice)
            assert serving(bob)
        world.network = Network()
        await asyncio.sleep(OVER)
        assert serving(alice) & serving(bob)

    run(story())


def test_a_peer_that_is_silent_for_a_minute_when_it_should_be_renewed_costs_nothing() -> None:
    async def story() -> None:
        world, alice, bob = await up()
        first = serving(alice)
        await asyncio.sleep(200)
        await silence(world, 70)
        await asyncio.sleep(OVER)
        assert serving(alice) == serving(bob)
        assert serving(alice)
        assert not serving(alice) & first
        assert alice.pairs == bob.pairs == 1

    run(story())


def test_a_new_phase_1_is_on_record_with_the_reason_and_the_former_one_with_its_heir() -> None:
    async def story() -> None:
        _, alice, _ = await up()
        await asyncio.sleep(OVER)
        said = [str(entry.fact) for record in alice.history.find() for entry in record.entries]
        assert [one for one in said if "IsakmpRenewal" in one]
        assert [one for one in said if "IsakmpReplaced" in one]
        kinds = [record.kind for record in alice.history.find()]
        assert kinds.count(ExchangeType.MAIN_MODE) == 2

    run(story())


def talk(gateway: Gateway, octets: int) -> None:
    """So much in one Informational message, which leaves five times, since nothing answers it."""
    session = gateway.session
    (under,) = session.state.isakmp
    said = Say(under, (NotifyPayload(Protocol.ISAKMP, NotifyType.REPLAY_STATUS, b"", bytes(octets // 5)),))
    session._at_work.carry_out(session.state, said)


@pytest.mark.parametrize(("kilobytes", "renewed"), [(900, False), (930, True)])
def test_an_isakmp_sa_whose_volume_is_nearly_used_up_is_renewed(kilobytes: int, *, renewed: bool) -> None:
    """A tenth is left for the renewal."""

    async def story() -> None:
        view = replace(SHORT, lifetime=Lifetime(86400, 1024))
        _, alice, bob = alice_and_bob(view=view)
        await bring_up(alice)
        await asyncio.sleep(40)
        first, carrying = serving(alice), (stands(alice), stands(bob))
        for _ in range(kilobytes // 30):
            talk(alice, 30 * 1024)
        await asyncio.sleep(20)
        assert serving(alice) == first, "nothing was heard since"
        talk(bob, 100)
        await asyncio.sleep(20)
        assert (serving(alice) != first) == renewed
        assert (stands(alice), stands(bob)) == carrying

    run(story())


def test_used_up_it_ends_and_cuts_no_child() -> None:
    async def story() -> None:
        view = replace(SHORT, lifetime=Lifetime(86400, 1024))
        _, alice, bob = alice_and_bob(view=view)
        await bring_up(alice)
        await asyncio.sleep(1)
        carrying = stands(alice), stands(bob)
        for _ in range(36):
            talk(alice, 30 * 1024)
        talk(bob, 100)
        await asyncio.sleep(30)
        assert not alice.session.live
        assert (stands(alice), stands(bob)) == carrying

    run(story())


@pytest.mark.parametrize("aggressive", [False, True], ids=["Main Mode", "Aggressive Mode"])
def test_both_ends_know_the_shorter_life_of_the_responder_and_renew_before_it_ends(*, aggressive: bool) -> None:
    async def story() -> None:
        view = replace(SHORT, lifetime=Lifetime(86400), aggressive=aggressive)
        other = replace(mirrored(view), lifetime=Lifetime(300))
        _, alice, bob = alice_and_bob(view=view, other=other)
        await bring_up(alice)
        await asyncio.sleep(1)
        (ours,), (theirs,) = alice.session.live, bob.session.live
        assert ours.expires == pytest.approx(theirs.expires, abs=0.1)
        first = serving(alice)
        await asyncio.sleep(OVER)
        assert serving(alice) == serving(bob)
        assert not serving(alice) & first
        assert serving(alice)

    run(story())


def test_a_delete_is_heard_by_a_peer_to_which_message_6_of_the_renewal_did_not_come() -> None:
    """It may have been killed at that moment: what it is told under the new ISAKMP SA it cannot read."""

    async def story() -> None:
        world, alice, bob = await up()
        sent = 0

        def lose_message_6(sender: str, octets: bytes) -> list[bytes]:
            nonlocal sent
            sent += sender == "bob" and octets[18] == ExchangeType.MAIN_MODE
            return [] if sender == "bob" and octets[18] == ExchangeType.MAIN_MODE and sent >= 3 else [octets]

        world.network.tamper = lose_message_6
        ripen(alice.session)
        await asyncio.sleep(0.2)
        assert (len(alice.session.live), len(bob.session.live)) == (1, 2)
        bob.session.unwant("lan")
        await asyncio.sleep(0.2)
        assert alice.pairs == bob.pairs == 0

    run(story())
