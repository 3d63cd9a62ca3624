"""What every `Kernel` must do with IPComp, whose SAs stand beside those of ESP."""

import pytest

from ikevd.addresses import Address
from ikevd.errors import KernelRefused
from ikevd.frozen import replace
from ikevd.host.events import SaRemoved
from ikevd.host.policies import Action, Direction, KernelPolicy, Template
from ikevd.host.sas import SaId
from ikevd.policy.lives import Lifetime
from ikevd.policy.suites import DEFLATE, IpsecSuite
from ikevd.sa.model import Spi
from ikevd.wire.registry import Encapsulation, Protocol
from tests.eventually import eventually_async
from tests.kernel.bench import Bench, told_by
from tests.kernel.samples import (
    AES_SHA256,
    CPI,
    DEFLATES,
    FURTHER,
    HERE,
    HERE6,
    PEER,
    PEER6,
    REQID,
    SPI,
    add,
    policy_of,
    sa_ids,
    sa_of,
    standing,
)

ENDS = pytest.mark.parametrize("ends", [(HERE, PEER), (HERE6, PEER6)], ids=["ipv4", "ipv6"])
MODES = pytest.mark.parametrize("suite", DEFLATES, ids=["tunnel", "transport"])
INNER = replace(AES_SHA256, mode=Encapsulation.TRANSPORT)
"""ESP around a tunnel of IPComp."""


def compressed(direction: Direction, action: Action = Action.TUNNEL, cpi: Spi | None = None) -> KernelPolicy:
    plain = policy_of(direction=direction, action=action)
    assert plain.template is not None
    return replace(plain, template=replace(plain.template, compressed=True, cpi=cpi, spi=SPI if cpi else None))


async def reserve_too_many(bench: Bench) -> None:
    for _ in range(0xD000, 0xE001):
        await bench.kernel.reserve_spi(PEER, HERE, REQID, Protocol.IPCOMP)


class IpcompContract:
    """SAs of IPComp, and policies that need them."""

    @ENDS
    @MODES
    async def test_a_reserved_cpi_is_filled(
        self, bench: Bench, suite: IpsecSuite, ends: tuple[Address, Address]
    ) -> None:
        here, peer = ends
        cpi = await bench.kernel.reserve_spi(peer, here, REQID, Protocol.IPCOMP)
        assert cpi.protocol == Protocol.IPCOMP
        assert 0xD000 <= cpi.number <= 0xDFFF
        assert await sa_ids(bench.kernel, larval=True) == [SaId(here, cpi)]
        await add(bench.kernel, sa_of(cpi, suite=suite, source=peer, destination=here), reserved=True)
        assert await sa_ids(bench.kernel) == [SaId(here, cpi)]

    @MODES
    async def test_it_is_tried_and_leaves_nothing(self, bench: Bench, suite: IpsecSuite) -> None:
        await bench.kernel.probe(suite)
        assert await bench.kernel.dump_sas() == []

    async def test_one_number_is_an_spi_and_another_a_cpi(self, bench: Bench) -> None:
        spi = Spi(CPI.number)
        await add(bench.kernel, sa_of(spi))
        await add(bench.kernel, sa_of(CPI, suite=DEFLATE))
        await bench.kernel.delete_sa(SaId(PEER, CPI))
        assert await sa_ids(bench.kernel) == [SaId(PEER, spi)]

    async def test_a_cpi_is_taken_once(self, bench: Bench) -> None:
        await add(bench.kernel, sa_of(CPI, suite=DEFLATE))
        with pytest.raises(KernelRefused, match="the kernel has an SA of that SPI already"):
            await add(bench.kernel, sa_of(CPI, suite=DEFLATE))

    async def test_where_all_are_taken_that_is_said(self, bench: Bench) -> None:
        with pytest.raises(KernelRefused, match=f"all 4096 CPIs that pairs of {HERE} may have are in use"):
            await reserve_too_many(bench)
        await bench.kernel.reserve_spi(PEER, FURTHER, REQID, Protocol.IPCOMP)

    async def test_a_live_one_is_given_another_end(self, bench: Bench) -> None:
        sa = sa_of(CPI, suite=DEFLATE, lifetime=Lifetime(30))
        await add(bench.kernel, sa)
        await bench.kernel.limit_sa(sa.id, 3600)
        (found,) = await bench.kernel.dump_sas()
        assert 3590 < (found.ends_in or 0) <= 3600

    async def test_that_somebody_removes_one_is_told(self, bench: Bench) -> None:
        told = told_by(bench.kernel)
        await add(bench.kernel, sa_of(CPI, suite=DEFLATE))
        bench.remove_sa(SaId(PEER, CPI))
        await eventually_async(lambda: bool(told))
        assert told == [SaRemoved(SaId(PEER, CPI), REQID)]

    @pytest.mark.parametrize("action", [Action.TUNNEL, Action.BLOCK], ids=str)
    @pytest.mark.parametrize("transport", [False, True], ids=["tunnel", "transport"])
    async def test_a_policy_that_compresses_stands_as_it_was_put(
        self, bench: Bench, action: Action, transport: bool
    ) -> None:
        for direction, cpi in ((Direction.IN, None), (Direction.FWD, None), (Direction.OUT, CPI)):
            plain = compressed(direction, action, cpi)
            assert plain.template is not None
            policy = replace(plain, template=replace(plain.template, transport=transport))
            await bench.kernel.put_policy(policy)
            assert await standing(bench.kernel) == [policy]
            await bench.kernel.delete_policy(policy.id, REQID)

    async def test_a_policy_turns_into_one_that_compresses_and_back(self, bench: Bench) -> None:
        for policy in (policy_of(), compressed(Direction.OUT, cpi=CPI), policy_of()):
            await bench.kernel.put_policy(policy)
            assert await standing(bench.kernel) == [policy]

    async def test_a_packet_leaves_where_both_sas_stand(self, bench: Bench) -> None:
        policy = compressed(Direction.OUT, cpi=CPI)
        await bench.kernel.put_policy(policy)
        await add(bench.kernel, sa_of(SPI, suite=INNER))
        await add(bench.kernel, sa_of(CPI, suite=DEFLATE))
        bench.send(policy.id)
        for name in (SaId(PEER, SPI), SaId(PEER, CPI)):
            counters = await bench.kernel.counters(name)
            assert counters is not None
            assert counters.packets == 1

    def test_a_template_has_a_step_for_each_sa(self) -> None:
        template = Template(HERE, PEER, REQID, SPI, compressed=True, cpi=CPI)
        first, second = template.steps
        assert (first.protocol, first.spi, first.transport) == (Protocol.IPCOMP, CPI, False)
        assert (second.protocol, second.spi, second.transport) == (Protocol.ESP, SPI, True)
