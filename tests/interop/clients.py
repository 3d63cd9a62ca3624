"""Clients of one identity behind one NAT, and the ikevd that they call."""

from __future__ import annotations

from dataclasses import replace

from tests.interop.node import Node
from tests.interop.sites import Site
from tests.interop.topology import Topology


def client(net: Topology, gateway: Node) -> Site:
    """Each has the same identity and key."""
    return Site(gateway, net.gw_b, local_id="clients.example", remote_id="gw-b.example")


def hub(net: Topology, *options: str) -> str:
    """ikevd.yaml of gateway B: whoever has the identity gets the network that it asks for."""
    text = replace(client(net, net.gw_a), options=options).mirrored().ikevd()
    text = text.replace(f"remote: '{net.gw_a.net}'", "remote: [within 10.1.0.0/16, within 10.3.0.0/16]")
    return text.replace(f"remote: '{net.nat_a.address}'", "remote: any")


def outward(net: Topology) -> set[object]:
    """Where the hub's packets go: encapsulation of its SAs to the NAT."""
    return {state.encap for state in net.gw_b.xfrm_state() if state.dst == net.nat_a.address}
