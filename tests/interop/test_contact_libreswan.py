"""A crash of either side, the other being libreswan: what stood before makes way for what comes anew."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.eventually import eventually
from tests.interop.daemon import Ikevd
from tests.interop.libreswan import Libreswan
from tests.interop.node import Node
from tests.interop.sites import Site
from tests.interop.topology import Topology

SAYS_IT = {"initial-contact": "yes"}
"""By default libreswan does not."""


@pytest.fixture
def site(topology: Topology) -> Site:
    return Site(topology.gw_a, topology.gw_b)


@pytest.fixture
def pluto(site: Site) -> Iterator[Libreswan]:
    with Libreswan(site.there) as daemon:
        daemon.configure(site.mirrored(), **SAYS_IT)
        yield daemon


def spis(node: Node) -> set[int]:
    return {state.spi for state in node.xfrm_state()}


def test_after_a_crash_of_libreswan_what_it_had_ends(topology: Topology, site: Site, pluto: Libreswan) -> None:
    with Ikevd(site.here, site.ikevd()) as ikevd:
        ikevd.up("lan")
        before = spis(site.here)
        pluto.crash()
        pluto.configure(site.mirrored(), **SAYS_IT)
        pluto.bring_up()
        eventually(lambda: not before & spis(site.here))
        assert spis(site.here) == spis(site.there)
        assert topology.host_a.ping(topology.host_b.address, 3) == 3
        told = ikevd.command("trace", "peer").stdout + ikevd.log
        assert "the peer says INITIAL_CONTACT" in told
        assert "1 pair and 1 ISAKMP SA of before end" in told


def test_after_a_crash_of_ikevd_without_a_store_packets_cross(topology: Topology, site: Site, pluto: Libreswan) -> None:
    with Ikevd(site.here, site.ikevd()) as ikevd:
        ikevd.up("lan")
        ikevd.kill()
        ikevd.start()
        ikevd.up("lan")
        assert topology.host_a.ping(topology.host_b.address, 3) == 3
        print(f"libreswan holds {len(spis(site.there))} SAs, of which ikevd has {len(spis(site.here))}")
        assert spis(site.here) <= spis(site.there)
