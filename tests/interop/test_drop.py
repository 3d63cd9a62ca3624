"""`drop`: of a child and a drop the narrower one wins, in the kernel and with traffic (strongSwan at the other end)."""

from __future__ import annotations

from tests.interop.daemon import Ikevd
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import Topology

ELSEWHERE = "10.9.0.9"
"""Of no child; gateway A would route it to the router."""


def test_a_host_within_a_tunnel_is_dropped_and_so_is_what_no_tunnel_is_for(
    topology: Topology, charon_b: StrongSwan
) -> None:
    site = Site(topology.gw_a, topology.gw_b)
    charon_b.configure(site.mirrored())
    drops = (
        f"drop:\n  host: {{local: {site.here.net}, remote: {topology.host_b.address}}}\n"
        "  rest: {local: 10.0.0.0/8, remote: 10.0.0.0/8}\n"
    )
    before = topology.wire.seen()
    with Ikevd(site.here, site.ikevd() + drops) as ikevd:
        ikevd.up("lan")
        assert topology.host_a.ping("10.2.0.1", 3) == 3, "the tunnel is narrower than `rest`"
        assert topology.host_a.ping(topology.host_b.address, 2, wait=2) == 0, "`host` is narrower than the tunnel"
        assert topology.host_b.ping(topology.host_a.address, 2, wait=2) == 0
        assert topology.host_a.ping(ELSEWHERE, 2, wait=2) == 0
        seen = topology.wire.seen() - before
        assert seen.clear == 0
        ikevd.command("down", "lan", "--open")
        assert topology.host_a.ping(topology.host_b.address, 2, wait=2) == 0, "a drop is no matter of the tunnel"
        assert (topology.wire.seen() - before).clear == 0
