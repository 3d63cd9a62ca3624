"""Ranges of addresses, protocols and ports as selectors, in both roles: strongSwan and both kernels have the same."""

from __future__ import annotations

import socket

import pytest

from tests.interop.daemon import Ikevd
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import Topology

PORT = 8080
RANGES = ("10.1.0.5-10.1.0.20", "10.2.0.10-10.2.0.12")
"""Of each a host that is there; four subnets and two."""
SERVICE = ("10.1.0.0/24[tcp]", f"10.2.0.0/24[tcp/{PORT}]")


def up(ikevd: Ikevd, charon: StrongSwan, begins: str) -> None:
    if begins == "ikevd":
        ikevd.up("lan")
    else:
        charon.initiate("lan")
        charon.wait_for_children(1)


def outward(topology: Topology) -> set[tuple[str, str, str]]:
    """The policies of gateway A for what it sends through the tunnel."""
    found = topology.gw_a.xfrm_policy()
    return {(one.src, one.dst, one.selector) for one in found if one.gate == ("out", "allow")}


@pytest.mark.parametrize("begins", ["ikevd", "strongSwan"])
def test_ranges_of_addresses(topology: Topology, charon_b: StrongSwan, begins: str) -> None:
    site = Site(topology.gw_a, topology.gw_b, children=(("lan", *RANGES),))
    charon_b.configure(site.mirrored())
    before = topology.wire.seen()
    with Ikevd(site.here, site.ikevd()) as ikevd:
        up(ikevd, charon_b, begins)
        assert topology.host_a.ping(topology.host_b.address, 3) == 3
        seen = topology.wire.seen() - before
        assert (seen.esp, seen.clear) == (6, 0)
        ours = {"10.1.0.5/32", "10.1.0.6/31", "10.1.0.8/29", "10.1.0.16/30", "10.1.0.20/32"}
        assert outward(topology) == {(one, other, "") for one in ours for other in ("10.2.0.10/31", "10.2.0.12/32")}


@pytest.mark.parametrize("begins", ["ikevd", "strongSwan"])
def test_one_service(topology: Topology, charon_b: StrongSwan, begins: str) -> None:
    site = Site(topology.gw_a, topology.gw_b, children=(("lan", *SERVICE),))
    charon_b.configure(site.mirrored())
    before = topology.wire.seen()
    with Ikevd(site.here, site.ikevd()) as ikevd, topology.host_b.call(listening) as server:
        up(ikevd, charon_b, begins)
        with topology.host_a.call(lambda: socket.create_connection((topology.host_b.address, PORT), 20)) as client:
            client.sendall(b"through the tunnel")
            with server.accept()[0] as accepted:
                assert accepted.recv(100) == b"through the tunnel"
        seen = topology.wire.seen() - before
        assert seen.esp > 0
        assert seen.clear == 0
        assert outward(topology) == {("10.1.0.0/24", "10.2.0.0/24", f"proto tcp dport {PORT}")}


def listening() -> socket.socket:
    return socket.create_server(("", PORT))
