"""The proof that a tunnel of AH, or an SA in transport mode, carries packets: in both kernels and on the wire."""

from __future__ import annotations

from tests.eventually import eventually
from tests.interop.sites import Site
from tests.interop.topology import Topology
from tests.interop.wire import Seen
from tests.interop.xfrm import XfrmState

PINGS = 5


def packets_cross(net: Topology, site: Site, *, udp: bool = False) -> None:
    """Pings do, of the hosts or of the gateways themselves; both kernels count them on the same two SAs."""
    before = net.wire.seen()
    if site.mode == "transport":
        assert net.gw_a.ping(net.gw_b.address6 if site.ipv6 else net.gw_b.outside, PINGS) == PINGS
    else:
        is_ipv6 = ":" in site.nets[0][1]
        assert net.host_a.ping(net.host_b.address6 if is_ipv6 else net.host_b.address, PINGS) == PINGS
    kind = "udp_esp" if udp else site.protocol
    assert _carried(net.wire.seen() - before) == {kind: 2 * PINGS}

    on_a, on_b = eventually(
        lambda: [{state.spi: state for state in gateway.xfrm_state()} for gateway in (net.gw_a, net.gw_b)],
        lambda sas: len(sas[0]) == 2 and sas[0].keys() == sas[1].keys(),
    )
    for spi, ours in on_a.items():
        assert _shared(ours) == _shared(on_b[spi])
        assert (ours.proto, ours.mode, ours.packets) == (site.protocol, site.mode, PINGS)
        assert ("esn" in _flags(ours)) == site.esp.endswith("-esn")


def _carried(seen: Seen) -> dict[str, int]:
    """What was neither IKE nor of the link."""
    counts = {name: getattr(seen, name) for name in ("esp", "udp_esp", "ah", "clear")}
    return {name: count for name, count in counts.items() if count}


def _shared(state: XfrmState) -> tuple[object, ...]:
    return state.proto, state.mode, state.enc, state.enc_key, state.auth, state.auth_key, state.auth_bits, state.packets


def _flags(state: XfrmState) -> list[str]:
    line = next(line for line in state.text.splitlines() if "replay-window" in line)
    return line.partition("flag")[2].split()
