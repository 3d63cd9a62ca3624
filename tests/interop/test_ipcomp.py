"""ESP with IPComp against strongSwan: large packets are compressed, small ones are not, and both cross."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.interop.beginner import EITHER, Beginner, bring_up
from tests.interop.blocking import ESP, QUICK, comes_of_it, dropped
from tests.interop.compressed import LARGE, SMALL, packets_cross, protocols
from tests.interop.daemon import Ikevd
from tests.interop.flood_ping import INTERVAL, pinging
from tests.interop.rekeying import unharmed, wait_for_another
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan
from tests.interop.told import newest
from tests.interop.topology import Topology
from tests.kernel.modules import without
from tests.service.harness import ServiceManager

PATIENT = "{interval: 1s, factor: 2, sends: 6}"
"""A charon that has just begun may take seconds for its first Diffie-Hellman exchange."""
BOTH_WAYS = ["comp", "comp", "esp", "esp"]
WAYS = [
    pytest.param("tunnel", False, id="tunnel"),
    pytest.param("tunnel", True, id="tunnel-ipv6"),
    pytest.param("transport", False, id="transport"),
    pytest.param("transport", True, id="transport-ipv6"),
]


def cpis(ikevd: Ikevd) -> list[tuple[str, str] | None]:
    """Those of each pair of `lan`, in and out."""
    (connection,) = ikevd.client.status()["connections"]
    pairs = [sa for child in connection["children"] for sa in child["sas"]]
    return [sa["ipcomp"] and (sa["ipcomp"]["cpi_in"], sa["ipcomp"]["cpi_out"]) for sa in pairs]


def nothing_stands(net: Topology) -> None:
    """Not even what the kernel made itself beside IPComp."""
    assert net.gw_a.xfrm_state() == []
    assert net.gw_a.xfrm_policy() == []


@EITHER
@pytest.mark.parametrize(("mode", "ipv6"), WAYS)
def test_with_strongswan(topology: Topology, charon_b: StrongSwan, beginner: Beginner, mode: str, ipv6: bool) -> None:
    site = Site(topology.gw_a, topology.gw_b, mode=mode, ipv6=ipv6, ipcomp=True)
    charon_b.configure(site.mirrored())
    with Ikevd(topology.gw_a, site.ikevd()) as ikevd:
        bring_up(beginner, ikevd, charon_b)
        packets_cross(topology, site)
        assert protocols(topology) == BOTH_WAYS
        (both,) = cpis(ikevd)
        assert both is not None
        assert {int(cpi, 16) for cpi in both} == {s.spi for s in topology.gw_a.xfrm_state() if s.proto == "comp"}
        assert ikevd.command("down", "lan").exit_code == 0
        charon_b.wait_for_children(0)
        eventually(lambda: topology.gw_a.xfrm_state() == [])
    nothing_stands(topology)


@EITHER
@pytest.mark.parametrize("here", [True, False], ids=["ikevd wants it", "strongSwan wants it"])
def test_one_end_alone_does_without(topology: Topology, charon_b: StrongSwan, beginner: Beginner, here: bool) -> None:
    site = Site(topology.gw_a, topology.gw_b, ipcomp=here)
    charon_b.configure(site.mirrored(ipcomp=not here))
    with Ikevd(topology.gw_a, site.ikevd()) as ikevd:
        bring_up(beginner, ikevd, charon_b)
        packets_cross(topology, site, compressed=False)
        assert cpis(ikevd) == [None]
        assert ("nothing is compressed, though the file says ipcomp: the peer does without" in ikevd.log) == here


@EITHER
@pytest.mark.parametrize("size", [LARGE, SMALL], ids=["large", "small"])
def test_each_new_pair_has_new_cpis_and_no_packet_is_lost(
    topology: Topology, charon_b: StrongSwan, beginner: Beginner, size: int
) -> None:
    site = Site(topology.gw_a, topology.gw_b, ipcomp=True)
    charon_b.configure(site.mirrored())
    with Ikevd(topology.gw_a, site.ikevd()) as ikevd:
        ikevd.up("lan")
        former, before = newest(ikevd), cpis(ikevd)
        with unharmed(topology, size, interval=INTERVAL):
            if beginner == "ikevd":
                assert ikevd.command("rekey", "lan").exit_code == 0
            else:
                charon_b.rekey("lan")
            wait_for_another(ikevd, former, within=20)
        after = cpis(ikevd)
        assert set(before) < set(after)
        assert len({cpi for both in after if both for cpi in both}) == 4
        packets_cross(topology, site)
    nothing_stands(topology)


def test_the_peer_takes_it_down(topology: Topology, charon_b: StrongSwan) -> None:
    """Its Delete names the SPI of ESP alone."""
    site = Site(topology.gw_a, topology.gw_b, ipcomp=True)
    charon_b.configure(site.mirrored())
    with Ikevd(topology.gw_a, site.ikevd()) as ikevd:
        charon_b.bring_up()
        assert protocols(topology) == BOTH_WAYS
        charon_b.terminate("lan")
        eventually(lambda: topology.gw_a.xfrm_state() == [])
        assert cpis(ikevd) == []


def test_it_outlives_a_killed_ikevd_and_a_lost_store(topology: Topology, charon_b: StrongSwan, tmp_path: Path) -> None:
    site = Site(topology.gw_a, topology.gw_b, ipcomp=True)
    charon_b.configure(site.mirrored())
    with (
        ServiceManager(tmp_path / "notify") as manager,
        Ikevd(site.here, site.ikevd(), manager=manager, store=True) as ikevd,
    ):
        ikevd.up("lan")
        before, sas = cpis(ikevd), {state.spi for state in topology.gw_a.xfrm_state()}
        with unharmed(topology, LARGE, interval=INTERVAL):
            ikevd.kill()
            ikevd.start()
        assert cpis(ikevd) == before
        assert {state.spi for state in topology.gw_a.xfrm_state()} == sas
        packets_cross(topology, site)

        ikevd.kill()
        for file in (ikevd.directory / "run").glob("store*"):
            file.unlink()
        ikevd.start()
        eventually(lambda: not sas & {state.spi for state in topology.gw_a.xfrm_state()})
    nothing_stands(topology)


@pytest.fixture(scope="module")
def behind_nat() -> Iterator[Topology]:
    with Topology(nat="a") as net:
        yield net


@EITHER
def test_through_a_nat_nothing_is_compressed(behind_nat: Topology, beginner: Beginner) -> None:
    behind_nat.forget_mappings()
    site = Site(behind_nat.gw_a, behind_nat.gw_b, ipcomp=True, retransmit=PATIENT)
    site = replace(site, local_id="a.example", remote_id="b.example")
    with StrongSwan(behind_nat.gw_b) as charon, Ikevd(behind_nat.gw_a, site.ikevd()) as ikevd:
        charon.configure(site.mirrored())
        bring_up(beginner, ikevd, charon)
        assert behind_nat.host_a.ping(behind_nat.host_b.address, 3, size=1000) == 3
        assert cpis(ikevd) == [None]
        assert "ESP travels in UDP, where there is no place for it" in ikevd.log


@pytest.mark.soak
def test_where_esp_is_dropped_it_is_tried_in_udp_and_then_nothing_is_compressed(
    topology: Topology, charon_a: StrongSwan
) -> None:
    site = Site(topology.gw_b, topology.gw_a, ipcomp=True, options=QUICK)
    charon_a.configure(site.mirrored(options=()))
    with dropped(topology.router, ESP), Ikevd(topology.gw_b, site.ikevd()) as ikevd:
        ikevd.up("lan")
        assert None not in cpis(ikevd)
        with pinging(topology.host_b, topology.host_a.address, interval=0.2):
            comes_of_it(ikevd, "helped")
        eventually(lambda: cpis(ikevd) == [None], within=60)
        assert topology.host_b.ping(topology.host_a.address, 5, size=LARGE, interval=0.2) == 5
        charon_a.forget()


@pytest.mark.parametrize("missing", ["ipcomp", "xfrm4_tunnel"])
def test_a_kernel_without_it_is_named_and_other_tunnels_go_on(
    topology: Topology, charon_b: StrongSwan, missing: str
) -> None:
    other = Site(topology.gw_a, topology.gw_b)
    charon_b.configure(other.mirrored(ipcomp=True))
    text = other.ikevd() + "      dmz: {local: 10.1.9.0/24, remote: 10.2.9.0/24, ipcomp: true, start: manual}\n"
    with without(missing), Ikevd(topology.gw_a, text) as ikevd:
        assert re.search(rf"ipcomp: this kernel has no .*IPCOMP for IPv4 \(module {missing}\)", ikevd.log)
        ikevd.up("lan")
        assert topology.host_a.ping(topology.host_b.address) == 3


@EITHER
@pytest.mark.xfrm_interface
def test_through_an_xfrm_interface(topology: Topology, charon_b: StrongSwan, beginner: Beginner) -> None:
    interface = f"interface: {{name: tun0, kind: xfrm, routes: [{topology.gw_b.net}]}}"
    site = Site(topology.gw_a, topology.gw_b, ipcomp=True, retransmit=PATIENT, options=(interface,))
    charon_b.configure(site.mirrored(options=()))
    with Ikevd(topology.gw_a, site.ikevd()) as ikevd:
        bring_up(beginner, ikevd, charon_b)
        packets_cross(topology, site)
        assert protocols(topology) == BOTH_WAYS
        assert "tun0" in topology.gw_a.ip("route", "get", topology.host_b.address)
    nothing_stands(topology)


def test_a_firewall_that_drops_lets_in_what_has_come_out_of_esp_by_the_rule_of_the_documentation(
    topology: Topology, charon_b: StrongSwan
) -> None:
    """Such a packet meets INPUT once more, as IPComp or as IP in IP."""
    site, gateway = Site(topology.gw_a, topology.gw_b, ipcomp=True), topology.gw_a
    charon_b.configure(site.mirrored())
    rule = ["INPUT", "-m", "policy", "--dir", "in", "--pol", "ipsec", "-j", "ACCEPT"]
    with Ikevd(gateway, site.ikevd()) as ikevd:
        ikevd.up("lan")
        for words in ("-A INPUT -p esp -j ACCEPT", "-A INPUT -p udp -j ACCEPT", "-P INPUT DROP"):
            gateway.run("iptables-legacy", *words.split())
        try:
            assert topology.host_a.ping(topology.host_b.address, 3, wait=2) == 0
            gateway.run("iptables-legacy", "-A", *rule)
            packets_cross(topology, site)
        finally:
            for words in ("-P INPUT ACCEPT", "-F INPUT"):
                gateway.run("iptables-legacy", *words.split())
