"""What every `Kernel` must tell of packets that meet a tunnel without an SA."""

from dataclasses import replace
from ipaddress import ip_address

import pytest

from ikevd.host.events import KernelEvent, SaAsked
from ikevd.host.policies import Action, KernelPolicy
from ikevd.host.sas import SaId
from ikevd.policy.marks import Mark
from ikevd.sa.model import Spi
from tests.eventually import eventually_async
from tests.kernel.bench import Bench, told_by
from tests.kernel.samples import FOREIGN_REQID, HERE6, PEER, PEER6, REQID, add, policy_of, sa_ids, sa_of

TRAP = policy_of()
TRAP6 = policy_of("fd00:1::/64", "fd00:2::/64", ends=(HERE6, PEER6))
MIXED = policy_of("fd00:1::/64", "fd00:2::/64")


def asked(told: list[KernelEvent]) -> list[int]:
    """For which reqids."""
    return [event.reqid for event in told if isinstance(event, SaAsked)]


class TrapContract:
    """Traps: a tunnel policy that goes out, and no SA for it."""

    async def test_a_packet_for_a_tunnel_without_an_sa_asks_for_one_once(self, bench: Bench) -> None:
        told = told_by(bench.kernel)
        await bench.kernel.put_policy(TRAP)
        for _ in range(3):
            bench.send(TRAP.id)
        await eventually_async(lambda: asked(told))
        assert asked(told) == [REQID]

    async def test_a_dump_shows_who_asks(self, bench: Bench) -> None:
        await bench.kernel.put_policy(TRAP)
        assert await bench.kernel.dump_sas() == []
        bench.send(TRAP.id)
        (found,) = await bench.kernel.dump_sas()
        assert (found.id, found.reqid, found.larval, found.asked) == (SaId(PEER, Spi(0)), REQID, True, True)

    @pytest.mark.parametrize("trap", [TRAP, TRAP6, MIXED], ids=["IPv4", "IPv6", "IPv6 in IPv4"])
    async def test_it_is_told_which_packet_asks(self, bench: Bench, trap: KernelPolicy) -> None:
        told = told_by(bench.kernel)
        await bench.kernel.put_policy(trap)
        bench.send(trap.id)
        await eventually_async(lambda: asked(told))
        assert set(asked(told)) == {trap.reqid}
        event = told[0]
        assert isinstance(event, SaAsked)
        assert event.packet is not None
        assert (event.packet.source, event.packet.destination) == (trap.id.source[1], trap.id.destination[1])

    async def test_a_reserved_spi_is_not_asked_for(self, bench: Bench) -> None:
        await bench.kernel.reserve_spi(PEER, PEER, REQID)
        assert [found.asked for found in await bench.kernel.dump_sas()] == [False]

    async def test_an_sa_that_is_installed_takes_the_place_of_what_was_asked_for(self, bench: Bench) -> None:
        told = told_by(bench.kernel)
        await bench.kernel.put_policy(TRAP)
        bench.send(TRAP.id)
        await add(bench.kernel, sa_of())
        assert await sa_ids(bench.kernel, larval=True) == []
        bench.send(TRAP.id)
        counters = await bench.kernel.counters(sa_of().id)
        assert counters is not None
        assert counters.packets == 1
        await bench.kernel.delete_sa(sa_of().id)
        bench.send(TRAP.id)
        await eventually_async(lambda: len(asked(told)) > 1)
        assert asked(told) == [REQID, REQID]

    async def test_only_a_packet_with_its_mark_meets_a_policy(self, bench: Bench) -> None:
        told = told_by(bench.kernel)
        marked = policy_of(mark=Mark(0x4200, 0xFF00))
        await bench.kernel.put_policy(marked)
        bench.send(TRAP.id)
        bench.send(replace(TRAP.id, mark=Mark(42)))
        assert await bench.kernel.dump_sas() == []
        bench.send(marked.id)
        await eventually_async(lambda: asked(told))
        await add(bench.kernel, sa_of())
        bench.send(marked.id)
        counters = await bench.kernel.counters(sa_of().id)
        assert counters is not None
        assert counters.packets == 1

    async def test_who_asked_asks_again_once_that_is_forgotten(self, bench: Bench) -> None:
        told = told_by(bench.kernel)
        seconds = bench.shorten_reservations()
        await bench.kernel.put_policy(TRAP)
        bench.send(TRAP.id)
        await bench.pass_time(seconds)
        assert await bench.kernel.dump_sas() == []
        bench.send(TRAP.id)
        await eventually_async(lambda: len(asked(told)) > 1)
        assert asked(told) == [REQID, REQID]

    async def test_where_its_source_is_open_routing_chooses_it(self, bench: Bench) -> None:
        told = told_by(bench.kernel)
        await bench.kernel.put_policy(policy_of(ends=(ip_address("0.0.0.0"), PEER)))  # any
        bench.send(TRAP.id)
        await eventually_async(lambda: asked(told))
        assert asked(told) == [REQID]
        await add(bench.kernel, sa_of())
        bench.send(TRAP.id)
        counters = await bench.kernel.counters(sa_of().id)
        assert counters is not None
        assert counters.packets == 1

    async def test_a_larval_sa_outlives_a_block_under_which_nothing_asks(self, bench: Bench) -> None:
        told = told_by(bench.kernel)
        await bench.kernel.put_policy(policy_of(action=Action.BLOCK))
        bench.send(TRAP.id)
        assert await bench.kernel.dump_sas() == []
        await bench.kernel.put_policy(TRAP)
        bench.send(TRAP.id)
        await bench.kernel.put_policy(policy_of(action=Action.BLOCK))
        assert len(await sa_ids(bench.kernel, larval=True)) == 1
        await eventually_async(lambda: asked(told))
        assert asked(told) == [REQID]

    async def test_what_packets_ask_of_another_program_is_not_told(self, bench: Bench) -> None:
        told = told_by(bench.kernel)
        bench.plant_policy(policy_of("10.1.1.0/24", "10.2.1.0/24").id, FOREIGN_REQID)
        bench.send(policy_of("10.1.1.0/24", "10.2.1.0/24").id)
        await bench.kernel.put_policy(TRAP)
        bench.send(TRAP.id)
        await eventually_async(lambda: asked(told))
        assert asked(told) == [REQID]
