"""What every `Kernel` must tell of what others change."""

from dataclasses import replace

import pytest

from ikevd.host.events import PoliciesFlushed, PolicyChanged, PolicyRemoved, SaRemoved, SasFlushed
from ikevd.host.policies import Action, Direction
from ikevd.host.sas import SaId, UdpPorts
from ikevd.policy.marks import Mark
from ikevd.sa.model import Spi
from tests.eventually import eventually_async
from tests.kernel.bench import Bench, told_by
from tests.kernel.samples import (
    BEARINGS,
    FOREIGN_REQID,
    FURTHER,
    HERE,
    PEER,
    REQID,
    SPI,
    add,
    policy_of,
    sa_of,
    standing,
)


class EventContract:
    """Events."""

    async def test_a_removed_sa_is_told(self, bench: Bench) -> None:
        told = told_by(bench.kernel)
        await add(bench.kernel, sa_of())
        bench.remove_sa(SaId(PEER, SPI))
        await eventually_async(lambda: told)
        assert told == [SaRemoved(SaId(PEER, SPI), REQID)]

    async def test_flushed_sas_are_told(self, bench: Bench) -> None:
        told = told_by(bench.kernel)
        await add(bench.kernel, sa_of())
        bench.flush_sas()
        await eventually_async(lambda: told)
        assert told == [SasFlushed()]
        assert await bench.kernel.dump_sas() == []

    async def test_removed_and_flushed_policies_are_told(self, bench: Bench) -> None:
        told = told_by(bench.kernel)
        first, second = policy_of(), policy_of(direction=Direction.FWD, action=Action.BLOCK)
        for policy in (first, second):
            await bench.kernel.put_policy(policy)
        bench.remove_policy(first.id)
        bench.flush_policies()
        await eventually_async(lambda: len(told) > 1)
        assert told == [PolicyRemoved(first.id), PoliciesFlushed()]

    @pytest.mark.parametrize(("if_id", "mark"), BEARINGS)
    async def test_a_policy_is_told_with_what_its_packets_bear(
        self, bench: Bench, if_id: int, mark: Mark | None
    ) -> None:
        told = told_by(bench.kernel)
        policy = policy_of(if_id=if_id, mark=mark)
        await bench.kernel.put_policy(policy)
        bench.change_policy(replace(policy, priority=17))
        bench.remove_policy(policy.id)
        await eventually_async(lambda: len(told) > 1)
        assert told == [PolicyChanged(policy.id), PolicyRemoved(policy.id)]

    @pytest.mark.parametrize("action", list(Action))
    async def test_a_changed_policy_is_told_and_found_as_it_is_now(self, bench: Bench, action: Action) -> None:
        told = told_by(bench.kernel)
        await bench.kernel.put_policy(policy_of())
        changed = replace(policy_of(action=action, reqid=FOREIGN_REQID), priority=17)
        bench.change_policy(changed)
        await eventually_async(lambda: told)
        assert told == [PolicyChanged(policy_of().id)]
        assert await standing(bench.kernel) == [changed]

    async def test_what_this_process_changes_is_not_told_to_it(self, bench: Bench) -> None:
        told = told_by(bench.kernel)
        await add(bench.kernel, sa_of())
        await bench.kernel.limit_sa(SaId(PEER, SPI), 60)
        for action in (Action.BLOCK, Action.TUNNEL):
            await bench.kernel.put_policy(policy_of(action=action))
        await add(bench.kernel, replace(sa_of(Spi(0x3333)), encap=UdpPorts(4500, 4500)))
        await bench.kernel.change_ports(SaId(PEER, Spi(0x3333)), UdpPorts(4500, 40002))
        moved = replace(sa_of(Spi(0x3333), destination=FURTHER), encap=UdpPorts(4500, 40002))
        await bench.kernel.move_sa(SaId(PEER, Spi(0x3333)), moved)
        await bench.kernel.delete_policy(policy_of().id, REQID)
        await bench.kernel.delete_sa(SaId(PEER, SPI))
        await add(bench.kernel, sa_of())
        bench.remove_sa(SaId(PEER, SPI))
        await eventually_async(lambda: told)
        assert told == [SaRemoved(SaId(PEER, SPI), REQID)]

    async def test_neither_a_removed_reservation_nor_anothers_sa_is_told(self, bench: Bench) -> None:
        told = told_by(bench.kernel)
        spi = await bench.kernel.reserve_spi(PEER, HERE, REQID)
        bench.remove_sa(SaId(HERE, spi))
        bench.plant_sa(SaId(PEER, Spi(0x2222)), FOREIGN_REQID)
        bench.remove_sa(SaId(PEER, Spi(0x2222)))
        await add(bench.kernel, sa_of())
        bench.remove_sa(SaId(PEER, SPI))
        await eventually_async(lambda: told)
        assert told == [SaRemoved(SaId(PEER, SPI), REQID)]
