"""What status tells of packets that come and go."""

from __future__ import annotations

import asyncio

import pytest

from ikevd.control.status_shapes import Child
from ikevd.host.policies import Direction
from ikevd.host.sas import SaId
from tests.builders import ALICE, BOB, mirrored
from tests.control.controlled import BOTH, children, ignore, pair
from tests.gateways import Gateway
from tests.virtual_time import run


def pass_through(gateway: Gateway, *, inbound: bool) -> None:
    """A packet in one direction, through the SA of `lan`."""
    (sa,) = [sa for sa in gateway.kernel.sas if (sa.destination == ALICE) == inbound]
    gateway.kernel.carry(sa, 84)


async def after(story: list[tuple[float, str]]) -> Child:
    """The child when packets (`in`, `out`) have passed, each so many seconds after the one before."""
    alice, _, controller = pair()
    await controller.up("lan", ignore)
    for pause, packet in story:
        await asyncio.sleep(pause)
        if packet:
            pass_through(alice, inbound=packet == "in")
    return (await children(controller))["lan"]


@pytest.mark.parametrize(
    ("story", "last_in", "one_way"),
    [
        ([], None, None),
        ([(100, "")], None, None),
        ([(5, "in"), (30, "")], 30, None),
        ([(5, "out")], None, None),
        ([(20, "out"), (3, "")], None, 23),
        ([(20, "in"), (9, "out")], 9, None),
        ([(20, "in"), (10, "out")], 10, 10),
        ([(20, "in"), (300, "out"), (5, "")], 305, 305),
        ([(20, "out"), (1, "in")], 0, None),
        ([(20, "in"), (1, "out"), (600, "")], 601, None),
    ],
    ids=[
        "no packet",
        "an idle tunnel",
        "one came",
        "one left a moment ago",
        "one left and none ever came",
        "an answer is not yet due",
        "an answer is due",
        "it sends for minutes",
        "the answer has come",
        "both ends are idle",
    ],
)
def test_the_age_of_the_last_packet_and_whether_traffic_goes_one_way(
    story: list[tuple[float, str]], last_in: int | None, one_way: int | None
) -> None:
    child = run(after(story))
    assert (child["last_in_seconds"], child["one_way_seconds"]) == (last_in, one_way)


def test_the_ages_are_those_of_a_child_whichever_of_its_pairs_carries_the_packets() -> None:
    async def story() -> None:
        alice, bob, controller = pair()
        await asyncio.gather(controller.up("lan", ignore), bob.engine.session(mirrored(BOTH)).want("lan"))
        await asyncio.sleep(2)
        inbound = [sa for sa in alice.kernel.sas if sa.destination == ALICE]
        out = next(policy for policy in alice.kernel.policies.values() if policy.id.direction is Direction.OUT)
        assert out.template is not None
        assert out.template.spi is not None
        assert len(inbound) == 2
        alice.kernel.carry(inbound[0], 84)
        await asyncio.sleep(1)
        alice.kernel.carry(SaId(BOB, out.template.spi), 84)
        child = (await children(controller))["lan"]
        assert (child["last_in_seconds"], child["one_way_seconds"]) == (1, None)

    run(story())


def test_a_policy_that_was_replaced_remembers_no_packet() -> None:
    async def story() -> None:
        alice, _, controller = pair()
        await controller.up("lan", ignore)
        pass_through(alice, inbound=True)
        for policy in alice.kernel.policies.values():
            await alice.kernel.put_policy(policy)
        await asyncio.sleep(60)
        child = (await children(controller))["lan"]
        assert (child["last_in_seconds"], child["one_way_seconds"]) == (None, None)

    run(story())


def test_an_sa_that_is_gone_is_no_traffic() -> None:
    async def story() -> None:
        alice, _, controller = pair()
        await controller.up("lan", ignore)
        pass_through(alice, inbound=True)
        await controller.down("lan", ignore)
        child = (await children(controller))["lan"]
        assert (child["last_in_seconds"], child["one_way_seconds"]) == (None, None)

    run(story())
