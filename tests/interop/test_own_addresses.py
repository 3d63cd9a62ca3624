"""An address of ours goes away under a tunnel, and comes back, as the virtual one of VRRP does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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

VIRTUAL, OTHER = "198.51.100.7", "198.51.100.8"


@pytest.fixture
def node(topology: Topology) -> Iterator[Node]:
    """Gateway B by its virtual address, which it does not have yet."""
    yield replace(topology.gw_b, address=VIRTUAL, outside=VIRTUAL)
    if VIRTUAL in topology.gw_b.ip("address", "show", "dev", "wan"):
        lose(topology)


@pytest.fixture
def other_address(topology: Topology) -> Iterator[Callable[[], None]]:
    """Gives gateway B another address in place of its own."""
    own = topology.gw_b.address
    yield lambda: _replace(topology, own, OTHER)
    if OTHER in topology.gw_b.ip("address", "show", "dev", "wan"):
        _replace(topology, OTHER, own)


def _replace(topology: Topology, former: str, address: str) -> None:
    topology.gw_b.ip("address", "del", f"{former}/24", "dev", "wan")
    topology.gw_b.ip("address", "add", f"{address}/24", "dev", "wan")
    topology.gw_b.ip("route", "replace", "default", "via", "198.51.100.254")


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


def test_another_address_takes_the_place_of_one_that_went(
    topology: Topology, charon_a: StrongSwan, other_address: Callable[[], None]
) -> None:
    """No `local` is given; strongSwan knows us by our identity, and obeys our INITIAL-CONTACT."""
    own = topology.gw_b.address
    site = Site(topology.gw_b, topology.gw_a, local_id="b.example", remote_id="a.example")
    charon_a.load(site.mirrored().swanctl().replace(f"remote_addrs = {own}", "remote_addrs = %any"))
    with Ikevd(topology.gw_b, site.ikevd().replace(f"    local: '{own}'\n", "")) as ikevd:
        ikevd.up("lan")
        assert topology.host_b.ping(topology.host_a.address, 3) == 3
        before = topology.wire.seen().clear
        other_address()
        eventually(lambda: {sa.src for sa in topology.gw_b.xfrm_state()} == {OTHER, topology.gw_a.address})
        eventually(lambda: topology.host_b.ping(topology.host_a.address, 1, wait=1) == 1)
        charon_a.wait_for_children(1)
        assert topology.host_a.ping(topology.host_b.address, 3) == 3
        assert topology.wire.seen().clear == before
