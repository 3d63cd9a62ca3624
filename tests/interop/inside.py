"""What travels in GRE or IPIP between two gateways, within IPsec in transport mode."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address

from tests.interop.node import Node, ip_batch
from tests.interop.sites import Site
from tests.interop.topology import Topology

PROTOCOLS = {"gre": 47, "ipip": 4}
MTU = 1400


@dataclass(frozen=True)
class Linked:
    """Two gateways with an interface of that kind each, over which the other one's network is routed."""

    net: Topology
    kind: str

    def site(self, *, start: str = "manual") -> Site:
        end = f"dynamic[{self.kind}]"
        return Site(self.net.gw_a, self.net.gw_b, mode="transport", children=(("lan", end, end),), start=start)

    def theirs(self, site: Site) -> Site:
        """strongSwan takes IPIP by its number."""
        end = f"dynamic[{PROTOCOLS[self.kind]}]"
        return site.mirrored(children=(("lan", end, end),))

    def crosses(self) -> None:
        """From host to host, begun on either side, in packets up to the whole MTU, as ESP alone."""
        host_a, host_b, before, bare = self.net.host_a, self.net.host_b, self.net.wire.seen(), self.bare()
        assert host_a.ping(host_b.address, 3) == 3
        assert host_b.ping(host_a.address, 3, size=MTU - 28) == 3
        seen = self.net.wire.seen() - before
        assert (seen.esp, seen.clear, self.bare()) == (12, 0, bare)
        assert {state.mode for state in self.net.gw_a.xfrm_state()} == {"transport"}

    def bare(self) -> int:
        """How many packets of that protocol from gateway A crossed the router outside of ESP. strongSwan answers so
        what comes before message 3: it has no outbound policy then."""
        ours = ip_address(self.net.gw_a.address).packed
        packets = (frame.packet for frame in self.net.wire.frames() if len(frame.packet) > 16)
        return sum(
            packet[0] >> 4 == 4 and packet[9] == PROTOCOLS[self.kind] and packet[12:16] == ours for packet in packets
        )


@contextmanager
def linked(net: Topology, kind: str) -> Iterator[Linked]:
    """The interfaces stand."""
    net.gw_a.run("modprobe", "-a", "ip_gre", "ipip")  # nothing loads by itself
    for here, there in ((net.gw_a, net.gw_b), (net.gw_b, net.gw_a)):
        ip_batch(_interface(kind, here, there), here.name)
    yield Linked(net, kind)
    for gateway in (net.gw_a, net.gw_b):
        gateway.ip("link", "delete", "inside")


def _interface(kind: str, here: Node, there: Node) -> Iterator[str]:
    yield f"link add inside type {kind} local {here.address} remote {there.address} ttl 64"
    yield f"link set dev inside mtu {MTU} up"
    yield f"route add {there.net} dev inside"
