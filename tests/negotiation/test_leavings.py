"""What becomes of what an earlier process left in the kernel: the rules as a table. Nothing of others is in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from ikevd.addresses import Address
from ikevd.host.policies import Action, Direction, FoundPolicy, KernelPolicy, PolicyId
from ikevd.host.sas import FoundSa, SaId
from ikevd.host.unknown import Unknown
from ikevd.kernel.memory import MemoryKernel
from ikevd.negotiation.in_kernel import InKernel
from ikevd.negotiation.leavings import Ground, Known, Leavings, judge
from ikevd.policy.reqids import REQID_FIRST, REQID_LAST
from ikevd.policy.settings import Listen
from ikevd.sa.model import Spi
from ikevd.store.interface import PlacedPolicy
from tests.kernel.samples import FOREIGN_REQID, HERE, PEER, REQID, add, policy_of, sa_of

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
    return await unknown(await kernel.dump_sas(), policies, wanted=kernel.policies)


def in_kernel(sas: Iterable[FoundSa] = (), policies: Iterable[FoundPolicy] = ()) -> InKernel:
    """As `InKernel.read` sorts them."""
    found = InKernel({}, {})
    for sa in sas:
        found.sas.setdefault(sa.reqid, []).append(sa)
    for policy in policies:
        found.policies.setdefault(policy.reqid, []).append(policy)
    return found


async def unknown(
    sas: Iterable[FoundSa] = (),
    policies: Iterable[FoundPolicy] = (),
    known: Known | None = None,
    wanted: Mapping[PolicyId, KernelPolicy] | None = None,
) -> Unknown:
    return (await judge(in_kernel(sas, policies), known or Known(), wanted or {}, unknown_too=True)).unknown


# -- policies


@pytest.mark.parametrize("direction", list(Direction))
@pytest.mark.parametrize("action", list(Action))
async def test_a_policy_with_a_priority_of_ours_is_unknown_until_somebody_knows_it(
    direction: Direction, action: Action
) -> None:
    policy = policy_of(direction=direction, action=action)
    assert (await unknown(policies=[found(policy)])).policies == (found(policy),)
    assert await unknown(policies=[found(policy)], wanted={policy.id: policy}) == Unknown()


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
async def test_a_policy_of_another_program_is_left_alone(changes: dict[str, int]) -> None:
    left, known = found(policy_of(), **changes), Known(policies={PlacedPolicy(policy_of().id, REQID)})
    wanted = policy_of(reqid=REQID + 1)
    assert await judge(in_kernel((), [left]), known, {}, unknown_too=True) == Leavings()
    assert await judge(in_kernel((), [left]), known, {wanted.id: wanted}, unknown_too=True) == Leavings()


async def test_where_a_policy_shall_stand_what_bears_another_reqid_of_ours_is_turned() -> None:
    """As of a child whose name was another one."""
    left = found(policy_of(reqid=REQID + 1), reqid=REQID + 1)
    judged = await judge(in_kernel((), [left]), Known(), {left.id: policy_of()}, unknown_too=True)
    assert judged == Leavings(turned={left.id: policy_of(reqid=REQID + 1)})


async def test_what_is_known_in_another_form_is_not_unknown() -> None:
    block = policy_of(action=Action.BLOCK)
    assert await unknown(policies=[found(policy_of())], wanted={block.id: block}) == Unknown()


async def test_the_tunnels_that_carry_packets_out_become_blocks_before_they_go() -> None:
    policies = [policy_of(direction=direction, action=action) for direction in Direction for action in Action]
    blocks = (await unknown(policies=[found(policy) for policy in policies])).blocks
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
    assert await unknown(await kernel.dump_sas(), [foreign]) == Unknown()


async def test_a_known_sa_and_a_larval_one_are_not_unknown() -> None:
    kernel = MemoryKernel()
    await add(kernel, sa_of(OURS))
    await kernel.reserve_spi(PEER, HERE, REQID)
    assert await unknown(await kernel.dump_sas(), known=Known(taken_sas={SaId(PEER, OURS)})) == Unknown()


# -- what the store knows, where unknown things are left alone ---------------------------------------------------------

NOWHERE, ONLY_HERE = Ground((), everywhere=False), Ground((HERE,), everywhere=False)
ELSEWHERE = ip_address("192.0.2.99")
NAMED = PlacedPolicy(policy_of().id, REQID)


async def known_alone(known: Known, local: str, wanted: Mapping[PolicyId, KernelPolicy] | None = None) -> Leavings:
    """Of a policy and an outbound SA under `REQID`, at that end."""
    kernel = MemoryKernel()
    await add(kernel, sa_of(THEIRS, source=ip_address(local)))
    await kernel.put_policy(policy_of(ends=(ip_address(local), PEER)))
    return await judge(await InKernel.read(kernel), known, wanted or {}, unknown_too=False)


@pytest.mark.parametrize(
    ("ground", "ends", "local", "goes"),
    [
        pytest.param(NOWHERE, {HERE}, str(HERE), True, id="where one of ours ended"),
        pytest.param(NOWHERE, {HERE}, "0.0.0.0", True, id="an end that tells nothing"),
        pytest.param(Ground(), {HERE}, str(ELSEWHERE), True, id="both ports are ours everywhere"),
        pytest.param(ONLY_HERE, set(), str(HERE), True, id="an address at which we listen"),
        pytest.param(ONLY_HERE, {HERE}, str(ELSEWHERE), False, id="it has moved to another ikevd"),
        pytest.param(NOWHERE, {HERE}, str(ELSEWHERE), False, id="likewise, with other ports than those of IKE"),
    ],
)
@pytest.mark.parametrize("direction", list(Direction))
async def test_a_policy_that_it_names_goes_unless_its_tunnel_ends_where_none_of_ours_did(
    ground: Ground, ends: set[Address], local: str, goes: bool, direction: Direction
) -> None:
    here, there = (ip_address(local), PEER)
    policy = policy_of(direction=direction, ends=(here, there) if direction is Direction.OUT else (there, here))
    name = PlacedPolicy(policy.id, REQID)
    left = await judge(in_kernel((), [found(policy)]), Known(ground, policies={name}, ends=ends), {}, unknown_too=False)
    assert left.policies == [name] * goes


async def test_an_sa_that_it_names_goes_wherever_it_ends() -> None:
    left = await known_alone(Known(NOWHERE, sas={SaId(PEER, THEIRS)}), str(ELSEWHERE))
    assert left.sas == [SaId(PEER, THEIRS)]


@pytest.mark.parametrize(
    ("ground", "local", "goes"),
    [
        pytest.param(Ground(), "0.0.0.0", True, id="both ports are ours everywhere"),
        pytest.param(ONLY_HERE, str(HERE), True, id="an address at which we listen"),
        pytest.param(ONLY_HERE, str(ELSEWHERE), False, id="another ikevd's address"),
        pytest.param(ONLY_HERE, "0.0.0.0", False, id="an end that tells nothing"),
        pytest.param(NOWHERE, str(HERE), False, id="other ports than those of IKE"),
    ],
)
async def test_under_a_reqid_that_it_names_goes_what_no_other_ikevd_can_have(
    ground: Ground, local: str, goes: bool
) -> None:
    gone = Leavings(sas=[SaId(PEER, THEIRS)], policies=[NAMED]) if goes else Leavings()
    assert await known_alone(Known(ground, reqids={REQID}), local) == gone


async def test_what_it_names_is_turned_where_another_policy_of_ours_shall_stand() -> None:
    wanted = {policy_of().id: policy_of(reqid=REQID + 1)}
    left = await known_alone(Known(NOWHERE, policies={NAMED}, ends={HERE}), str(HERE), wanted)
    assert (left.turned, left.policies) == ({policy_of().id: policy_of()}, [])


async def test_a_bypass_goes_where_the_store_names_it_and_stays_where_it_may_be_anothers() -> None:
    bypass = policy_of(action=Action.BYPASS)
    name, dump = PlacedPolicy(bypass.id, 0), in_kernel((), [found(bypass)])
    assert (await judge(dump, Known(policies={name}), {}, unknown_too=False)).policies == [name]
    assert await judge(dump, Known(), {}, unknown_too=False) == Leavings()


OTHERS = found(policy_of(reqid=REQID + 1, ends=(ELSEWHERE, PEER)), reqid=REQID + 1)
"""Of another ikevd."""


@pytest.mark.parametrize(
    ("ground", "policies", "goes"),
    [
        pytest.param(ONLY_HERE, [], True, id="no other one is seen"),
        pytest.param(ONLY_HERE, [OTHERS], False, id="there is another one"),
        pytest.param(Ground(), [OTHERS], True, id="there can be no other one"),
    ],
)
async def test_a_bypass_stays_where_another_ikevd_may_have_it_as_well(
    ground: Ground, policies: list[FoundPolicy], goes: bool
) -> None:
    bypass = policy_of("10.9.0.0/24", action=Action.BYPASS)
    name = PlacedPolicy(bypass.id, 0)
    dump = in_kernel((), [found(bypass), *policies])
    left = await judge(dump, Known(ground, policies={name}), {}, unknown_too=False)
    assert (left.policies, left.shared) == (([name], []) if goes else ([], [name]))


async def test_but_not_one_of_an_address_at_which_this_ikevd_listens_alone() -> None:
    name = PlacedPolicy(PolicyId(ip_network("0.0.0.0/0"), ip_network(HERE), 1, 3, 4, Direction.IN), 0)
    bypass = replace(policy_of(action=Action.BYPASS), id=name.id)
    dump = in_kernel((), [found(bypass), OTHERS])
    assert (await judge(dump, Known(ONLY_HERE, policies={name}), {}, unknown_too=False)).policies == [name]


@pytest.mark.parametrize(
    ("addresses", "ports", "here", "elsewhere"),
    [((), (500, 4500), True, True), ((HERE,), (500, 4500), True, False), ((HERE,), (1500, 4500), False, False)],
)
def test_an_ikevd_is_alone_where_both_ports_of_ike_are_its_own(
    addresses: tuple[Address, ...], ports: tuple[int, int], here: bool, elsewhere: bool
) -> None:
    ground = Ground.of(Listen(addresses), *ports)
    assert (ground.holds(PEER, HERE), ground.holds(PEER, ELSEWHERE)) == (here, elsewhere)
