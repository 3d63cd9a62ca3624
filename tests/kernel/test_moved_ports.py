"""A peer whose packets of ESP in UDP come from another port: the real kernel tells, and an SA follows."""

from __future__ import annotations

import pytest

from ikevd.addresses import Endpoint
from ikevd.host.interface import KernelEvent, SaId, SaMapped, UdpPorts
from ikevd.policy.model import Lifetime
from tests.eventually import eventually_async
from tests.kernel.places import LEFT, RIGHT, TO_RIGHT, Pair
from tests.kernel.samples import AES_SHA256, REQID
from tests.kernel.test_linux import connected, nat_socket

pytestmark = pytest.mark.kernel

MOVED = SaMapped(SaId(RIGHT, TO_RIGHT), REQID, Endpoint(LEFT, 40_002))


async def test_the_kernel_tells_of_packets_from_another_port_and_the_sas_follow_in_their_sequence(pair: Pair) -> None:
    sockets = [nat_socket(namespace, address) for namespace, address in zip(pair, (LEFT, RIGHT), strict=True)]
    told: list[KernelEvent] = []
    async with connected(pair, AES_SHA256, Lifetime(3600), (LEFT, RIGHT), UdpPorts(4500, 4500)) as (left, right):
        right.on_event(told.append)
        assert "3 received" in pair[0].run("ping", "-c", "3", "-i", "0.05", "-W", "5", "10.2.0.1")
        await left.change_ports(SaId(RIGHT, TO_RIGHT), UdpPorts(40_002, 4500))
        pair[0].run("ping", "-c", "3", "-i", "0.05", "-W", "5", "10.2.0.1")
        await eventually_async(lambda: told)
        assert told == [MOVED], "one a second"

        await left.change_ports(SaId(RIGHT, TO_RIGHT), UdpPorts(4500, 4500))
        assert "3 received" in pair[0].run("ping", "-c", "3", "-i", "0.05", "-W", "5", "10.2.0.1")
        counters = await right.counters(SaId(RIGHT, TO_RIGHT))
        assert counters is not None
        assert (counters.packets, counters.replayed) == (9, 0)
    for opened in sockets:
        opened.close()
