"""`selection: narrow`: strongSwan has all our networks in one, or less than ours. What both have carries traffic."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.eventually import eventually
from tests.interop.daemon import Ikevd
from tests.interop.node import Node
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan, StrongSwanError
from tests.interop.topology import Topology

SECOND = "10.1.7.1"
"""An address in a second network behind gateway A."""


@pytest.fixture(scope="module")
def module_charon_b(topology: Topology) -> Iterator[StrongSwan]:
    """It installs no routes: that of 0.0.0.0/0 would lead packets for its own network away from there."""
    with StrongSwan(topology.gw_b, settings="install_routes = no") as charon:
        yield charon


@pytest.fixture
def site(topology: Topology) -> Iterator[Site]:
    """Two children here, one network each."""
    topology.gw_a.ip("address", "add", f"{SECOND}/24", "dev", "lan")
    plain = Site(topology.gw_a, topology.gw_b, options=("selection: narrow",), start="passive")
    there = topology.gw_b.net
    yield replace(plain, children=(("lan", topology.gw_a.net, there), ("second", "10.1.7.0/24", there)))
    topology.gw_a.ip("address", "del", f"{SECOND}/24", "dev", "lan")


def all_in_one(site: Site, ours: str = "10.1.0.0/16") -> Site:
    """As the peer has it; `ours` are our networks."""
    return replace(site, children=(("lan", ours, site.there.net),)).mirrored()


def said(ikevd: Ikevd) -> str:
    return "\n".join(line for line in ikevd.log.splitlines() if "of which this is installed" in line)


def both_answer(topology: Topology) -> bool:
    """Through the tunnel: strongSwan's kernel lets nothing of these networks pass in the clear."""
    hosts: list[tuple[Node, str]] = [(topology.host_b, topology.host_a.address), (topology.host_b, SECOND)]
    return all(node.ping(address, 3) == 3 for node, address in hosts)


@pytest.mark.parametrize("ours", ["10.1.0.0/16", "0.0.0.0/0"], ids=["a supernet", "everything"])
def test_one_pair_of_strongswans_carries_both_our_children(
    topology: Topology, charon_b: StrongSwan, site: Site, ours: str
) -> None:
    charon_b.configure(all_in_one(site, ours))
    before = topology.wire.seen()
    with Ikevd(site.here, site.ikevd()) as ikevd:
        charon_b.initiate("lan")
        assert both_answer(topology)
        assert len(site.here.xfrm_state()) == 2
        assert (topology.wire.seen() - before).clear == 0
        assert f"the peer asks for {ours} === 10.2.0.0/24, of which this is installed: 10.1.0.0/24" in said(ikevd)
        assert "what else it sends into this SA is dropped here" in said(ikevd)
        states = [child["state"] for child in ikevd.status()["connections"][0]["children"]]
        assert states == ["up", "up"]
        charon_b.rekey("lan")
        eventually(lambda: len(site.here.xfrm_state()), lambda count: count > 2)
        assert both_answer(topology), "by the next pair, too"
        charon_b.terminate("lan")
        eventually(lambda: outward(site.here), lambda gates: set(gates.values()) == {"block"})


def outward(node: Node) -> dict[str, str]:
    """What becomes of what leaves each of our networks."""
    return {one.src: one.action for one in node.xfrm_policy() if one.gate and one.direction == "out"}


def test_of_a_network_that_strongswan_has_a_part_of_the_rest_stays_blocked(
    topology: Topology, charon_b: StrongSwan, site: Site
) -> None:
    charon_b.configure(all_in_one(site, "10.1.0.0/25"))
    with Ikevd(site.here, site.ikevd()) as ikevd:
        charon_b.initiate("lan")
        assert topology.host_b.ping(topology.host_a.address, 3) == 3
        assert outward(site.here) == {"10.1.0.0/25": "allow", "10.1.0.0/24": "block", "10.1.7.0/24": "block"}
        assert "what it did not ask for of lan stays blocked here" in said(ikevd)


def test_strongswan_narrows_what_we_ask_for_and_gets_its_way(
    topology: Topology, charon_b: StrongSwan, site: Site
) -> None:
    charon_b.configure(all_in_one(site, "10.1.0.0/25"))
    with Ikevd(site.here, site.ikevd().replace("start: passive", "start: manual")) as ikevd:
        ikevd.up("lan")
        assert topology.host_a.ping(topology.host_b.address, 3) == 3
        assert outward(site.here)["10.1.0.0/24"] == "block"
        assert "the peer answered with 10.1.0.0/25 === 10.2.0.0/24: only that is installed" in ikevd.log


def test_a_strict_child_refuses_what_is_wider_and_says_what_would_take_it(charon_b: StrongSwan, site: Site) -> None:
    charon_b.configure(all_in_one(site))
    with Ikevd(site.here, replace(site, options=()).ikevd()) as ikevd:
        with pytest.raises(StrongSwanError):
            charon_b.initiate("lan")
        eventually(lambda: "`selection: narrow` would give it what of that is ours" in ikevd.log)
