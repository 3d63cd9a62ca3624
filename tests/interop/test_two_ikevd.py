"""Two ikevd, and ikevd alone: no other daemon runs on this topology."""

from __future__ import annotations

from tests.interop.crossing import packets_cross
from tests.interop.daemon import Ikevd
from tests.interop.sites import Site
from tests.interop.topology import Topology


def test_two_ikevd(topology: Topology) -> None:
    site = Site(topology.gw_a, topology.gw_b, "aes256-sha256-modp2048", "aes256-sha256-modp2048")
    with Ikevd(topology.gw_a, site.ikevd()) as a, Ikevd(topology.gw_b, site.mirrored().ikevd()):
        a.up("lan")
        packets_cross(topology)
    for gateway in (topology.gw_a, topology.gw_b):
        assert gateway.xfrm_state() == []
        assert gateway.xfrm_policy() == []


def test_an_unreachable_peer_is_named_with_the_icmp_message(topology: Topology) -> None:
    site = Site(topology.gw_a, topology.gw_b, retransmit="{interval: 300ms, factor: 1.3, sends: 3}")
    with Ikevd(topology.gw_a, site.ikevd()) as ikevd:
        assert ikevd.command("up", "lan").exit_code == 1
        trace = " ".join(ikevd.command("trace").stdout.split())
    told = "nobody listens at 198.51.100.1:500, says 198.51.100.1 itself (ICMP port unreachable)"
    assert trace.count(told) == 2, "as a note, and at the head of the cause"


def test_a_local_address_that_is_not_this_machines_is_named(topology: Topology) -> None:
    """And not called a missing route, as the kernel does."""
    site = Site(topology.gw_a, topology.gw_b, retransmit="{interval: 300ms, factor: 1.3, sends: 3}")
    text = site.ikevd().replace(f"local: '{site.addresses[0]}'", "local: '192.0.2.200'")
    assert "192.0.2.200" in text
    with Ikevd(topology.gw_a, text) as ikevd:
        assert ikevd.command("up", "lan").exit_code == 1
        assert "192.0.2.200 (local) is not an address of this machine" in ikevd.command("trace").stdout
