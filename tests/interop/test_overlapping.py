"""Two peers whose networks overlap: 10.2.0.0/24 to one, 10.0.0.0/8 to the other. Each packet takes the narrower."""

from __future__ import annotations

from tests.interop.daemon import Ikevd
from tests.interop.second_gateway import second_gateway
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import Topology

ELSEWHERE = "10.7.0.1"
"""Behind the second gateway."""
WITHOUT_ROUTES = "install_routes = no"
"""Of strongSwan: a route for 10.0.0.0/8 would lead packets for its own network away."""


def test_each_packet_takes_the_narrower_tunnel_whichever_came_up_first(
    topology: Topology, charon_b: StrongSwan
) -> None:
    narrow = Site(topology.gw_a, topology.gw_b)
    with (
        second_gateway(topology, ELSEWHERE, "10.0.0.0/8") as second,
        StrongSwan(second, settings=WITHOUT_ROUTES) as charon,
    ):
        wide = Site(topology.gw_a, second, children=(("all", narrow.here.net, "10.0.0.0/8"),))
        charon_b.configure(narrow.mirrored())
        charon.configure(wide.mirrored())
        text = narrow.ikevd() + wide.ikevd().removeprefix("connections:\n").replace("  peer:\n", "  wide:\n")
        own = f"bypass: {{own: {{local: {narrow.here.net}, remote: {narrow.here.net}}}}}\n"
        before = topology.wire.seen()
        with Ikevd(topology.gw_a, text + own) as ikevd:
            for first, then in (("lan", "all"), ("all", "lan")):
                ikevd.up(first)
                ikevd.up(then)
                assert topology.host_a.ping(topology.host_b.address, 3) == 3
                assert topology.host_a.ping(ELSEWHERE, 3) == 3
                assert packets(topology, topology.gw_b.address) == packets(topology, second.address) == 3
                assert topology.host_a.ping("10.1.0.1", 1) == 1, "its own network stays outside"
                ikevd.command("down", "lan")
                ikevd.command("down", "all")
        assert (topology.wire.seen() - before).clear == 0


def packets(topology: Topology, gateway: str) -> int:
    """That were sent through the SA to that gateway."""
    return sum(state.packets for state in topology.gw_a.xfrm_state() if state.dst == gateway)
