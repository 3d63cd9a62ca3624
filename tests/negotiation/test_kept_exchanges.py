"""What is stored of exchanges, so that the next process can tell them again: its bound, and how room comes back."""

from __future__ import annotations

import asyncio

import pytest

from ikevd.addresses import Address, Path
from ikevd.negotiation import ledger
from ikevd.peer import message_facts
from ikevd.wire.registry import ExchangeType
from tests.builders import ALICE, BOB
from tests.gateways import Gateway, World
from tests.negotiation.mortal import EXCHANGE, Machine, tunnel
from tests.virtual_time import run


def room(gateway: Gateway) -> int:
    """Octets that are taken by what is kept for its peer."""
    return gateway.session._ledger.kept_octets


@pytest.mark.parametrize("bound", [0, ledger.MAX_KEPT_OCTETS], ids=["it was not kept", "it was kept"])
def test_message_1_of_a_quick_mode_is_not_served_again_by_the_next_process(
    bound: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "MAX_KEPT_OCTETS", bound)

    async def story() -> None:
        world, _, his, *_ = await tunnel()
        quick = ((path, octets) for _, path, octets in world.wire if octets[EXCHANGE] == ExchangeType.QUICK_MODE)
        path, message_1 = next((path, octets) for path, octets in quick if path.local.address == ALICE)
        await asyncio.sleep(300)
        await his.restart()
        said = len(world.wire)
        world.carry(message_1, path)
        await asyncio.sleep(1)
        assert [path for _, path, _ in world.wire[said:] if path.local.address == BOB] == []
        assert not his.kernel.larval
        assert len(his.kernel.sas) == 2

    run(story())


@pytest.mark.parametrize("away", [1.0, 300.0], ids=["still answers", "is over"])
@pytest.mark.parametrize("role", ["initiator", "responder"])
def test_the_room_of_an_exchange_that_ended_before_the_restart_comes_back(role: str, away: float) -> None:
    async def story() -> None:
        _, hers, his, *_ = await tunnel()
        machine = hers if role == "initiator" else his
        gateway = await after(machine, away)
        assert (room(gateway) > 0) == (away < 100)
        await asyncio.sleep(100)
        assert room(gateway) == 0

    run(story())


@pytest.mark.parametrize("writes", range(1, 12))
def test_the_room_of_one_that_cannot_go_on_after_the_restart_comes_back(writes: int) -> None:
    async def story() -> None:
        _, hers, his, *_ = await tunnel()
        await asyncio.sleep(100)
        hers.kill()
        his.kill_after(writes)
        alice = await hers.restart()
        alice.session.unwant("lan")
        await asyncio.sleep(1)
        outcome = alice.session.want("lan")
        await asyncio.sleep(1)
        bob = await after(his, 60.0)
        await asyncio.sleep(100)
        assert room(bob) == 0
        await asyncio.gather(outcome, return_exceptions=True)

    run(story())


def test_the_room_of_an_exchange_comes_back_with_the_end_of_its_isakmp_sa() -> None:
    async def story() -> None:
        *_, alice, bob = await tunnel()
        (isakmp,) = alice.session.live
        assert room(alice) > 0
        alice.session.post(message_facts.Worn(isakmp.sa.cookies))
        await asyncio.sleep(20)
        assert not alice.session.live
        assert (room(alice), room(bob)) == (0, 0)

    run(story())


async def after(machine: Machine, away: float) -> Gateway:
    """The next process, so long after the end of the one before."""
    machine.kill()
    await asyncio.sleep(away)
    return await machine.restart()


# -- exchanges that had ended before the restart


def quick_modes(gateway: Gateway) -> int:
    """Of which the process has evidence, be they old or new."""
    return len([record for record in gateway.history.find() if record.message_id])


def nth_of(world: World, sender: Address, number: int) -> tuple[bytes, Path]:
    """The `number`-th message of the Quick Mode that the sender has sent."""
    quick = [(octets, path) for _, path, octets in world.wire if octets[EXCHANGE] == ExchangeType.QUICK_MODE]
    return [(octets, path) for octets, path in quick if path.local.address == sender][number]


@pytest.mark.parametrize("role", ["initiator", "responder"])
def test_one_is_told_again_only_when_the_peer_repeats_itself(role: str) -> None:
    async def story() -> None:
        world, hers, his, *_ = await tunnel()
        machine, peer, ours = (hers, BOB, 1) if role == "initiator" else (his, ALICE, 0)
        gateway = await after(machine, 1.0)
        await asyncio.sleep(1)
        assert quick_modes(gateway) == 0
        repeated, answer = nth_of(world, peer, 0), nth_of(world, machine.address, ours)
        for _ in range(2):
            said = len(world.wire)
            world.carry(*repeated)
            await asyncio.sleep(5)
            assert answer[0] in [octets for _, _, octets in world.wire[said + 1 :]]
        assert quick_modes(gateway) == 1
        assert len(machine.kernel.sas) == 2

    run(story())


def test_one_is_forgotten_as_soon_as_the_peer_does_not_repeat_itself_any_more() -> None:
    async def story() -> None:
        world, _, his, *_ = await tunnel()
        bob = await after(his, 1.0)
        assert room(bob) > 0
        await asyncio.sleep(80)
        said = len(world.wire)
        world.carry(*nth_of(world, ALICE, 0))
        await asyncio.sleep(5)
        assert [path for _, path, _ in world.wire[said + 1 :]] == []
        assert room(bob) == 0
        assert not [rows.exchanges for rows in his.disk.peers.values() if rows.exchanges]

    run(story())
