"""A connection with an interface, and what stands of that in the links of this machine, which are in memory."""

from __future__ import annotations

import asyncio
from ipaddress import ip_interface, ip_network

from ikevd.host.links import LAST_METRIC, LinkAddress, Route
from ikevd.host.policies import Direction, PolicyId
from ikevd.observe.words import say
from ikevd.policy.child import Child
from ikevd.policy.connection import Connection
from ikevd.policy.interface import Interface, InterfaceKind, bearing
from tests.builders import NO_DPD, child, connection
from tests.gateways import Gateway
from tests.negotiation.mortal import Machine

NETWORK = ip_network("10.2.0.0/16")
ADDRESS = LinkAddress("bob0", ip_interface("169.254.7.1/30"))
THROUGH, UNREACHABLE = Route(NETWORK, "bob0", 254, 0), Route(NETWORK, None, 254, LAST_METRIC)
EVERYTHING = ip_network("0.0.0.0/0")
OUT = PolicyId(EVERYTHING, EVERYTHING, 0, 0, 0, Direction.OUT, 42)
INTERFACE = Interface("bob0", 42, InterfaceKind.XFRM, (ADDRESS.address,), (NETWORK,))


def everything(interface: Interface = INTERFACE, **changes: object) -> Child:
    """0.0.0.0/0 === 0.0.0.0/0, of that interface."""
    if_id, mark = bearing(interface)
    return child("0.0.0.0/0", "0.0.0.0/0", routed=True, if_id=if_id, mark_in=mark, mark_out=mark, **changes)


def routed(interface: Interface = INTERFACE, **changes: object) -> Connection:
    return connection(children=(everything(interface, **changes),), interface=interface, dpd=NO_DPD)


async def stands(machine: Machine, *, up: bool) -> bool:
    """All of it, and nothing else."""
    await asyncio.sleep(1)
    links = machine.links
    found = [(link.name, link.ours, link.owner, link.number, link.up) for link in links.links.values()]
    if found != [("bob0", True, "bob", 42, up)] or (up and links.addresses != [ADDRESS]):
        return False
    return set(links.routes) == ({UNREACHABLE, THROUGH} if up else {UNREACHABLE})


def cause(gateway: Gateway) -> str:
    """Why the interface does not stand."""
    found = gateway.session.state.unlinked
    return say(found) if found else ""
