"""Which IP version travels in which: one table for the tests of each peer."""

from __future__ import annotations

from dataclasses import dataclass

from tests.interop.sites import Site
from tests.interop.topology import Topology

GCM, AH, ESN, AH_ESN = "aes128gcm16-modp2048", "sha256", "aes256-sha256-esn", "sha1-esn"


@dataclass(frozen=True)
class Row:
    """What travels in what."""

    inner: int
    outer: int
    protocol: str
    proposal: str

    def __str__(self) -> str:
        return f"IPv{self.inner}-in-IPv{self.outer}-{self.protocol}-{self.proposal}"

    def site(self, net: Topology) -> Site:
        """Networks of one IP version between gateways of another, or the same."""
        here, there = net.gw_a, net.gw_b
        nets = (here.net, there.net) if self.inner == 4 else (here.net6, there.net6)
        children = (("lan", *nets),)
        return Site(here, there, esp=self.proposal, protocol=self.protocol, ipv6=self.outer == 6, children=children)


TUNNELS = [
    Row(4, 4, "esp", GCM),
    Row(6, 4, "esp", GCM),
    Row(4, 6, "esp", GCM),
    Row(6, 6, "esp", GCM),
    Row(4, 6, "ah", AH),
    Row(6, 6, "ah", AH),
    Row(4, 6, "esp", ESN),
    Row(6, 6, "esp", ESN),
    Row(6, 6, "ah", AH_ESN),
]
"""AH and ESN of IPv4 in IPv4: test_protocols.py."""
HOSTS = [("esp", GCM), ("ah", AH), ("esp", ESN)]
"""Protocol and proposal in transport mode between two IPv6 addresses."""


def between_hosts(net: Topology, protocol: str, proposal: str) -> Site:
    """Transport mode."""
    return Site(net.gw_a, net.gw_b, esp=proposal, protocol=protocol, mode="transport", ipv6=True)
