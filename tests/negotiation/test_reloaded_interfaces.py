"""What another file makes of interfaces, addresses and routes; in virtual time."""

from __future__ import annotations

import asyncio
import errno
from dataclasses import replace
from ipaddress import ip_interface, ip_network

from ikevd.policy.child import Start
from tests.builders import NO_DPD, child, connection
from tests.gateways import reload
from tests.negotiation.mortal import tunnel
from tests.negotiation.route_based import (
    INTERFACE,
    NETWORK,
    routed,
    stands,
)
from tests.virtual_time import run


def test_other_routes_and_addresses_are_a_difference_of_which_the_tunnel_sees_nothing() -> None:
    async def story() -> None:
        _, hers, _, alice, _ = await tunnel(routed())
        alice.engine.start()
        assert await stands(hers, up=True)
        sas = set(hers.kernel.sas)
        other = replace(
            INTERFACE, routes=(NETWORK, ip_network("10.3.0.0/16")), addresses=(ip_interface("169.254.7.5/30"),)
        )
        await reload(alice, routed(other))
        await asyncio.sleep(1)
        assert [str(one.address) for one in hers.links.addresses] == ["169.254.7.5/30"]
        assert {str(route.to) for route in hers.links.routes if route.link} == {"10.2.0.0/16", "10.3.0.0/16"}
        await reload(alice, routed())
        assert await stands(hers, up=True)
        assert set(hers.kernel.sas) == sas

    run(story())


def test_a_connection_that_leaves_takes_its_interface_with_it() -> None:
    async def story() -> None:
        _, hers, _, alice, _ = await tunnel(routed())
        alice.engine.start()
        assert await stands(hers, up=True)
        await reload(alice)
        await asyncio.sleep(1)
        assert (hers.links.links, hers.links.routes, hers.links.addresses) == ({}, [], [])

    run(story())


def test_a_connection_may_get_an_interface_and_lose_it_again() -> None:
    async def story() -> None:
        _, hers, _, alice, _ = await tunnel(connection(children=(child("0.0.0.0/0", "0.0.0.0/0"),), dpd=NO_DPD))
        alice.engine.start()
        await reload(alice, routed(start=Start.ALWAYS))
        await asyncio.sleep(30)
        assert await stands(hers, up=True)
        await reload(alice, connection(children=(child("0.0.0.0/0", "0.0.0.0/0"),), dpd=NO_DPD))
        await asyncio.sleep(1)
        assert (hers.links.links, hers.links.routes, hers.links.addresses) == ({}, [], [])

    run(story())


def test_another_name_is_another_interface() -> None:
    async def story() -> None:
        _, hers, _, alice, _ = await tunnel(routed())
        alice.engine.start()
        assert await stands(hers, up=True)
        await reload(alice, routed(replace(INTERFACE, name="tun7")))
        await asyncio.sleep(1)
        assert list(hers.links.links) == ["tun7"]
        assert {route.link for route in hers.links.routes} == {"tun7", None}
        assert alice.troubles == []

    run(story())


def test_what_the_kernel_does_not_remove_is_tried_again() -> None:
    async def story() -> None:
        _, hers, _, alice, _ = await tunnel(routed())
        alice.engine.start()
        assert await stands(hers, up=True)
        hers.links.stuck = errno.EBUSY
        await reload(alice)
        await asyncio.sleep(1)
        assert "is still there" in alice.troubles[-1]
        hers.links.stuck = 0
        await asyncio.sleep(5)
        assert (hers.links.links, hers.links.routes) == ({}, [])

    run(story())
