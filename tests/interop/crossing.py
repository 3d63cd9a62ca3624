"""The proof that a tunnel carries traffic: on both hosts, in both kernels and on the wire between."""

from __future__ import annotations

from tests.interop.topology import Topology

PINGS = 5
IPV4_PING, IPV6_PING = 84, 104


def packets_cross(topology: Topology, *, ipv6: bool = False) -> None:
    """Five pings cross; both ends counted them on the same two SAs with the same keys; the wire saw ESP only."""
    before = topology.wire.seen()
    host_b = topology.host_b
    assert topology.host_a.ping(host_b.address6 if ipv6 else host_b.address, PINGS) == PINGS
    seen = topology.wire.seen() - before
    assert (seen.esp, seen.udp_esp, seen.clear) == (2 * PINGS, 0, 0)

    on_a = {state.spi: state for state in topology.gw_a.xfrm_state()}
    on_b = {state.spi: state for state in topology.gw_b.xfrm_state()}
    assert on_a.keys() == on_b.keys()
    assert len(on_a) == 2
    for spi, ours in on_a.items():
        theirs = on_b[spi]
        assert (ours.src, ours.dst, ours.mode) == (theirs.src, theirs.dst, "tunnel")
        assert (ours.enc, ours.enc_key, ours.auth, ours.auth_key) == (
            theirs.enc,
            theirs.enc_key,
            theirs.auth,
            theirs.auth_key,
        )
        assert ours.auth_bits == theirs.auth_bits
        size = (IPV6_PING if ipv6 else IPV4_PING) * PINGS
        assert (ours.packets, ours.bytes) == (theirs.packets, theirs.bytes) == (PINGS, size)
