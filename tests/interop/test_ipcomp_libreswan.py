"""ESP with IPComp against libreswan, which has no ESP alone to choose where it compresses."""

from __future__ import annotations

import pytest

from tests.eventually import eventually
from tests.interop.compressed import packets_cross, protocols
from tests.interop.daemon import Ikevd
from tests.interop.libreswan import Libreswan
from tests.interop.sites import Site
from tests.interop.topology import Topology

EITHER = pytest.mark.parametrize("ours", [True, False], ids=["ikevd", "libreswan"])
BOTH_WAYS = ["comp", "comp", "esp", "esp"]


@EITHER
@pytest.mark.parametrize("mode", ["tunnel", "transport"])
def test_with_libreswan(topology: Topology, ours: bool, mode: str) -> None:
    site = Site(topology.gw_a, topology.gw_b, esp="aes256-sha256-modp2048", mode=mode, ipcomp=True)
    with Libreswan(topology.gw_b) as pluto, Ikevd(topology.gw_a, site.ikevd()) as ikevd:
        pluto.configure(site.mirrored())
        if ours:
            ikevd.up("lan")
        else:
            pluto.bring_up()
        packets_cross(topology, site)
        assert protocols(topology) == BOTH_WAYS
        pluto.forget()
        eventually(lambda: protocols(topology) == [])


@pytest.mark.parametrize("ours", [True, False], ids=["ikevd", "libreswan"])
def test_each_new_pair_is_compressed(topology: Topology, ours: bool) -> None:
    site = Site(topology.gw_a, topology.gw_b, ipcomp=True)
    with Libreswan(topology.gw_b) as pluto, Ikevd(topology.gw_a, site.ikevd()) as ikevd:
        pluto.configure(site.mirrored())
        ikevd.up("lan")
        before = {state.spi for state in topology.gw_a.xfrm_state() if state.proto == "comp"}
        if ours:
            assert ikevd.command("rekey", "lan").exit_code == 0
        else:
            pluto.bring_up()
        eventually(lambda: len({s.spi for s in topology.gw_a.xfrm_state() if s.proto == "comp"} - before) == 2)
        packets_cross(topology, site)
        pluto.forget()


def test_libreswan_without_it_calls_and_is_taken_as_it_is(topology: Topology) -> None:
    site = Site(topology.gw_a, topology.gw_b, ipcomp=True)
    with Libreswan(topology.gw_b) as pluto, Ikevd(topology.gw_a, site.ikevd()):
        pluto.configure(site.mirrored(ipcomp=False))
        pluto.bring_up()
        packets_cross(topology, site, compressed=False)
        pluto.forget()


def test_libreswan_without_it_refuses_the_wish_and_the_cause_is_named(topology: Topology) -> None:
    """Though ESP alone is offered, too."""
    site = Site(topology.gw_a, topology.gw_b, ipcomp=True)
    with Libreswan(topology.gw_b, may_crash=True) as pluto, Ikevd(topology.gw_a, site.ikevd()) as ikevd:
        pluto.configure(site.mirrored(ipcomp=False))
        cause = ikevd.failing_up("lan")
        assert "libreswan refuses both where it has compress=no; wanted compress=yes there, or no ipcomp here" in cause
