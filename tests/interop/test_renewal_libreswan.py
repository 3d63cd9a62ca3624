"""The ISAKMP SA is renewed, by us or by libreswan, under a flood ping."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.interop.daemon import Ikevd
from tests.interop.libreswan import Libreswan
from tests.interop.renewing import UNTIL, no_packet_is_lost, spis, we_renew_it
from tests.interop.sites import Site
from tests.interop.told import cookies
from tests.interop.topology import Topology


@pytest.mark.soak
def test_libreswan_renews_it(topology: Topology) -> None:
    """30 s before the end of its lifetime of a minute."""
    site = Site(topology.gw_a, topology.gw_b)
    with Libreswan(topology.gw_b) as pluto, Ikevd(topology.gw_a, site.ikevd()) as ikevd:
        pluto.configure(site.mirrored(), ikelifetime="60s", rekey="yes", rekeymargin="30s", rekeyfuzz="0%")
        pluto.bring_up()
        eventually(lambda: len(spis(topology)) == 2)
        (first,) = cookies(ikevd)
        with no_packet_is_lost(topology):
            eventually(lambda: cookies(ikevd), lambda now: now != [first])
            eventually(lambda: cookies(ikevd), lambda now: first not in now)


@pytest.mark.parametrize("until_its_delete", UNTIL)
def test_we_renew_it(topology: Topology, tmp_path: Path, *, until_its_delete: bool) -> None:
    site = Site(topology.gw_a, topology.gw_b)
    with Libreswan(topology.gw_b) as pluto:
        pluto.configure(site.mirrored())
        asyncio.run(we_renew_it(topology, site, tmp_path, until_its_delete=until_its_delete))
