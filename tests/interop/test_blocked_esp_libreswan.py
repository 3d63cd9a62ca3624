"""A router that drops ESP between ikevd and libreswan: ikevd tries it in UDP."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.interop.blocking import ESP, ESP_IN_UDP, QUICK, comes_of_it, dropped, in_udp, one_way, pinging
from tests.interop.daemon import Ikevd
from tests.interop.libreswan import Libreswan
from tests.interop.sites import Site
from tests.interop.topology import Topology


@pytest.mark.soak
@pytest.mark.parametrize("udp_passes", [True, False], ids=["UDP passes", "nor does UDP"])
def test_esp_in_udp_is_kept_where_it_crosses_and_undone_where_not(topology: Topology, *, udp_passes: bool) -> None:
    site = replace(Site(topology.gw_b, topology.gw_a), options=QUICK)
    rules = (ESP,) if udp_passes else (ESP, ESP_IN_UDP)
    with Libreswan(topology.gw_a, site.secret) as libreswan, Ikevd(topology.gw_b, site.ikevd()) as ikevd:
        libreswan.configure(replace(site, options=()).mirrored())
        ikevd.up("lan")
        with dropped(topology.router, *rules):
            with pinging(topology):
                comes_of_it(ikevd, "helped" if udp_passes else "in vain")
            assert set(in_udp(topology.gw_b)) >= {udp_passes}
            assert one_way(ikevd)["found"]
            if udp_passes:
                assert topology.host_b.ping(topology.host_a.address, 5, interval=0.2) == 5
        libreswan.forget()
