"""`selection: narrow`, where libreswan has all our networks in one."""

from __future__ import annotations

from dataclasses import replace

from tests.interop.daemon import Ikevd
from tests.interop.libreswan import Libreswan
from tests.interop.sites import Site
from tests.interop.topology import Topology


def test_one_pair_of_libreswans_carries_both_our_children(topology: Topology) -> None:
    there = topology.gw_b.net
    children = (("lan", topology.gw_a.net, there), ("second", "10.1.7.0/24", there))
    site = Site(topology.gw_a, topology.gw_b, options=("selection: narrow",), start="passive", children=children)
    with Libreswan(topology.gw_b) as pluto, Ikevd(site.here, site.ikevd()) as ikevd:
        pluto.configure(replace(site, children=(("lan", "10.1.0.0/16", there),)).mirrored())
        pluto.bring_up()
        assert topology.host_b.ping(topology.host_a.address, 3) == 3
        shown = ikevd.status()["connections"][0]["children"]
        assert [(child["state"], child["sas"][0]["lent_by"]) for child in shown] == [("up", None), ("up", "lan")]
        assert len(site.here.xfrm_state()) == 2
        pluto.forget()
