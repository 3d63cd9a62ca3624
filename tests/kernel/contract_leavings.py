"""What of an earlier process is removed from any `Kernel`, and what stays."""

from ikevd.host.policies import Direction
from ikevd.host.sas import SaId
from ikevd.negotiation.in_kernel import InKernel
from ikevd.negotiation.leavings import Known, Leavings, judge, remove_known, remove_unknown
from ikevd.sa.model import Spi
from ikevd.store.interface import PlacedPolicy
from tests.kernel.bench import Bench
from tests.kernel.samples import FOREIGN_REQID, FORMER_REQID, HERE, PEER, REQID, SPI, add, policy_of, sa_ids, sa_of


class LeavingsContract:
    """What a killed daemon left."""

    async def test_what_nobody_knows_is_removed_if_it_is_ours_and_nothing_else(self, bench: Bench) -> None:
        spi = await bench.kernel.reserve_spi(PEER, HERE, REQID)
        await add(bench.kernel, sa_of(spi, source=PEER, destination=HERE), reserved=True)
        await add(bench.kernel, sa_of())
        for direction in Direction:
            await bench.kernel.put_policy(policy_of(direction=direction))
        other_sa, other_policy = SaId(PEER, Spi(0x3333)), policy_of("10.3.0.0/24").id
        bench.plant_sa(other_sa, FOREIGN_REQID)
        bench.plant_policy(other_policy, FOREIGN_REQID)

        left = await judge(await InKernel.read(bench.kernel), Known(), {}, unknown_too=True)
        said, _ = await remove_unknown(bench.kernel, left.unknown, [])
        assert sorted(text.split(": ")[1].split()[0] for text in said) == ["ESP", "ESP", "fwd", "in", "out"]
        assert await sa_ids(bench.kernel) == [other_sa]
        assert [policy.id for policy in await bench.kernel.dump_policies()] == [other_policy]

    async def test_what_is_known_stays(self, bench: Bench) -> None:
        await add(bench.kernel, sa_of())
        await bench.kernel.put_policy(policy_of())
        known = Known(taken_sas={SaId(PEER, SPI)})
        found = await InKernel.read(bench.kernel)
        left = await judge(found, known, {policy_of().id: policy_of()}, unknown_too=True)
        assert left == Leavings()

    async def test_what_the_store_knows_and_nobody_wants_is_removed_and_nothing_else(self, bench: Bench) -> None:
        for number, reqid in enumerate((REQID, FORMER_REQID)):
            await add(bench.kernel, sa_of(Spi(SPI + number), reqid=reqid))
            await bench.kernel.put_policy(policy_of(f"10.3.{number}.0/24", reqid=reqid))
        known = Known(sas={SaId(PEER, SPI)}, policies={PlacedPolicy(policy_of("10.3.0.0/24").id, REQID)})
        left = await judge(await InKernel.read(bench.kernel), known, {}, unknown_too=False)
        assert await remove_known(bench.kernel, left) == []
        assert await sa_ids(bench.kernel) == [SaId(PEER, Spi(SPI + 1))]
        assert [policy.reqid for policy in await bench.kernel.dump_policies()] == [FORMER_REQID]
