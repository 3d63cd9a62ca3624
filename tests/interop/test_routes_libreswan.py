"""The route of a policy-based tunnel with libreswan, in both roles: the gateway's own packets need no source."""

from __future__ import annotations

import pytest

from ikevd.host.routes import PROTOCOL
from tests.eventually import eventually
from tests.interop.daemon import Ikevd
from tests.interop.libreswan import Libreswan
from tests.interop.sites import Site
from tests.interop.topology import Topology


@pytest.mark.parametrize("initiator", ["ikevd", "libreswan"])
def test_the_gateways_own_packets_take_the_tunnel(topology: Topology, initiator: str) -> None:
    site = Site(topology.gw_a, topology.gw_b, options=("route: auto",))
    with Libreswan(topology.gw_b) as pluto, Ikevd(site.here, site.ikevd()) as ikevd:
        pluto.configure(site.mirrored(options=()))
        if initiator == "ikevd":
            ikevd.up("lan")
        else:
            pluto.bring_up()
        eventually(lambda: "src 10.1.0.1" in site.here.ip("route", "show", "proto", str(PROTOCOL)))
        before = topology.wire.seen()
        assert site.here.ping(topology.host_b.address, 3) == 3
        seen = topology.wire.seen() - before
        assert (seen.esp, seen.clear) == (6, 0)
        pluto.forget()
    assert site.here.ip("route", "show", "table", "all", "proto", str(PROTOCOL)) == ""
