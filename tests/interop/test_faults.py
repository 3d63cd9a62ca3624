"""The kernel refuses one step of an installation: nothing of it stays, in either role, and the peer is told."""

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

STEPS = ["inbound SA", "in policy", "fwd policy", "outbound SA", "out policy"]


def xfrm(node: Node) -> tuple[str, str]:
    """What `ip xfrm` shows, foreign policies (the block of the fault) apart."""
    foreign = [policy for policy in node.xfrm_policy() if not policy.templates]
    assert len(foreign) <= 1
    return node.ip("xfrm", "state"), "".join(p.text for p in node.xfrm_policy() if p.templates)


@pytest.mark.parametrize("role", ["initiator", "responder"])
@pytest.mark.parametrize("step", STEPS)
def test_a_refused_step_leaves_nothing_on_either_side(topology: Topology, tmp_path: Path, step: str, role: str) -> None:
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
            await eventually_async(lambda: (*xfrm(topology.gw_a), *xfrm(topology.gw_b)), lambda seen: not any(seen))
    finally:
        faulty.ip("xfrm", "policy", "flush")
