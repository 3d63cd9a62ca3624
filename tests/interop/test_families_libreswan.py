"""IPv4 and IPv6 against libreswan, with packets across; sequence numbers of 64 bits it has in IKEv2 alone."""

from __future__ import annotations

import pytest

from tests.interop.daemon import Ikevd
from tests.interop.families import AH_ESN, ESN, HOSTS, TUNNELS, Row, between_hosts
from tests.interop.libreswan import Libreswan
from tests.interop.protected import packets_cross
from tests.interop.sites import Site
from tests.interop.topology import Topology

EITHER = pytest.mark.parametrize("ours", [True, False], ids=["ikevd", "libreswan"])


@EITHER
@pytest.mark.parametrize("row", [row for row in TUNNELS if row.proposal not in (ESN, AH_ESN)], ids=str)
def test_tunnel_mode(topology: Topology, ours: bool, row: Row) -> None:
    crosses(topology, ours, row.site(topology))


@EITHER
@pytest.mark.parametrize(("protocol", "proposal"), [row for row in HOSTS if row[1] != ESN])
def test_transport_mode_of_ipv6(topology: Topology, ours: bool, protocol: str, proposal: str) -> None:
    crosses(topology, ours, between_hosts(topology, protocol, proposal))


def crosses(net: Topology, ours: bool, site: Site) -> None:
    with Libreswan(net.gw_b) as pluto, Ikevd(net.gw_a, site.ikevd()) as ikevd:
        pluto.configure(site.mirrored())
        if ours:
            ikevd.up("lan")
        else:
            pluto.bring_up()
        packets_cross(net, site)
        pluto.forget()
