"""Another gateway behind the router of the topology, and a way to cut a gateway off."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.interop.node import Node, ip_batch
from tests.interop.topology import Topology


@contextmanager
def second_gateway(topology: Topology, host: str, net: str = "10.2.0.0/24") -> Iterator[Node]:
    """It stands for the network `net`, and answers itself for one `host` in there."""
    node = Node(f"{topology.router.name}D", "203.0.113.1", outside="203.0.113.1", net=net)
    cable = f"link add tod netns {topology.router.name} type veth peer name wan netns {node.name}"
    ip_batch([f"netns add {node.name}", cable])
    try:
        node.set_sysctl(ipv4__conf__all__rp_filter=0, ipv4__conf__default__rp_filter=0)
        own = ["link set lo up", f"addr add {node.address}/24 dev wan", f"addr add {host}/32 dev lo"]
        ip_batch([*own, "link set wan up", "route add default via 203.0.113.254"], node.name)
        ip_batch(["addr add 203.0.113.254/24 dev tod", "link set tod up"], topology.router.name)
        yield node
    finally:
        ip_batch([f"netns del {node.name}"])


@contextmanager
def cut_off(topology: Topology, gateway: Node) -> Iterator[None]:
    """Nothing gets there, and the router tells nobody."""
    rule = ["FORWARD", "-d", gateway.address, "-j", "DROP"]
    topology.router.run("iptables-legacy", "-I", *rule)
    try:
        yield
    finally:
        topology.router.run("iptables-legacy", "-D", *rule)
