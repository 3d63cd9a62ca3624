"""AH and transport mode against libreswan, with packets across; sequence numbers of 64 bits it has in IKEv2 alone."""

from __future__ import annotations

import pytest

from tests.interop.daemon import Ikevd
from tests.interop.libreswan import Libreswan
from tests.interop.protected import packets_cross
from tests.interop.sites import Site
from tests.interop.topology import Topology


@pytest.mark.parametrize("ours", [True, False], ids=["ikevd", "libreswan"])
@pytest.mark.parametrize(
    ("protocol", "mode", "proposal"),
    [
        pytest.param("esp", "transport", "aes256gcm16-modp2048", id="transport"),
        pytest.param("ah", "transport", "sha256", id="ah-transport"),
        pytest.param("ah", "tunnel", "sha256", id="ah-tunnel"),
    ],
)
def test_with_libreswan(topology: Topology, ours: bool, protocol: str, mode: str, proposal: str) -> None:
    site = Site(topology.gw_a, topology.gw_b, esp=proposal, protocol=protocol, mode=mode)
    with Libreswan(topology.gw_b) as pluto, Ikevd(topology.gw_a, site.ikevd()) as ikevd:
        pluto.configure(site.mirrored())
        if ours:
            ikevd.up("lan")
        else:
            pluto.bring_up()
        packets_cross(topology, site)
        pluto.forget()
