"""Which objects of the kernel are ours though no store knows them. The rule as a table; nothing of others is in it."""

from __future__ import annotations

import pytest

from ikevd.host.interface import Action, Direction, FoundPolicy, KernelPolicy, SaId
from ikevd.host.unknown import Unknown, find_unknown
from ikevd.kernel.memory import MemoryKernel
from ikevd.policy.reqids import REQID_FIRST, REQID_LAST
from ikevd.sa.model import Spi
from tests.kernel.contract import FOREIGN_REQID, HERE, PEER, REQID, add, policy_of, sa_of

OURS, THEIRS, STRONGSWANS = Spi(0xD0000001), Spi(0x12345678), Spi(0xC0000001)
STRONGSWAN_PRIORITY = 375_423


def found(policy: KernelPolicy, reqid: int = REQID, priority: int | None = None) -> FoundPolicy:
    """As in a dump, or as another program would have it."""
    priority = policy.priority if priority is None else priority
    return FoundPolicy(policy.id, reqid if policy.template else 0, priority, policy)


async def dumped(spi: Spi, reqid: int = REQID) -> Unknown:
    """What is unknown where that SA stands, and an out policy of ours with `REQID`."""
    kernel = MemoryKernel()
    await kernel.put_policy(policy_of())
    await add(kernel, sa_of(spi, reqid=reqid))
    policies = await kernel.dump_policies()
    return find_unknown(await kernel.dump_sas(), policies, (), kernel.policies)


# -- policies


@pytest.mark.parametrize("direction", list(Direction))
@pytest.mark.parametrize("action", list(Action))
def test_a_policy_with_a_priority_of_ours_is_unknown_until_somebody_knows_it(
    direction: Direction, action: Action
) -> None:
    policy = policy_of(direction=direction, action=action)
    assert find_unknown((), [found(policy)], (), {}).policies == (found(policy),)
    assert find_unknown((), [found(policy)], (), {policy.id: policy}) == Unknown()


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"priority": STRONGSWAN_PRIORITY}, id="a priority of strongSwan's"),
        pytest.param({"priority": 0}, id="the priority of ip xfrm"),
        pytest.param({"reqid": FOREIGN_REQID}, id="a reqid out of our range"),
        pytest.param({"reqid": REQID_FIRST - 1}, id="the reqid before our range"),
        pytest.param({"reqid": REQID_LAST + 1}, id="the reqid after our range"),
    ],
)
def test_a_policy_of_another_program_is_left_alone(changes: dict[str, int]) -> None:
    assert find_unknown((), [found(policy_of(), **changes)], (), {}) == Unknown()


def test_a_known_selector_under_another_reqid_is_unknown() -> None:
    """Of a child whose number was another one."""
    left = found(policy_of(), reqid=REQID + 1)
    assert find_unknown((), [left], (), {left.id: policy_of()}).policies == (left,)


def test_what_is_known_in_another_form_is_not_unknown() -> None:
    block = policy_of(action=Action.BLOCK)
    assert find_unknown((), [found(policy_of())], (), {block.id: block}) == Unknown()


def test_the_tunnels_that_carry_packets_out_become_blocks_before_they_go() -> None:
    policies = [policy_of(direction=direction, action=action) for direction in Direction for action in Action]
    blocks = find_unknown((), [found(policy) for policy in policies], (), {}).blocks
    assert list(blocks) == [policy_of(action=Action.BLOCK)]


# -- SAs


@pytest.mark.parametrize(
    ("spi", "reqid", "unknown"),
    [
        pytest.param(OURS, REQID + 1, True, id="inbound: an SPI of our range"),
        pytest.param(THEIRS, REQID, True, id="outbound: the reqid of a policy of ours"),
        pytest.param(STRONGSWANS, REQID, True, id="outbound, to a strongSwan"),
        pytest.param(THEIRS, REQID + 1, False, id="a reqid of our range that no policy has"),
        pytest.param(OURS, FOREIGN_REQID, False, id="an SPI of our range, another program's reqid"),
        pytest.param(STRONGSWANS, FOREIGN_REQID, False, id="strongSwan's"),
    ],
)
async def test_an_sa_is_ours_by_its_spi_or_by_a_policy(spi: Spi, reqid: int, unknown: bool) -> None:
    names = [sa.id for sa in (await dumped(spi, reqid)).sas]
    assert names == ([SaId(PEER, spi)] if unknown else [])


async def test_the_policy_that_an_outbound_sa_shares_its_reqid_with_must_be_ours() -> None:
    kernel = MemoryKernel()
    await add(kernel, sa_of(THEIRS))
    foreign = found(policy_of(), priority=STRONGSWAN_PRIORITY)
    assert find_unknown(await kernel.dump_sas(), [foreign], (), {}) == Unknown()


async def test_a_known_sa_and_a_larval_one_are_not_unknown() -> None:
    kernel = MemoryKernel()
    await add(kernel, sa_of(OURS))
    await kernel.reserve_spi(PEER, HERE, REQID)
    assert find_unknown(await kernel.dump_sas(), (), {SaId(PEER, OURS)}, {}) == Unknown()
