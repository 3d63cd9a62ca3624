"""IPv4 and IPv6, inside a tunnel and outside of it, in every combination, with packets across.

The whole matrix of algorithms has IPv4 in IPv4 and IPv6 in IPv6 (test_matrix.py).
"""

from __future__ import annotations

import pytest

from tests.interop.beginner import EITHER, Beginner, bring_up
from tests.interop.daemon import Ikevd
from tests.interop.families import HOSTS, TUNNELS, Row, between_hosts
from tests.interop.protected import packets_cross
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import Topology


@EITHER
@pytest.mark.parametrize("row", TUNNELS, ids=str)
def test_tunnel_mode(topology: Topology, charon_b: StrongSwan, beginner: Beginner, row: Row) -> None:
    crosses(topology, charon_b, beginner, row.site(topology))


@EITHER
@pytest.mark.parametrize(("protocol", "proposal"), HOSTS)
def test_transport_mode_of_ipv6(
    topology: Topology, charon_b: StrongSwan, beginner: Beginner, protocol: str, proposal: str
) -> None:
    crosses(topology, charon_b, beginner, between_hosts(topology, protocol, proposal))


def crosses(net: Topology, charon: StrongSwan, beginner: Beginner, site: Site) -> None:
    charon.configure(site.mirrored())
    with Ikevd(net.gw_a, site.ikevd()) as ikevd:
        bring_up(beginner, ikevd, charon)
        packets_cross(net, site)
        assert ikevd.command("down", "lan").exit_code == 0
        charon.wait_for_children(0)
    assert (net.gw_a.xfrm_state(), net.gw_a.xfrm_policy()) == ([], [])
