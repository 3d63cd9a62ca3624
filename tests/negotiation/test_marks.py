"""Children for marked packets: equal networks stand side by side, and other marks begin the child anew."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from ikevd.host.policies import Direction
from ikevd.kernel.memory import MemoryKernel
from ikevd.policy.child import Child, Start
from ikevd.policy.marks import Mark, OwnMark
from tests.builders import BOB, child, connection
from tests.duet import Network
from tests.gateways import World, bring_up, reload
from tests.negotiation.guarded import LAN, both_up, out
from tests.negotiation.roaming import CLIENTS, HUB_LAN, client, hub, roads, two_nats
from tests.virtual_time import run

OWN = {"mark_in": OwnMark.UNIQUE, "mark_out": OwnMark.UNIQUE, "set_mark_in": OwnMark.UNIQUE}
NETWORK = "10.3.0.0/24"


def marks(kernel: MemoryKernel, direction: Direction = Direction.OUT) -> set[Mark | None]:
    """Of the tunnels' policies."""
    return {each.id.mark for each in kernel.policies.values() if each.id.direction is direction and each.reqid}


async def nine_with_one_network(wanted: Child) -> None:
    world = World(Network(nat=two_nats()))
    bob = world.gateway(BOB, hub(wanted, group_key=True))
    clients = [world.gateway(where, client(where, NETWORK), seed=n) for n, where in enumerate(CLIENTS)]
    for each in clients:
        await bring_up(each)
    await asyncio.sleep(60)
    assert bob.pairs == 9
    assert [each.pairs for each in clients] == [1] * 9
    inbound = {each.reqid: each.set_mark for each in bob.kernel.sas.values() if each.destination == BOB}
    assert inbound == {reqid: Mark(reqid) for reqid in inbound}
    for direction in Direction:
        assert marks(bob.kernel, direction) == set(inbound.values())


def test_nine_clients_with_one_network_are_told_apart_by_marks_of_their_own() -> None:
    run(nine_with_one_network(child(local=HUB_LAN, remote=NETWORK, **OWN)))


def test_so_are_those_that_ask_for_one_part_of_a_template() -> None:
    run(nine_with_one_network(replace(roads(), **OWN)))  # type: ignore[arg-type]


def test_another_mark_begins_the_child_anew_and_nothing_is_left_of_the_former() -> None:
    async def story() -> None:
        marked = replace(LAN, mark_in=Mark(1), mark_out=Mark(1), start=Start.ALWAYS)
        _, hers, _, bob = await both_up(connection(children=(marked,)))
        alice, before = hers.gateway, set(hers.kernel.sas)
        assert alice is not None
        assert marks(hers.kernel) == {Mark(1)}
        await reload(alice, connection(children=(replace(marked, mark_in=Mark(2), mark_out=Mark(2)),)))
        await asyncio.sleep(10)
        assert marks(hers.kernel) == marks(hers.kernel, Direction.IN) == {Mark(2)}
        assert before.isdisjoint(hers.kernel.sas)
        assert alice.pairs == bob.pairs == 1

    run(story())


def test_another_mark_for_what_has_come_is_given_by_the_next_pair() -> None:
    async def story() -> None:
        marked = replace(LAN, set_mark_in=Mark(1), start=Start.ALWAYS)
        _, hers, _, bob = await both_up(connection(children=(marked,)))
        alice, before = hers.gateway, out(hers.kernel.policies.values()).keys()
        assert alice is not None
        await reload(alice, connection(children=(replace(marked, set_mark_in=Mark(2)),)))
        await asyncio.sleep(60)
        assert {sa.set_mark for sa in hers.kernel.sas.values() if sa.source == BOB} == {Mark(2)}
        assert out(hers.kernel.policies.values()).keys() == before
        assert alice.pairs == bob.pairs == 1

    run(story())
