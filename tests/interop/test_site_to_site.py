"""A site-to-site tunnel between ikevd (gateway A) and strongSwan (gateway B) that carries real packets."""

from __future__ import annotations

from dataclasses import replace
from operator import not_

import pytest

from tests.eventually import eventually
from tests.interop.crossing import packets_cross
from tests.interop.daemon import Ikevd
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import Topology

SUITES = [
    pytest.param("aes128-sha256-modp2048", "aes128-sha256", id="sha256-modp2048"),
    pytest.param("aes256-sha256-curve25519", "aes256gcm16-curve25519", id="pfs-curve25519"),
]
"""All the others: test_matrix.py, where ikevd's engine runs in the test's process, with the same kernel and sockets."""


@pytest.mark.parametrize("ipv6", [False, True], ids=["ipv4", "ipv6"])
@pytest.mark.parametrize(("ike", "esp"), SUITES)
def test_as_initiator(topology: Topology, charon_b: StrongSwan, ike: str, esp: str, ipv6: bool) -> None:
    site = Site(topology.gw_a, topology.gw_b, ike, esp, ipv6=ipv6)
    charon_b.load(site.mirrored().swanctl())
    with Ikevd(topology.gw_a, site.ikevd()) as ikevd:
        ikevd.up("lan")
        packets_cross(topology, ipv6=ipv6)
    charon_b.wait_for_children(0)
    assert topology.gw_a.xfrm_state() == []
    assert topology.gw_a.xfrm_policy() == []


@pytest.mark.parametrize("ipv6", [False, True], ids=["ipv4", "ipv6"])
@pytest.mark.parametrize(("ike", "esp"), SUITES)
def test_as_responder(topology: Topology, charon_b: StrongSwan, ike: str, esp: str, ipv6: bool) -> None:
    site = Site(topology.gw_a, topology.gw_b, ike, esp, ipv6=ipv6)
    charon_b.load(site.mirrored().swanctl())
    with Ikevd(topology.gw_a, site.ikevd()):
        charon_b.initiate("lan")
        packets_cross(topology, ipv6=ipv6)
        charon_b.terminate(ike="peer")
    assert topology.gw_a.xfrm_state() == []
    assert topology.gw_a.xfrm_policy() == []


def test_identities_that_are_names(topology: Topology, charon_b: StrongSwan) -> None:
    site = Site(topology.gw_a, topology.gw_b, local_id="gw-a.example", remote_id="admin@gw-b.example")
    charon_b.load(site.mirrored().swanctl())
    with Ikevd(topology.gw_a, site.ikevd()) as ikevd:
        ikevd.up("lan")
        packets_cross(topology)


def test_two_children_of_which_the_peer_refuses_one(topology: Topology, charon_b: StrongSwan) -> None:
    gw_a, gw_b = topology.gw_a, topology.gw_b
    both = (("lan", gw_a.net, gw_b.net), ("dmz", "10.1.9.0/24", "10.2.9.0/24"))
    site = Site(gw_a, gw_b, children=both)
    charon_b.load(Site(gw_a, gw_b, children=both[:1]).mirrored().swanctl())
    with Ikevd(gw_a, site.ikevd()) as ikevd:
        done = ikevd.command("up", "peer")
        assert done.exit_code == 1
        assert "INVALID_ID_INFORMATION" in done.stderr
        packets_cross(topology)


def test_a_delete_by_the_peer_removes_the_child(topology: Topology, charon_b: StrongSwan) -> None:
    site = Site(topology.gw_a, topology.gw_b)
    charon_b.load(site.mirrored().swanctl())
    with Ikevd(topology.gw_a, site.ikevd()) as ikevd:
        ikevd.up("lan")
        charon_b.wait_for_children(1)
        charon_b.terminate(child="lan")
        child = eventually(
            lambda: ikevd.status()["connections"][0]["children"][0], lambda child: child["state"] == "down"
        )
        assert child["last_cause"] == "deleted by the peer"
        eventually(topology.gw_a.xfrm_state, not_)


def test_down_tells_the_peer(topology: Topology, charon_b: StrongSwan) -> None:
    site = Site(topology.gw_a, topology.gw_b)
    charon_b.load(site.mirrored().swanctl())
    with Ikevd(topology.gw_a, site.ikevd()) as ikevd:
        ikevd.up("lan")
        assert ikevd.command("down", "lan").exit_code == 0
        charon_b.wait_for_children(0)
        eventually(topology.gw_a.xfrm_state, not_)


def test_sha256_of_96_bits(topology: Topology, charon_b: StrongSwan) -> None:
    site = Site(topology.gw_a, topology.gw_b)
    theirs = site.mirrored().swanctl()
    charon_b.load(theirs.replace("esp_proposals = ", "sha256_96 = yes\n esp_proposals = "))
    text = site.ikevd().replace("    children:\n", "    sha256_96: true\n    children:\n")
    with Ikevd(topology.gw_a, text) as ikevd:
        ikevd.up("lan")
        packets_cross(topology)
        assert {state.auth_bits for state in topology.gw_a.xfrm_state()} == {96}


@pytest.mark.parametrize("group", ["modp2048", "ecp256"])
def test_of_several_pfs_groups_the_responder_takes_the_one_that_is_offered(
    topology: Topology, charon_b: StrongSwan, group: str
) -> None:
    esp = "[aes256-sha256-ecp256, aes256-sha256-modp2048, aes256-sha256-curve25519]"
    site = Site(topology.gw_a, topology.gw_b)
    charon_b.load(replace(site, esp=f"aes256-sha256-{group}").mirrored().swanctl())
    with Ikevd(topology.gw_a, replace(site, esp=esp).ikevd()) as ikevd:
        charon_b.initiate("lan")
        packets_cross(topology)
        (child,) = ikevd.status()["connections"][0]["children"]
        assert child["sas"][0]["suite"] == f"aes256-sha256-{group}"
        charon_b.terminate(ike="peer")


def test_of_several_pfs_groups_the_initiator_offers_the_first(topology: Topology, charon_b: StrongSwan) -> None:
    site = Site(topology.gw_a, topology.gw_b)
    charon_b.load(replace(site, esp="aes256-sha256-modp2048-ecp256").mirrored().swanctl())
    with Ikevd(topology.gw_a, replace(site, esp="[aes256-sha256-ecp256, aes256-sha256-modp2048]").ikevd()) as ikevd:
        ikevd.up("lan")
        packets_cross(topology)
        (child,) = ikevd.status()["connections"][0]["children"]
        assert child["sas"][0]["suite"] == "aes256-sha256-ecp256"
    charon_b.wait_for_children(0)
