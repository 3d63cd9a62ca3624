"""A backup peer: of two connections for the same networks one carries them, and no packet leaves in the clear."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from ikevd.host.policies import Action, Direction
from ikevd.policy.child import Start
from ikevd.policy.dpd import Dpd, DpdMode
from tests.builders import ALICE, BOB, child, connection, mirrored
from tests.gateways import Gateway, World, reload
from tests.negotiation.guarded import DAVE, Watched, out
from tests.virtual_time import run

DPD = Dpd(DpdMode.PERIODIC, delay=5.0, timeout=8.0)
LAN = child(start=Start.ALWAYS)
FIRST = connection(name="first", children=(LAN,), dpd=DPD)
BACKUP = connection(name="second", remote=DAVE, children=(replace(LAN, reqid=0x696B0001),), dpd=DPD, backup_of="first")
STAYS = replace(BACKUP, give_back=False)


class Site:
    """Alice's machine, and two peers with the same network behind them, who wait for her."""

    def __init__(self, world: World, backup: object) -> None:
        self.world = world
        self.machine = Watched(world, ALICE, FIRST, backup)  # type: ignore[arg-type]

    async def begin(self) -> Site:
        for address in (BOB, DAVE):
            self.rise(address)
        await self.machine.restart()
        self.machine.guarded = frozenset(out(self.machine.kernel.policies.values()))
        assert len(self.machine.guarded) == 1, "one gate for both"
        await asyncio.sleep(60)
        assert len(self.machine.kernel.sas) == 4, "both are up"
        return self

    @property
    def alice(self) -> Gateway:
        assert self.machine.gateway is not None
        return self.machine.gateway

    def die(self, address: object) -> None:
        """Without a word."""
        gateway = self.world.gateways.pop(address)  # type: ignore[call-overload]
        for session in gateway.engine.sessions():
            session.close()

    def rise(self, address: object) -> None:
        """With nothing of what it had."""
        view = FIRST if address == BOB else replace(BACKUP, backup_of=None)
        his = replace(mirrored(view), children=(replace(mirrored(view).children[0], start=Start.PASSIVE),))
        self.world.gateway(address, his, seed=len(self.world.wire))  # type: ignore[arg-type]

    @property
    def way(self) -> tuple[Action, object, bool]:
        """What becomes of what leaves: to whom it goes, and by an SA that stands?"""
        (policy,) = out(self.machine.kernel.policies.values()).values()
        assert policy.template is not None
        spis = {name.spi for name in self.machine.kernel.sas}
        return policy.action, policy.template.destination, policy.template.spi in spis

    @property
    def arrives(self) -> set[object]:
        """From whom packets are taken."""
        inward = [policy for policy in self.machine.kernel.policies.values() if policy.id.direction is Direction.IN]
        return {policy.template.source for policy in inward if policy.template}


async def site(backup: object = BACKUP) -> Site:
    return await Site(World(), backup).begin()


TO_BOB, TO_DAVE = (Action.TUNNEL, BOB, True), (Action.TUNNEL, DAVE, True)


def test_while_both_live_the_first_carries_and_the_sas_of_the_backup_stand_by() -> None:
    async def story() -> None:
        its = await site()
        assert (its.way, its.arrives) == (TO_BOB, {BOB})

    run(story())


def test_the_backup_carries_once_the_first_is_found_dead_and_no_longer_once_it_lives_again() -> None:
    async def story() -> None:
        its = await site()
        its.die(BOB)
        await asyncio.sleep(DPD.delay + DPD.timeout + 1)
        assert (its.way, its.arrives) == (TO_DAVE, {DAVE})
        its.rise(BOB)
        await asyncio.sleep(400)
        assert (its.way, its.arrives) == (TO_BOB, {BOB})
        assert len(its.machine.kernel.sas) == 4
        said = [text for text in its.alice.troubles if "carries what is for lan" in text]
        assert said == [
            "second: carries what is for lan from here on: it stands in for first, whose tunnel is down",
            "first: carries what is for lan from here on: it lives",
        ]

    run(story())


def test_where_it_does_not_give_back_the_backup_goes_on_until_it_dies_itself() -> None:
    async def story() -> None:
        its = await site(STAYS)
        its.die(BOB)
        await asyncio.sleep(20)
        its.rise(BOB)
        await asyncio.sleep(400)
        assert (its.way, len(its.machine.kernel.sas)) == (TO_DAVE, 4)
        its.die(DAVE)
        await asyncio.sleep(20)
        assert its.way == TO_BOB

    run(story())


def test_where_neither_lives_the_gate_is_shut() -> None:
    async def story() -> None:
        its = await site()
        its.die(BOB)
        its.die(DAVE)
        await asyncio.sleep(60)
        assert its.way[0] is Action.BLOCK

    run(story())


def test_a_command_that_takes_the_first_down_lets_the_backup_carry() -> None:
    async def story() -> None:
        its = await site()
        next(session for session in its.alice.engine.sessions() if session.connection.name == "first").unwant("lan")
        await asyncio.sleep(5)
        assert its.way == TO_DAVE

    run(story())


@pytest.mark.parametrize("backup", [BACKUP, STAYS], ids=["gives back", "stays"])
def test_a_restart_keeps_who_carries(backup: object) -> None:
    async def story() -> None:
        its = await site(backup)
        assert its.way == TO_BOB
        await its.machine.restart()
        await asyncio.sleep(30)
        assert its.way == TO_BOB
        its.die(BOB)
        await asyncio.sleep(20)
        assert its.way == TO_DAVE
        if backup is STAYS:
            its.rise(BOB)
            await asyncio.sleep(400)
        await its.machine.restart()
        assert its.way == TO_DAVE
        await asyncio.sleep(30)
        assert its.way == TO_DAVE

    run(story())


@pytest.mark.long
@pytest.mark.parametrize("point", ["before put_policy", "after put_policy", "after put", "after delete_sa"])
@pytest.mark.parametrize("passes", range(1, 5))
def test_a_kill_amid_the_change_lets_nothing_out_and_the_next_process_does_it(point: str, passes: int) -> None:
    async def story() -> None:
        its = await site()
        its.die(BOB)
        await asyncio.sleep(4)
        its.machine.kill_at(point, passes)
        await asyncio.sleep(30)
        if its.machine.gateway is None:
            await its.machine.restart()
        await asyncio.sleep(60)
        assert its.way == TO_DAVE

    run(story())


def test_a_reload_that_makes_it_no_backup_any_more_gives_the_gate_to_the_first() -> None:
    async def story() -> None:
        its = await site()
        its.die(BOB)
        await asyncio.sleep(20)
        assert its.way == TO_DAVE
        await reload(its.alice, FIRST)
        await asyncio.sleep(5)
        assert its.way[0] is Action.BLOCK
        its.rise(BOB)
        await asyncio.sleep(400)
        assert its.way == TO_BOB

    run(story())
