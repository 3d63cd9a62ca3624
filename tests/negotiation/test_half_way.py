"""A phase 1 beside an ISAKMP SA that stands, in the middle of which one side is killed.

strongSwan moves its children to the new ISAKMP SA as it begins, and gives them up with it where nobody completes it.
"""

from __future__ import annotations

import asyncio

import pytest

from ikevd.addresses import Endpoint, Path
from ikevd.store.memory import Disk, MemoryStore
from ikevd.wire.registry import ExchangeType
from tests.builders import ALICE, BOB, mirrored
from tests.gateways import Gateway, World, bring_up, ripen
from tests.negotiation.mortal import EXCHANGE, VIEW, Machine, tunnel
from tests.negotiation.test_renewal import serving
from tests.virtual_time import run

FROM_ALICE = Path(Endpoint(BOB, 500), Endpoint(ALICE, 500))
"""As Bob sees it."""
AWAY = 3.0
"""Seconds until the next process."""
FEW = 4
"""Of one address so many are kept at once."""


def phase_ones(world: World, since: float) -> set[bytes]:
    """The initiator's cookies of all that were begun."""
    return {octets[:8] for at, _, octets in world.wire if at >= since and octets[EXCHANGE] == ExchangeType.MAIN_MODE}


def kept(machine: Machine) -> int:
    """Phase 1s that its store holds."""
    return sum(not key.message_id for peer in MemoryStore(machine.disk).load() for key in peer.exchanges)


async def began(alice: Gateway) -> float:
    """Her phase 1 has its first message on the way; when."""
    await asyncio.sleep(60)
    now = asyncio.get_running_loop().time()
    ripen(alice.session)
    return now


def assert_it_stands(world: World, hers: Machine, his: Machine, before: set[str], since: float) -> None:
    """On both sides, and no other one was begun."""
    assert hers.gateway is not None
    assert his.gateway is not None
    (new,) = serving(hers.gateway) - before
    assert new in serving(his.gateway)
    assert len(phase_ones(world, since)) == 1
    assert hers.gateway.pairs == his.gateway.pairs == 1


@pytest.mark.parametrize("who", ["initiator", "responder", "both"])
@pytest.mark.parametrize("after", range(1, 15))
def test_it_is_completed_by_the_next_process(who: str, after: int) -> None:
    """Killed when so many half hundredths of a second of it have passed: a message takes one hundredth."""

    async def story() -> None:
        world, hers, his, alice, _ = await tunnel()
        killed = {"initiator": [hers], "responder": [his], "both": [hers, his]}[who]
        before, since = serving(alice), await began(alice)
        await asyncio.sleep(after / 200)
        for machine in killed:
            machine.kill()
        await asyncio.sleep(AWAY)
        for machine in killed:
            await machine.restart()
        await asyncio.sleep(20)
        assert_it_stands(world, hers, his, before, since)

    run(story())


@pytest.mark.parametrize("writes", range(1, 9))
@pytest.mark.parametrize(("who", "silent"), [("initiator", 1), ("responder", 0)])
def test_so_it_is_whichever_write_was_the_last(who: str, silent: int, writes: int) -> None:
    """`silent`: so many come before the first message, of which none is an input of the exchange."""

    async def story() -> None:
        world, hers, his, alice, _ = await tunnel()
        killed = hers if who == "initiator" else his
        before, since = serving(alice), await began(alice)
        killed.kill_after(silent + writes)
        await asyncio.sleep(AWAY)
        await killed.restart()
        await asyncio.sleep(20)
        assert_it_stands(world, hers, his, before, since)

    run(story())


def test_nothing_of_it_is_kept_once_nobody_repeats_its_messages() -> None:
    async def story() -> None:
        _, _, his, alice, _ = await tunnel()
        await began(alice)
        await asyncio.sleep(0.02)
        assert kept(his) == 1
        await asyncio.sleep(120)
        assert kept(his) == 0

    run(story())


def test_a_process_that_comes_too_late_forgets_it() -> None:
    async def story() -> None:
        _, hers, his, alice, _ = await tunnel()
        await began(alice)
        await asyncio.sleep(0.02)
        hers.kill()
        his.kill()
        await asyncio.sleep(120)
        await his.restart()
        await asyncio.sleep(1)
        assert kept(his) == 0

    run(story())


def test_of_a_peer_that_holds_nothing_none_is_kept() -> None:
    async def story() -> None:
        world = World()
        his = Machine(world, BOB, mirrored(VIEW))
        his.boot()
        attempt = asyncio.ensure_future(bring_up(world.gateway(ALICE, VIEW)))
        while not attempt.done():
            assert kept(his) == 0
            await asyncio.sleep(0.005)

    run(story())


def test_forged_first_messages_of_its_address_take_a_few_places_in_the_store() -> None:
    async def story() -> None:
        world, _, his, alice, bob = await tunnel()
        since = await began(alice)
        await asyncio.sleep(120)
        first = next(octets for at, _, octets in world.wire if at >= since)
        for number in range(100):
            bob.engine.datagram(b"forged" + number.to_bytes(2) + first[8:], FROM_ALICE)
        assert kept(his) == FEW
        await asyncio.sleep(120)
        assert kept(his) == 0

    run(story())


def test_a_message_5_that_nobody_knows_is_told_nothing() -> None:
    """strongSwan ends its phase 1 for any error that it hears of it, and its children with that."""

    async def story() -> None:
        _, _, his, alice, _ = await tunnel()
        await began(alice)
        await asyncio.sleep(0.045)
        his.kill()
        his.disk = Disk()
        bob = await his.restart()
        await asyncio.sleep(20)
        assert bob.counters["INVALID-COOKIE said to a configured address"] == 0

    run(story())


def test_a_bug_in_one_that_is_to_be_completed_costs_that_one(monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[str] = []

    def bug(*_: object) -> None:
        raise RuntimeError("of a replay")

    async def story() -> None:
        _, _, his, alice, _ = await tunnel()
        await began(alice)
        await asyncio.sleep(0.02)
        his.kill()
        monkeypatch.setattr("ikevd.negotiation.lobby.replay.revive", bug)
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["message"]))
        bob = await his.restart()
        assert (kept(his), bob.pairs) == (0, 1)

    run(story())
    assert reported == ["internal error at a Main Mode that is to be completed"]
