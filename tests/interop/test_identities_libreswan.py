"""Identities that libreswan calls equal, as we do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.interop.daemon import Ikevd
from tests.interop.libreswan import Libreswan
from tests.interop.sites import Site
from tests.interop.topology import Topology


@pytest.mark.parametrize("role", ["initiator", "responder"])
def test_libreswan_takes_our_name_with_a_dot_and_in_other_case_and_we_take_its(topology: Topology, role: str) -> None:
    site = Site(topology.gw_a, topology.gw_b, local_id="GW-A.Example.", remote_id="gw-b.example")
    with Libreswan(topology.gw_b) as pluto, Ikevd(topology.gw_a, site.ikevd()) as ikevd:
        pluto.configure(replace(site.mirrored(), local_id="Gw-B.EXAMPLE.", remote_id="gw-a.example"))
        if role == "initiator":
            ikevd.up("lan")
        else:
            pluto.bring_up()
        (isakmp,) = ikevd.status()["connections"][0]["isakmp"]
        assert (isakmp["local_id"], isakmp["remote_id"]) == ("GW-A.Example.", "Gw-B.EXAMPLE.")
        pluto.forget()
