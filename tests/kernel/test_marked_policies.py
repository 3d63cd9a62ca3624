"""Of two policies for the same packets the one with a mark takes those that bear it, whichever was installed first."""

from __future__ import annotations

import subprocess
from contextlib import suppress
from ipaddress import ip_network

import pytest

from ikevd.frozen import replace
from ikevd.host.policies import Action, Direction, KernelPolicy, PolicyId
from ikevd.policy.marks import Mark
from ikevd.policy.priorities import priority
from tests.kernel.namespaces import Namespace
from tests.kernel.places import kernel_in

pytestmark = pytest.mark.kernel

NETWORKS = ip_network("10.1.0.0/24"), ip_network("10.2.0.0/24")
PLAIN = KernelPolicy(PolicyId(*NETWORKS, 0, 0, 0, Direction.OUT), Action.BYPASS, priority(*NETWORKS), None)
MARKED = replace(PLAIN, id=replace(PLAIN.id, mark=Mark(0x42)), priority=priority(*NETWORKS, marked=True))


@pytest.mark.parametrize("order", [(PLAIN, MARKED), (MARKED, PLAIN)], ids=["marked last", "marked first"])
async def test_a_marked_packet_meets_the_policy_with_its_mark(
    namespace: Namespace, order: tuple[KernelPolicy, ...]
) -> None:
    namespace.ip("link add wire type dummy", "addr add 10.1.0.1/24 dev wire", "link set wire up")
    namespace.ip("route add 10.2.0.0/24 dev wire")
    with kernel_in(namespace) as kernel:
        for policy in order:
            await kernel.put_policy(policy)
        ping(namespace, "-m", "66")
        assert await kernel.idle_seconds(MARKED.id) is not None
        assert await kernel.idle_seconds(PLAIN.id) is None
        ping(namespace)
        assert await kernel.idle_seconds(PLAIN.id) is not None


def ping(namespace: Namespace, *options: str) -> None:
    """Nobody answers."""
    with suppress(subprocess.CalledProcessError):
        namespace.run("ping", "-c", "1", "-W", "1", "-I", "10.1.0.1", *options, "10.2.0.1")
