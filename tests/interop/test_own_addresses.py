"""An address of ours goes away under a tunnel, and comes back, as the virtual one of VRRP does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

import pytest

from tests.eventually import eventually
from tests.interop.daemon import Ikevd
from tests.interop.node import Node
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan
from tests.interop.told import cause
from tests.interop.topology import Topology

VIRTUAL = "198.51.100.7"


@pytest.fixture
def node(topology: Topology) -> Iterator[Node]:
    """Gateway B by its virtual address, which it does not have yet."""
    yield replace(topology.gw_b, address=VIRTUAL, outside=VIRTUAL)
    if VIRTUAL in topology.gw_b.ip("address", "show", "dev", "wan"):
        lose(topology)


def gain(topology: Topology) -> None:
    topology.gw_b.ip("address", "add", f"{VIRTUAL}/24", "dev", "wan")


def lose(topology: Topology) -> None:
    topology.gw_b.ip("address", "del", f"{VIRTUAL}/24", "dev", "wan")


@pytest.mark.parametrize("beginner", ["ikevd", "strongSwan"])
def test_an_address_that_goes_takes_its_tunnel_along_and_its_return_brings_it_back(
    topology: Topology, charon_a: StrongSwan, node: Node, beginner: Literal["ikevd", "strongSwan"]
) -> None:
    site = Site(node, topology.gw_a)
    gain(topology)
    with Ikevd(topology.gw_b, site.ikevd()) as ikevd:
        charon_a.configure(site.mirrored())
        ikevd.up("lan")
        if beginner == "strongSwan":
            charon_a.initiate("lan", "peer")
        assert topology.host_b.ping(topology.host_a.address, 3) == 3
        before = topology.wire.seen().clear
        lose(topology)
        eventually(lambda: not topology.gw_b.xfrm_state())
        eventually(lambda: f"{VIRTUAL} (local) is not an address of this machine" in cause(ikevd))
        assert topology.host_b.ping(topology.host_a.address, 3, wait=1) == 0
        assert topology.wire.seen().clear == before

        gain(topology)
        eventually(lambda: topology.gw_b.xfrm_state())
        assert topology.host_b.ping(topology.host_a.address, 5, interval=0.3) >= 3
        charon_a.wait_for_children(1)
        charon_a.forget()


def test_a_standby_comes_up_with_its_address(topology: Topology, charon_a: StrongSwan, node: Node) -> None:
    site = Site(node, topology.gw_a)
    charon_a.configure(site.mirrored())
    with Ikevd(topology.gw_b, site.ikevd().replace("start: manual", "start: always")) as ikevd:
        eventually(lambda: "the connection waits for it" in cause(ikevd))
        gain(topology)
        charon_a.wait_for_children(1)
        assert topology.host_b.ping(topology.host_a.address, 3) == 3
        charon_a.forget()
