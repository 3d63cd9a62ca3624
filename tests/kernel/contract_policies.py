"""What every `Kernel` must do with policies, ours and others'."""

import errno
from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from ikevd.errors import KernelRefused
from ikevd.host.policies import Action, Direction
from tests.kernel.bench import Bench
from tests.kernel.samples import BEARINGS, CHANGES, FOREIGN_REQID, FORMER_REQID, HERE, PEER, REQID, policy_of, standing


class PolicyContract:
    """Policies."""

    async def test_a_policy_that_no_packet_took_and_one_that_is_gone_have_no_last_packet(self, bench: Bench) -> None:
        assert await bench.kernel.idle_seconds(policy_of().id) is None
        await bench.kernel.put_policy(policy_of())
        assert await bench.kernel.idle_seconds(policy_of().id) is None

    async def test_a_policy_is_replaced_by_its_owner(self, bench: Bench) -> None:
        for destination in (PEER, IPv4Address("203.0.113.9")):
            policy = policy_of(ends=(HERE, destination))
            await bench.kernel.put_policy(policy)
            assert await standing(bench.kernel) == [policy]
        await bench.kernel.delete_policy(policy_of().id, REQID)
        assert await bench.kernel.dump_policies() == []

    @pytest.mark.parametrize(("before", "after"), CHANGES)
    @pytest.mark.parametrize("direction", list(Direction))
    async def test_block_tunnel_and_bypass_are_one_policy_that_changes(
        self, bench: Bench, before: Action, after: Action, direction: Direction
    ) -> None:
        for action in (before, after):
            policy = policy_of(direction=direction, action=action)
            await bench.kernel.put_policy(policy)
            assert await standing(bench.kernel) == [policy]
        await bench.kernel.delete_policy(policy.id, policy.reqid)
        assert await standing(bench.kernel) == []

    async def test_a_bypass_does_not_replace_what_a_child_owns(self, bench: Bench) -> None:
        await bench.kernel.put_policy(policy_of(action=Action.BLOCK))
        with pytest.raises(KernelRefused, match=f"reqid {REQID:#x}"):
            await bench.kernel.put_policy(policy_of(action=Action.BYPASS))
        assert await standing(bench.kernel) == [policy_of(action=Action.BLOCK)]

    @pytest.mark.parametrize("before", list(Action))
    @pytest.mark.parametrize("after", list(Action))
    async def test_a_policy_under_a_former_reqid_of_ours_is_turned(
        self, bench: Bench, before: Action, after: Action
    ) -> None:
        await bench.kernel.put_policy(policy_of(action=before, reqid=FORMER_REQID))
        policy = policy_of(action=after)
        await bench.kernel.put_policy(policy, former=FORMER_REQID)
        assert await standing(bench.kernel) == [policy]
        await bench.kernel.delete_policy(policy.id, FORMER_REQID)
        assert await standing(bench.kernel) == [policy], "the former holder has none any more"

    @pytest.mark.parametrize("reqid", [FOREIGN_REQID, FORMER_REQID], ids=["its reqid", "its priority"])
    async def test_what_is_not_ours_by_reqid_and_priority_is_not_turned(self, bench: Bench, reqid: int) -> None:
        bench.plant_policy(policy_of().id, reqid)
        with pytest.raises(KernelRefused, match=f"reqid {reqid:#x}"):
            await bench.kernel.put_policy(policy_of(), former=reqid)

    async def test_nor_what_has_another_reqid_than_the_former(self, bench: Bench) -> None:
        await bench.kernel.put_policy(policy_of(reqid=REQID + 1))
        with pytest.raises(KernelRefused, match=f"reqid {REQID + 1:#x}"):
            await bench.kernel.put_policy(policy_of(), former=FORMER_REQID)

    async def test_a_changed_policy_may_have_another_priority(self, bench: Bench) -> None:
        policy = policy_of(action=Action.BLOCK)
        for number in (policy.priority, policy.priority + 1, policy.priority):
            await bench.kernel.put_policy(replace(policy, priority=number))
            assert await standing(bench.kernel) == [replace(policy, priority=number)]

    async def test_at_another_priority_too_another_owner_holds_the_selector(self, bench: Bench) -> None:
        bench.plant_policy(policy_of().id, FOREIGN_REQID)
        with pytest.raises(KernelRefused, match=r"`ip xfrm policy delete src 10.1.0.0/24 dst .* dir out` removes it"):
            await bench.kernel.put_policy(policy_of(action=Action.BLOCK))

    async def test_a_policy_without_a_reqid_is_ours_only_at_a_priority_of_ours(self, bench: Bench) -> None:
        bench.plant_block(policy_of().id, 0)
        with pytest.raises(KernelRefused, match="another owner's stands there, without a reqid"):
            await bench.kernel.put_policy(policy_of())
        await bench.kernel.delete_policy(policy_of().id, 0)
        assert [found.id for found in await bench.kernel.dump_policies()] == [policy_of().id]

    async def test_policies_differ_by_direction_protocol_and_port(self, bench: Bench) -> None:
        policies = [
            policy_of(direction=direction, ports=ports)
            for direction in Direction
            for ports in [(0, 0, 0), (6, 0, 0), (6, 0, 443), (17, 53, 0)]
        ]
        for policy in policies:
            await bench.kernel.put_policy(policy)
        found = await bench.kernel.dump_policies()
        assert {policy.id for policy in found} == {policy.id for policy in policies}
        for policy in policies:
            await bench.kernel.delete_policy(policy.id, REQID)
        assert await bench.kernel.dump_policies() == []

    async def test_policies_of_one_selector_stand_side_by_side_where_their_packets_bear_something_else(
        self, bench: Bench
    ) -> None:
        policies = [policy_of(if_id=if_id, mark=mark) for if_id, mark in BEARINGS]
        for policy in policies:
            await bench.kernel.put_policy(policy)
        blocks = [policy_of(action=Action.BLOCK, if_id=if_id, mark=mark) for if_id, mark in BEARINGS]
        await bench.kernel.put_policy(blocks[-1])
        found = {policy.id: policy for policy in await standing(bench.kernel) if policy}
        assert found == {policy.id: policy for policy in (*policies[:-1], blocks[-1])}
        for policy in policies:
            await bench.kernel.delete_policy(policy.id, REQID)
            del found[policy.id]
            assert {policy.id for policy in await standing(bench.kernel) if policy} == found.keys()

    @pytest.mark.parametrize("reqid", [FOREIGN_REQID, REQID + 1])
    async def test_another_owners_policy_is_left_alone(self, bench: Bench, reqid: int) -> None:
        bench.plant_policy(policy_of().id, reqid)
        with pytest.raises(KernelRefused, match=f"10.1.0.0/24 -> 10.2.0.0/24.*reqid {reqid:#x}") as caught:
            await bench.kernel.put_policy(policy_of())
        await bench.kernel.delete_policy(policy_of().id, REQID)
        assert caught.value.errno == errno.EEXIST
        (found,) = await bench.kernel.dump_policies()
        assert (found.id, found.reqid) == (policy_of().id, reqid)
