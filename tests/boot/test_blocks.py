"""What stands in the kernel from the machine's start on, before ikevd runs."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

from ikevd.boot.blocks import blocks, install
from ikevd.host.policies import Action, Direction, KernelPolicy
from ikevd.kernel.memory import MemoryKernel
from ikevd.policy.selectors import TrafficSelector
from ikevd.policy.settings import Config, Shunt
from tests.builders import child, connection
from tests.virtual_time import run

OURS = Config((connection(),))


def gates(config: Config) -> list[str]:
    """Without what passes outside."""
    return [
        f"{policy.action.value} {policy.id.direction.value} {policy.id.source} {policy.id.destination}"
        for policy in blocks(config, ())
        if policy.action is not Action.BYPASS
    ]


def out(policies: tuple[KernelPolicy, ...]) -> list[KernelPolicy]:
    return [policy for policy in policies if policy.action is Action.BLOCK and policy.id.direction is Direction.OUT]


def test_each_child_is_blocked_on_the_way_out_and_takes_nothing_in_the_clear() -> None:
    assert gates(OURS) == [
        "tunnel in 10.2.0.0/24 10.1.0.0/24",
        "tunnel fwd 10.2.0.0/24 10.1.0.0/24",
        "block out 10.1.0.0/24 10.2.0.0/24",
    ]


def test_what_may_pass_in_the_clear_and_who_may_be_anybody_has_no_block() -> None:
    assert gates(Config((connection(children=(child(fail_open=True),)),))) == []
    assert gates(Config((connection(remote=None),))) == []


def test_a_drop_is_there_before_ikevd_runs() -> None:
    host = Shunt("printer", OURS.connections[0].children[0].local, TrafficSelector.parse("10.2.0.9"))
    assert gates(replace(OURS, drops=(host,))) == [
        "block out 10.1.0.0/24 10.2.0.9/32",
        "block in 10.2.0.9/32 10.1.0.0/24",
        "block fwd 10.2.0.9/32 10.1.0.0/24",
        *gates(OURS),
    ]


def test_neighbour_discovery_is_there_before_any_block() -> None:
    actions = [policy.action for policy in blocks(OURS, ())]
    assert Action.BYPASS in actions
    assert actions == sorted(actions, key=lambda action: action is not Action.BYPASS)


def test_a_connected_network_stays_outside_where_the_configuration_says_so() -> None:
    lan = ip_network("192.168.7.0/24")
    config = replace(OURS, bypass_connected=True)
    assert lan in {policy.id.source for policy in blocks(config, [lan])}
    assert lan not in {policy.id.source for policy in blocks(OURS, [lan])}


def test_ikevd_finds_its_own_policies_and_changes_them() -> None:
    async def story() -> None:
        kernel = MemoryKernel()
        assert await install(kernel, blocks(OURS, ())) == ()
        (block,) = out(tuple(kernel.policies.values()))
        await kernel.put_policy(replace(block, action=Action.TUNNEL))
        assert kernel.policies[block.id].action is Action.TUNNEL

    run(story())


def test_a_policy_of_somebody_else_is_told_and_the_rest_is_installed() -> None:
    async def story() -> None:
        kernel = MemoryKernel()
        wanted = blocks(OURS, ())
        (block,) = out(wanted)
        kernel.plant_policy(block.id, reqid=7)
        (why,) = await install(kernel, wanted)
        assert "10.1.0.0/24" in why
        assert len(kernel.policies) >= len(wanted) - 1

    run(story())
