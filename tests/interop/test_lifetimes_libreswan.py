"""libreswan proposes longer lifetimes than ours, and is told so."""

from __future__ import annotations

import pytest

from tests.interop.crossing import packets_cross
from tests.interop.daemon import Ikevd
from tests.interop.libreswan import Libreswan
from tests.interop.sites import Site
from tests.interop.topology import Topology


@pytest.mark.parametrize("aggressive", [False, True], ids=["in message 6", "after Aggressive Mode"])
def test_libreswan_is_told_and_goes_on(topology: Topology, *, aggressive: bool) -> None:
    """It proposes an hour for the ISAKMP SA and eight hours for the IPsec SAs."""
    site = Site(topology.gw_a, topology.gw_b, options=("ike_lifetime: 10m",), aggressive=aggressive)
    with Libreswan(topology.gw_b) as pluto, Ikevd(topology.gw_a, site.ikevd()) as ikevd:
        pluto.configure(site.mirrored())
        pluto.bring_up()
        packets_cross(topology)
        (connection,) = ikevd.status()["connections"]
        assert connection["isakmp"][0]["expires_in_seconds"] <= 600
        said = ikevd.command("trace", "peer", "--decode").stdout
        assert said.count("RESPONDER_LIFETIME") >= 2
