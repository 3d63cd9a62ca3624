"""A peer whose packets of ESP in UDP come from another port or address: the real kernel tells, and an SA follows."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from ikevd.addresses import Endpoint
from ikevd.host.events import SaMapped
from ikevd.host.policies import Direction
from ikevd.host.sas import Counters, SaId, UdpPorts
from ikevd.kernel.adapter import XfrmKernel
from ikevd.policy.lives import Lifetime
from tests.eventually import eventually_async
from tests.kernel.bench import told_by
from tests.kernel.places import LEFT, RIGHT, TO_LEFT, TO_RIGHT, Pair
from tests.kernel.samples import AES_SHA256, REQID, policy_of, sa_of
from tests.kernel.test_linux import connected, nat_socket

pytestmark = pytest.mark.kernel

RIGHT_NOW = IPv4Address("192.0.2.3")
"""The other address of the right end."""
MOVED = SaMapped(SaId(RIGHT, TO_RIGHT), REQID, Endpoint(LEFT, 40_002))


async def test_the_kernel_tells_of_packets_from_another_port_and_the_sas_follow_in_their_sequence(pair: Pair) -> None:
    sockets = [nat_socket(namespace, address) for namespace, address in zip(pair, (LEFT, RIGHT), strict=True)]
    async with connected(pair, AES_SHA256, Lifetime(3600), (LEFT, RIGHT), UdpPorts(4500, 4500)) as (left, right):
        told = told_by(right)
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


async def test_sas_go_on_at_another_address_in_their_sequence(pair: Pair) -> None:
    """Both ends move what they have for the other direction, too."""
    pair[1].run("ip", "address", "add", f"{RIGHT_NOW}/24", "dev", device(pair))
    sockets = [nat_socket(pair[0], LEFT), nat_socket(pair[1], RIGHT), nat_socket(pair[1], RIGHT_NOW)]
    async with connected(pair, AES_SHA256, Lifetime(3600), (LEFT, RIGHT), UdpPorts(4500, 4500)) as kernels:
        assert "3 received" in pair[0].run("ping", "-c", "3", "-i", "0.05", "-W", "5", "10.2.0.1")
        for kernel, outward in zip(kernels, (Direction.OUT, Direction.IN), strict=True):
            await move(kernel, outward)
        assert "3 received" in pair[0].run("ping", "-c", "3", "-i", "0.05", "-W", "5", "10.2.0.1")
        for kernel in kernels:
            for name in (SaId(RIGHT_NOW, TO_RIGHT), SaId(LEFT, TO_LEFT)):
                assert await kernel.counters(name) == Counters(octets=6 * 84, packets=6)
    for opened in sockets:
        opened.close()


async def move(kernel: XfrmKernel, to_right: Direction) -> None:
    """`to_right`: the direction of the policy for what goes there."""
    encap = UdpPorts(4500, 4500)
    there = replace(sa_of(TO_RIGHT, source=LEFT, destination=RIGHT_NOW), encap=encap)
    back = replace(sa_of(TO_LEFT, source=RIGHT_NOW, destination=LEFT), encap=encap)
    await kernel.move_sa(SaId(RIGHT, TO_RIGHT), there)
    await kernel.move_sa(SaId(LEFT, TO_LEFT), back)
    networks, other = ("10.1.0.0/24", "10.2.0.0/24"), Direction.IN if to_right is Direction.OUT else Direction.OUT
    for packets, direction, ends in (
        (networks, to_right, (LEFT, RIGHT_NOW)),
        (networks[::-1], other, (RIGHT_NOW, LEFT)),
    ):
        await kernel.put_policy(policy_of(*packets, direction=direction, ends=ends))


def device(pair: Pair) -> str:
    """That of the right end towards the left one."""
    return pair[1].run("ip", "-o", "-4", "address", "show", "to", str(RIGHT)).split()[1]
