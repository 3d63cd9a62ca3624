"""The proof that a tunnel carries traffic: on both hosts, in both kernels and on the wire between."""

from __future__ import annotations

from tests.eventually import eventually
from tests.interop.node import Node
from tests.interop.topology import Topology
from tests.interop.xfrm import XfrmState

PINGS = 5
IPV4_PING, IPV6_PING = 84, 104


def packets_cross(topology: Topology, *, ipv6: bool = False, udp: bool = False) -> None:
    """Five pings cross; both ends counted them on the same two SAs with the same keys; the wire saw ESP only, and that
    in UDP or not at all in UDP."""
    before = topology.wire.seen()
    host_b = topology.host_b
    assert topology.host_a.ping(host_b.address6 if ipv6 else host_b.address, PINGS) == PINGS
    seen = topology.wire.seen() - before
    assert (seen.esp, seen.udp_esp, seen.clear) == ((0, 2 * PINGS, 0) if udp else (2 * PINGS, 0, 0))

    gateways = (topology.gw_a, topology.gw_b)
    on_a, on_b = eventually(lambda: [_sas(each) for each in gateways], lambda sas: sas[0].keys() == sas[1].keys())
    assert len(on_a) == 2
    for spi, ours in on_a.items():
        theirs = on_b[spi]
        assert _keys(ours) == _keys(theirs)
        assert (ours.encap is None, theirs.encap is None) == (not udp, not udp)
        if not udp:
            assert (ours.src, ours.dst) == (theirs.src, theirs.dst)
        size = (IPV6_PING if ipv6 else IPV4_PING) * PINGS
        assert (ours.packets, ours.bytes) == (theirs.packets, theirs.bytes) == (PINGS, size)


def _sas(node: Node) -> dict[int, XfrmState]:
    """By SPI. One side may see the end of an older SA a moment later than the other."""
    return {state.spi: state for state in node.xfrm_state()}


def _keys(state: XfrmState) -> tuple[object, ...]:
    """All that both ends of an SA must have alike."""
    assert state.mode == "tunnel"
    assert state.enc_key or state.enc == "ecb(cipher_null)"
    return state.enc, state.enc_key, state.aead_bits, state.auth, state.auth_key, state.auth_bits
