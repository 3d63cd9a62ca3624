"""A stop that takes all down where there are many interfaces, each of which takes the kernel its time."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from ipaddress import ip_address, ip_network

from ikevd.host.links import FoundLink, FoundLinks, Thing
from ikevd.negotiation.ending import STOP_WITHIN
from ikevd.policy.connection import Connection
from ikevd.policy.interface import Interface, InterfaceKind
from tests.builders import NO_DPD, connection
from tests.gateways import Gateway, reload
from tests.negotiation.mortal import Machine, tunnel
from tests.negotiation.route_based import everything, routed
from tests.virtual_time import run

MANY = 70
EACH = 0.015
"""Seconds that the kernel takes for each request, one after the other."""


def further(number: int) -> Connection:
    """One of a peer that is not there."""
    interface = Interface(
        f"k{number}", 100 + number, InterfaceKind.XFRM, (), (ip_network(f"10.{100 + number}.0.0/16"),)
    )
    child = everything(interface, reqid=0x696B0100 + number)
    remote = ip_address("198.51.100.100") + number
    return connection(name=f"c{number}", remote=remote, children=(child,), interface=interface, dpd=NO_DPD)


def slow_down(machine: Machine, each: float) -> None:
    """Its kernel does one thing after the other."""
    links, one_by_one = machine.links, asyncio.Lock()
    put, remove, read, read_ours = links.put, links.remove, links.read, links.read_ours

    async def wait() -> None:
        async with one_by_one:
            await asyncio.sleep(each)

    async def slow_put(thing: Thing) -> None:
        await wait()
        await put(thing)

    async def slow_remove(thing: Thing) -> None:
        await wait()
        await remove(thing)

    async def slow_read(name: str, namespace: str = "") -> FoundLinks:
        await wait()
        return await read(name, namespace)

    async def slow_read_ours(namespaces: Collection[str] = ()) -> FoundLinks:
        await wait()
        return await read_ours(namespaces)

    links.put, links.remove = slow_put, slow_remove  # type: ignore[method-assign]
    links.read, links.read_ours = slow_read, slow_read_ours  # type: ignore[method-assign]


async def many() -> tuple[Machine, Gateway]:
    _, hers, _, alice, _ = await tunnel(routed())
    alice.engine.start()
    await reload(alice, routed(), *map(further, range(1, MANY)))
    await asyncio.sleep(5)
    assert len(hers.links.links) == len({route.to for route in hers.links.routes}) == MANY
    return hers, alice


def test_a_stop_removes_them_all_beside_its_last_words() -> None:
    async def story() -> None:
        hers, alice = await many()
        slow_down(hers, EACH)
        await alice.engine.stop()
        assert (hers.links.links, hers.links.routes) == ({}, [])
        assert alice.troubles == []

    run(story())


def test_what_a_kernel_that_is_too_slow_leaves_is_told_with_what_removes_it() -> None:
    async def story() -> None:
        hers, alice = await many()
        slow_down(hers, 4 * EACH)
        began = asyncio.get_running_loop().time()
        await alice.engine.stop()
        assert asyncio.get_running_loop().time() - began <= STOP_WITHIN
        assert "`ip route flush table all proto 205`" in alice.troubles[-1]
        assert "`ip link delete group 26987`" in alice.troubles[-1]
        left = dict(hers.links.links)
        await asyncio.sleep(10)
        assert hers.links.links == left

    run(story())


def test_routes_through_an_interface_that_was_adopted_go_too() -> None:
    async def story() -> None:
        _, hers, _, alice, _ = await tunnel(routed())
        made = FoundLink("bob0", 7, False, InterfaceKind.XFRM, 42, "", True, 1500)
        hers.links.plant(made)
        alice.engine.start()
        await asyncio.sleep(1)
        await alice.engine.stop()
        assert (hers.links.links, hers.links.routes) == ({"bob0": made}, [])

    run(story())
