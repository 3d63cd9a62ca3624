"""GRE and IPIP within IPsec in transport mode, with libreswan at the other gateway."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.interop.daemon import Ikevd
from tests.interop.inside import PROTOCOLS, Linked, linked
from tests.interop.libreswan import Libreswan
from tests.interop.topology import Topology


@pytest.fixture(scope="module", params=PROTOCOLS)
def link(request: pytest.FixtureRequest) -> Iterator[Linked]:
    with Topology() as net, linked(net, request.param) as both:
        yield both


@pytest.mark.parametrize("ours", [True, False], ids=["ikevd", "libreswan"])
def test_what_is_routed_to_the_interface_crosses(link: Linked, ours: bool) -> None:
    site, protocol = link.site(), f"{PROTOCOLS[link.kind]}/0"
    with Libreswan(link.net.gw_b) as pluto, Ikevd(link.net.gw_a, site.ikevd()) as ikevd:
        pluto.configure(site.mirrored(), leftprotoport=protocol, rightprotoport=protocol)
        if ours:
            ikevd.up("lan")
        else:
            pluto.bring_up()
        link.crosses()
        pluto.forget()
