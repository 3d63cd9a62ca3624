"""The kernel refuses one step of an installation: no SA of it stays, in either role, and the gate is closed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ikevd.errors import IkeError
from tests.eventually import eventually_async
from tests.interop.inprocess import RefusingKernel, engine_in, inside, loaded
from tests.interop.node import Node
from tests.interop.sites import Site
from tests.interop.topology import Topology

STEPS = ["inbound SA", "outbound SA", "out policy"]
"""In and fwd policies stand from the start on, and stay as they are."""
NETWORKS = {"10.1.0.0/24", "10.2.0.0/24"}
GATE = {("in", "allow"), ("fwd", "allow"), ("out", "block")}
"""Of a child that is down: without an SA the former two drop everything."""


def standing(node: Node) -> tuple[str, set[tuple[str, str]]]:
    """The SAs, and what the child's policies do in each direction."""
    policies = [policy for policy in node.xfrm_policy() if {policy.src, policy.dst} == NETWORKS]
    return node.ip("xfrm", "state"), {(policy.direction, policy.action) for policy in policies}


@pytest.mark.parametrize("role", ["initiator", "responder"])
@pytest.mark.parametrize("step", STEPS)
def test_a_refused_step_leaves_no_sa_on_either_side(topology: Topology, tmp_path: Path, step: str, role: str) -> None:
    asyncio.run(story(topology, tmp_path, step, role))


async def story(topology: Topology, folder: Path, step: str, role: str) -> None:
    site = Site(topology.gw_a, topology.gw_b, retransmit="{interval: 200ms, factor: 1, sends: 3}")
    faulty = topology.gw_a if role == "initiator" else topology.gw_b
    with inside(faulty):
        kernel = RefusingKernel(faulty, step)
    ours, theirs = loaded(site.ikevd(), folder / "a"), loaded(site.mirrored().ikevd(), folder / "b")
    try:
        async with (
            engine_in(topology.gw_a, ours, kernel if role == "initiator" else None) as alice,
            engine_in(topology.gw_b, theirs, kernel if role == "responder" else None),
        ):
            try:
                await alice.up()
            except IkeError as error:
                refusal = str(error)
            else:
                refusal = ""
            assert refusal or role == "responder"
            await eventually_async(lambda: kernel.refused)
            nodes = (topology.gw_a, topology.gw_b)
            await eventually_async(lambda: [standing(node) for node in nodes], lambda seen: seen == 2 * [("", GATE)])
    finally:
        faulty.ip("xfrm", "policy", "flush")
