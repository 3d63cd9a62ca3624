"""A router that drops ESP between ikevd and libreswan: ikevd tries it in UDP."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.eventually import eventually
from tests.interop.blocking import ESP, ESP_IN_UDP, QUICK, comes_of_it, dropped, in_udp
from tests.interop.daemon import Ikevd
from tests.interop.flood_ping import pinging
from tests.interop.libreswan import Libreswan
from tests.interop.sites import Site
from tests.interop.topology import Topology


@pytest.mark.soak
@pytest.mark.parametrize("udp_passes", [True, False], ids=["UDP passes", "nor does UDP"])
def test_esp_in_udp_is_kept_where_it_crosses_and_undone_where_not(topology: Topology, *, udp_passes: bool) -> None:
    """With what the trial made libreswan deletes all that stood before: that begins anew."""
    site = replace(Site(topology.gw_b, topology.gw_a), options=QUICK)
    rules = (ESP,) if udp_passes else (ESP, ESP_IN_UDP)
    with Libreswan(topology.gw_a, site.secret) as libreswan, Ikevd(topology.gw_b, site.ikevd()) as ikevd:
        libreswan.configure(replace(site, options=()).mirrored())
        ikevd.up("lan")
        with dropped(topology.router, *rules):
            with pinging(topology.host_b, topology.host_a.address, interval=0.2):
                comes_of_it(ikevd, "helped" if udp_passes else "in vain")
            if udp_passes:
                assert topology.host_b.ping(topology.host_a.address, 5, interval=0.2) == 5
        eventually(lambda: in_udp(topology.gw_b), lambda found: bool(found) and found[-1] is udp_passes)
        eventually(lambda: topology.host_b.ping(topology.host_a.address, 1) == 1)
        libreswan.forget()
