"""Fifty rekeyings by libreswan and by ikevd under a flood ping, as in `test_fifty`."""

from __future__ import annotations

import pytest

from tests.eventually import eventually
from tests.interop.daemon import Ikevd
from tests.interop.libreswan import Libreswan
from tests.interop.rekeying import ikevd_yaml, nobody, rekeyed
from tests.interop.sites import Site
from tests.interop.told import pairs
from tests.interop.topology import Topology

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]


def test_libreswan_rekeys_by_time(topology: Topology) -> None:
    site = Site(topology.gw_a, topology.gw_b)
    times = {"salifetime": "20s", "rekey": "yes", "rekeymargin": "14s", "rekeyfuzz": "0%"}
    with Libreswan(topology.gw_b) as pluto, Ikevd(topology.gw_a, ikevd_yaml(site, "lifetime: 1h")) as ikevd:
        pluto.configure(site.mirrored(), **times)
        pluto.bring_up()
        eventually(lambda: pairs(ikevd))
        rekeyed(topology, ikevd, ours=False, begin=nobody)


def test_ikevd_rekeys_with_libreswan(topology: Topology) -> None:
    site = Site(topology.gw_a, topology.gw_b)
    with Libreswan(topology.gw_b) as pluto, Ikevd(topology.gw_a, ikevd_yaml(site, "lifetime: 1h")) as ikevd:
        pluto.configure(site.mirrored())
        ikevd.up("lan")
        rekeyed(topology, ikevd, ours=True, begin=lambda: ikevd.command("rekey", "lan"))
