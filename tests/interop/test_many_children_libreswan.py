"""Several children of one peer, which is libreswan."""

from __future__ import annotations

from tests.eventually import eventually
from tests.interop.daemon import Ikevd
from tests.interop.libreswan import Libreswan
from tests.interop.many import in_one_entry, site_of
from tests.interop.topology import Topology

FEW = 3


def test_libreswan_reads_several_spis_in_one_delete(topology: Topology) -> None:
    site = site_of(topology, FEW)
    with Libreswan(topology.gw_b) as pluto, Ikevd(site.here, in_one_entry(site)) as ikevd:
        pluto.configure(site.mirrored())
        ikevd.up("lan")
        assert len(site.there.xfrm_state()) == 2 * FEW
        assert ikevd.command("down", "lan").exit_code == 0
        eventually(lambda: site.there.xfrm_state() == [])
        assert site.here.xfrm_state() == []
