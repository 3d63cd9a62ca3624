"""A site-to-site tunnel between ikevd (gateway A) and strongSwan (gateway B) that carries real packets."""

from __future__ import annotations

import pytest

from tests.interop.daemon import Ikevd
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import Topology

PINGS = 5
IPV4_PING, IPV6_PING = 84, 104
SUITES = [
    pytest.param("aes128-sha256-modp2048", "aes128-sha256", id="sha256-modp2048"),
    pytest.param("aes128-sha256-modp2048", "aes128-sha256-modp2048", id="pfs-modp2048"),
    pytest.param("aes256-sha1-modp1024", "aes256-sha1", id="sha1-modp1024"),
    pytest.param("aes256-sha1-modp1024", "aes256-sha1-modp1024", id="pfs-modp1024"),
    pytest.param("aes256-sha256-curve25519", "aes256-sha256-curve25519", id="pfs-curve25519"),
    pytest.param("aes192-sha256-curve25519", "aes192-sha1", id="aes192"),
]


def packets_cross(topology: Topology, *, ipv6: bool = False) -> None:
    """Five pings cross; both ends counted them on the same two SAs with the same keys; the wire saw ESP only."""
    before = topology.wire.seen()
    host_b = topology.host_b
    assert topology.host_a.ping(host_b.address6 if ipv6 else host_b.address, PINGS) == PINGS
    seen = topology.wire.seen() - before
    assert (seen.esp, seen.udp_esp, seen.clear) == (2 * PINGS, 0, 0)

    on_a = {state.spi: state for state in topology.gw_a.xfrm_state()}
    on_b = {state.spi: state for state in topology.gw_b.xfrm_state()}
    assert on_a.keys() == on_b.keys()
    assert len(on_a) == 2
    for spi, ours in on_a.items():
        theirs = on_b[spi]
        assert (ours.src, ours.dst, ours.mode) == (theirs.src, theirs.dst, "tunnel")
        assert (ours.enc, ours.enc_key, ours.auth, ours.auth_key) == (
            theirs.enc,
            theirs.enc_key,
            theirs.auth,
            theirs.auth_key,
        )
        assert ours.auth_bits == theirs.auth_bits
        size = (IPV6_PING if ipv6 else IPV4_PING) * PINGS
        assert (ours.packets, ours.bytes) == (theirs.packets, theirs.bytes) == (PINGS, size)


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
        assert done.returncode == 1
        assert "INVALID_ID_INFORMATION" in done.stderr
        packets_cross(topology)


def test_two_ikevd(topology: Topology) -> None:
    site = Site(topology.gw_a, topology.gw_b, "aes256-sha256-modp2048", "aes256-sha256-modp2048")
    with Ikevd(topology.gw_a, site.ikevd()) as a, Ikevd(topology.gw_b, site.mirrored().ikevd()):
        a.up("lan")
        packets_cross(topology)
    for gateway in (topology.gw_a, topology.gw_b):
        assert gateway.xfrm_state() == []
        assert gateway.xfrm_policy() == []


def test_a_delete_by_the_peer_removes_the_child(topology: Topology, charon_b: StrongSwan) -> None:
    site = Site(topology.gw_a, topology.gw_b)
    charon_b.load(site.mirrored().swanctl())
    with Ikevd(topology.gw_a, site.ikevd()) as ikevd:
        ikevd.up("lan")
        charon_b.terminate(child="lan")
        (child,) = ikevd.status()["connections"][0]["children"]
        assert (child["state"], child["last_cause"]) == ("down", "deleted by the peer")
    assert topology.gw_a.xfrm_state() == []


def test_down_tells_the_peer(topology: Topology, charon_b: StrongSwan) -> None:
    site = Site(topology.gw_a, topology.gw_b)
    charon_b.load(site.mirrored().swanctl())
    with Ikevd(topology.gw_a, site.ikevd()) as ikevd:
        ikevd.up("lan")
        assert ikevd.command("down", "lan").returncode == 0
        charon_b.wait_for_children(0)
        assert topology.gw_a.xfrm_state() == []
