"""Addresses, links and routes of a real kernel: which address is ours now, and that something has changed."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address

import pytest

from ikevd.host.events import KernelEvent, WaysChanged
from tests.eventually import eventually_async
from tests.kernel.namespaces import Namespace
from tests.kernel.places import kernel_in

pytestmark = pytest.mark.kernel

OURS, OURS6 = ip_address("192.0.2.7"), ip_address("2001:db8::7")


def ip(namespace: Namespace, *lines: str) -> None:
    for line in lines:
        namespace.run("ip", *line.split())


def with_address(namespace: Namespace) -> None:
    ip(
        namespace,
        "link add lan type dummy",
        "link set lan up",
        "address add 192.0.2.7/24 dev lan",
        "address add 2001:db8::7/64 dev lan nodad",
    )


async def test_an_address_is_ours_as_long_as_it_is_delivered_here(namespace: Namespace) -> None:
    with kernel_in(namespace) as kernel:
        assert not kernel.has_address(OURS)
        assert not kernel.has_address(OURS6)
        with_address(namespace)
        assert kernel.has_address(OURS)
        assert kernel.has_address(OURS6)
        ip(namespace, "link set lan down")
        assert kernel.has_address(OURS), "Linux takes what comes for it by other interfaces"
        assert not kernel.has_address(OURS6), "but loses those of IPv6"
        ip(namespace, "address del 192.0.2.7/24 dev lan")
        assert not kernel.has_address(OURS)


async def test_an_address_within_reach_and_one_that_a_program_may_bind_are_not_ours(namespace: Namespace) -> None:
    with kernel_in(namespace) as kernel:
        with_address(namespace)
        ip(namespace, "route add default via 192.0.2.254")
        namespace.run("sysctl", "-qw", "net.ipv4.ip_nonlocal_bind=1")
        for other in ("192.0.2.8", "198.51.100.1", "2001:db8::8"):
            assert not kernel.has_address(ip_address(other))


async def test_an_address_of_a_vrf_is_ours(namespace: Namespace) -> None:
    with kernel_in(namespace) as kernel:
        with_address(namespace)
        ip(namespace, "link add red type vrf table 10", "link set red up", "link set lan master red")
        with namespace.entered():
            assert kernel.has_address(OURS)


@pytest.mark.parametrize(
    "change",
    [
        "address add 192.0.2.8/24 dev lan",
        "address del 192.0.2.7/24 dev lan",
        "address add 2001:db8::8/64 dev lan nodad",
        "route add 203.0.113.0/24 via 192.0.2.254",
        "link set lan down",
    ],
)
async def test_a_change_is_told(namespace: Namespace, change: str) -> None:
    with_address(namespace)
    told: list[KernelEvent] = []
    with kernel_in(namespace) as kernel:
        kernel.on_event(told.append)
        ip(namespace, change)
        await eventually_async(lambda: told)
        assert set(told) == {WaysChanged()}


async def test_ten_thousand_routes_are_told_a_few_times(namespace: Namespace) -> None:
    """As when a router learns them."""
    with_address(namespace)
    routes = (f"route add 203.{n // 256}.{n % 256}.0/24 via 192.0.2.254" for n in range(10_000))
    told: list[KernelEvent] = []
    with kernel_in(namespace) as kernel:
        kernel.on_event(told.append)
        with namespace.entered():
            process = await asyncio.create_subprocess_exec("ip", "-batch", "-", stdin=asyncio.subprocess.PIPE)
        await process.communicate("\n".join(routes).encode())
        assert process.returncode == 0
        await eventually_async(lambda: told)
        count = len(told)
        assert count < 1000
        ip(namespace, "address add 192.0.2.8/24 dev lan")
        await eventually_async(lambda: len(told) > count)
