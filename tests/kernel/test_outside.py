"""What passes outside of every tunnel does so in the real kernel, under a block of everything."""

from __future__ import annotations

import socket
import struct
from ipaddress import ip_address, ip_network

import pytest

from ikevd.host.policies import Action, Direction, KernelPolicy, PolicyId, Template
from ikevd.kernel.adapter import XfrmKernel
from ikevd.peer.outside import outside
from ikevd.policy.priorities import priority
from ikevd.policy.settings import Config
from tests.builders import connection
from tests.kernel.namespaces import Namespace
from tests.kernel.places import LEFT, LEFT6, RIGHT, Pair, kernel_in
from tests.kernel.samples import HERE, PEER, REQID

pytestmark = pytest.mark.kernel

BEYOND = "203.0.113.9"
MTU = 600


async def block_everything(kernel: XfrmKernel, family: str) -> None:
    """As a child from everywhere to everywhere whose tunnel is down."""
    everywhere = ip_network(family)
    for direction in Direction:
        action = Action.BLOCK if direction is Direction.OUT else Action.TUNNEL
        name = PolicyId(everywhere, everywhere, 0, 0, 0, direction)
        await kernel.put_policy(
            KernelPolicy(name, action, priority(everywhere, everywhere), Template(HERE, PEER, REQID))
        )


async def put_outside(kernel: XfrmKernel, config: Config, *connected: str) -> None:
    for policy in outside(config, map(ip_network, connected)).values():
        await kernel.put_policy(policy)


def answers(namespace: Namespace, address: object) -> bool:
    return "1 received" in namespace.run("sh", "-c", f"ping -c 1 -W 1 {address} 2>&1 || true")


def knows(namespace: Namespace, address: object) -> bool:
    """Has it the link address of that neighbour?"""
    return "lladdr" in namespace.run("ip", "neigh", "show", str(address))


def too_long(router: Namespace, asker: str, destination: str, mtu: int) -> None:
    """The router tells that the answer to a ping was too long, which the kernel takes without asking a socket."""
    echo = struct.pack("!BBHHH", 0, 0, 0, 1, 1)
    ends = ip_address(asker).packed + ip_address(destination).packed
    packet = struct.pack("!BBHHHBBH8s", 0x45, 0, 20 + len(echo), 1, 0, 64, socket.IPPROTO_ICMP, 0, ends) + echo
    body = struct.pack("!BBHHH", 3, 4, 0, 0, mtu) + packet
    checked = body[:2] + struct.pack("!H", checksum(body)) + body[4:]
    with router.entered(), socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as raw:
        raw.sendto(checked, (asker, 0))


def checksum(octets: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


async def test_a_host_speaks_with_itself_over_ipv6(namespace: Namespace) -> None:
    with kernel_in(namespace) as kernel:
        await block_everything(kernel, "::/0")
        assert not answers(namespace, "::1"), "else there is nothing to mend"
        await put_outside(kernel, Config(()))
        assert answers(namespace, "::1")


async def test_a_neighbour_finds_us_though_it_gets_no_answer_else(pair: Pair) -> None:
    left, right = pair
    with kernel_in(left) as kernel:
        await block_everything(kernel, "::/0")
        assert not answers(right, LEFT6)
        assert not knows(right, LEFT6), "else there is nothing to mend"
        await put_outside(kernel, Config(()))
        assert not answers(right, LEFT6), "the block stands"
        assert knows(right, LEFT6)


async def test_a_router_may_say_that_our_packets_are_too_long(pair: Pair) -> None:
    left, right = pair
    left.run("ip", "route", "add", "203.0.113.0/24", "via", str(RIGHT))
    with kernel_in(left) as kernel:
        await block_everything(kernel, "0.0.0.0/0")
        too_long(right, str(LEFT), BEYOND, MTU)
        assert f"mtu {MTU}" not in left.run("ip", "route", "get", BEYOND), "else there is nothing to mend"
        await put_outside(kernel, Config((connection(local=LEFT),)))
        too_long(right, str(LEFT), BEYOND, MTU)
        assert f"mtu {MTU}" in left.run("ip", "route", "get", BEYOND)


async def test_a_connected_network_stays_outside_where_the_configuration_says_so(pair: Pair) -> None:
    left, right = pair
    with kernel_in(left) as kernel:
        await block_everything(kernel, "0.0.0.0/0")
        assert not answers(left, RIGHT)
        await put_outside(kernel, Config((), bypass_connected=True), "192.0.2.0/24")
        assert answers(left, RIGHT)
        assert answers(right, LEFT)
        assert not answers(left, "10.2.0.1"), "the block stands"
