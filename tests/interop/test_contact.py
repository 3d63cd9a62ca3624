"""A crash of either side: what stood before makes way for what comes anew (INITIAL-CONTACT)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.eventually import eventually
from tests.interop.daemon import Ikevd
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import Topology

ANEW = "the peer says INITIAL_CONTACT, it holds nothing else with us: 2 pairs and 1 ISAKMP SA of before end"


@pytest.fixture
def site(topology: Topology) -> Site:
    """Two children, of which one carries the hosts' traffic."""
    nets = (("lan", topology.gw_a.net, topology.gw_b.net), ("dmz", "10.8.0.0/24", "10.9.0.0/24"))
    return Site(topology.gw_a, topology.gw_b, children=nets)


@pytest.fixture
def peer(site: Site) -> Iterator[StrongSwan]:
    """strongSwan, as it is where somebody configured it."""
    with StrongSwan(site.there) as charon:
        charon.configure(site.mirrored())
        yield charon


def spis_in(site: Site) -> set[int]:
    """Of ikevd's inbound SAs in its kernel."""
    return {state.spi for state in site.here.xfrm_state() if state.dst == site.here.address}


def stands_once(site: Site, charon: StrongSwan) -> None:
    """Each child has one pair or, where both ends began it, two; the same ones on both sides, and packets cross."""
    theirs = {int(str(child["spi-out"]), 16) for child in charon.list_children()}
    assert spis_in(site) == theirs, charon.tail()


def test_after_a_crash_of_strongswan_which_restarts_one_of_two_children_both_are_back(
    topology: Topology, site: Site, peer: StrongSwan
) -> None:
    with Ikevd(site.here, site.ikevd()) as ikevd:
        ikevd.up("lan")
        ikevd.up("dmz")
        before = spis_in(site)
        peer.crash()
        peer.configure(site.mirrored())
        peer.initiate("lan", "peer")
        peer.wait_for_children(2)
        eventually(lambda: not before & spis_in(site))
        stands_once(site, peer)
        assert topology.host_a.ping(topology.host_b.address, 3) == 3
        assert ANEW in ikevd.command("trace", "peer").stdout + ikevd.log
        peer.forget()


def test_after_a_crash_of_ikevd_without_a_store_strongswan_drops_what_it_had(
    topology: Topology, site: Site, peer: StrongSwan
) -> None:
    with Ikevd(site.here, site.ikevd()) as ikevd:
        ikevd.up("lan")
        ikevd.up("dmz")
        ikevd.kill()
        ikevd.start()
        began = time.monotonic()
        ikevd.up("lan")
        assert time.monotonic() - began < 15
        assert len(peer.list_sas()) == 1, "the former ISAKMP SA is gone"
        peer.wait_for_children(1)
        stands_once(site, peer)
        assert "received INITIAL_CONTACT" in peer.log
        assert topology.host_a.ping(topology.host_b.address, 3) == 3
        peer.forget()


def test_who_sends_esp_to_an_ikevd_that_has_lost_all_hears_of_it_and_begins_anew(
    topology: Topology, site: Site
) -> None:
    other = site.mirrored()
    with (  # first who is called: the other one calls at once
        Ikevd(other.here, other.ikevd() + "\nunknown_esp: true\n") as lost,
        Ikevd(site.here, replace(site, start="always", options=("dpd: {timeout: 3s}",)).ikevd()) as ikevd,
    ):
        ikevd.up("lan")
        ikevd.up("dmz")
        before = spis_in(site)
        assert topology.host_a.ping(topology.host_b.address, 3) == 3
        lost.kill()
        lost.start()
        began = time.monotonic()
        eventually(lambda: topology.host_a.ping(topology.host_b.address, 1) == 1)
        assert time.monotonic() - began < 25, "the peer's own question comes after 30 s of silence"
        assert not before & spis_in(site)
        assert "INVALID_SPI came, which nothing proves" in ikevd.command("trace", "peer").stdout + ikevd.log
