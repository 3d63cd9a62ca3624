"""A router that drops ESP: ikevd tries it in UDP. Whoever began the tunnel, and where UDP is dropped too."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest

from tests.interop.blocking import ESP, ESP_IN_UDP, QUICK, comes_of_it, dropped, in_udp, one_way
from tests.interop.daemon import Ikevd
from tests.interop.flood_ping import pinging
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import Topology


@pytest.fixture
def site(topology: Topology) -> Site:
    return replace(Site(topology.gw_b, topology.gw_a), options=QUICK)


@pytest.mark.soak
@pytest.mark.parametrize("way", [(), ("-s", "192.0.2.1")], ids=["both ways", "on the way back"])
@pytest.mark.parametrize("beginner", ["ikevd", "strongSwan"])
def test_what_is_dropped_as_esp_crosses_in_udp(
    topology: Topology,
    charon_a: StrongSwan,
    site: Site,
    way: tuple[str, ...],
    beginner: Literal["ikevd", "strongSwan"],
) -> None:
    with dropped(topology.router, (*way, *ESP)), Ikevd(topology.gw_b, site.ikevd()) as ikevd:
        charon_a.configure(replace(site, options=()).mirrored())
        if beginner == "strongSwan":
            charon_a.initiate("lan", "peer")
        else:
            ikevd.up("lan")
        with pinging(topology.host_b, topology.host_a.address, interval=0.2):
            comes_of_it(ikevd, "helped")
        assert "ESP (IP protocol 50) is blocked between 198.51.100.1 and 192.0.2.1" in one_way(ikevd)["found"]
        assert topology.host_b.ping(topology.host_a.address, 5, interval=0.2) == 5
        charon_a.forget()


@pytest.mark.soak
def test_where_udp_is_dropped_too_the_tunnel_stands_as_before(
    topology: Topology, charon_a: StrongSwan, site: Site
) -> None:
    with Ikevd(topology.gw_b, site.ikevd()) as ikevd:
        charon_a.configure(replace(site, options=()).mirrored())
        ikevd.up("lan")
        before = topology.gw_b.xfrm_state()
        with dropped(topology.router, ESP, ESP_IN_UDP), pinging(topology.host_b, topology.host_a.address, interval=0.2):
            comes_of_it(ikevd, "in vain")
        assert "ESP in UDP did not help" in one_way(ikevd)["found"]
        after = topology.gw_b.xfrm_state()
        assert {state.spi for state in after} == {state.spi for state in before}
        assert in_udp(topology.gw_b) == [False, False]
        assert topology.host_b.ping(topology.host_a.address, 5, interval=0.2) == 5
        charon_a.forget()
