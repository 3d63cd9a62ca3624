"""The proof that a tunnel compresses: what can be made shorter is short on the wire, and what cannot crosses, too."""

from __future__ import annotations

from tests.interop.sites import Site
from tests.interop.topology import Topology

PINGS = 5
LARGE, SMALL = 1200, 20
"""Octets of a ping. Those of a large one repeat themselves; a small one would not get shorter."""
SHORT = 600
"""Octets of a packet of ESP that holds a large one which was compressed, by far."""


def packets_cross(net: Topology, site: Site, *, compressed: bool = True) -> None:
    """Large ones and small ones do, both ways, inside ESP alone."""
    before = net.wire.seen()
    lengths = {}
    for size in (LARGE, SMALL):
        net.wire.forget()
        assert _ping(net, site, size) == PINGS
        esp = [frame for frame in net.wire.frames() if frame.kind == "esp"]
        assert len(esp) == 2 * PINGS, "each ping and each answer"
        lengths[size] = max(len(frame.packet) for frame in esp)
    assert (net.wire.seen() - before).clear == 0
    assert (lengths[LARGE] < SHORT) == compressed, lengths
    assert lengths[SMALL] < SHORT


def protocols(net: Topology) -> list[str]:
    """Of the SAs in the kernel of gateway A, but for those that the kernel made itself."""
    return sorted(state.proto for state in net.gw_a.xfrm_state() if state.reqid)


def _ping(net: Topology, site: Site, size: int) -> int:
    if site.mode == "transport":
        here, there = (net.gw_a, net.gw_b.address6 if site.ipv6 else net.gw_b.outside)
    else:
        here, there = (net.host_a, net.host_b.address6 if site.ipv6 else net.host_b.address)
    return here.ping(there, PINGS, size=size)
