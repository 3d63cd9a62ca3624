"""AH, transport mode and sequence numbers of 64 bits against strongSwan, with packets across."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.interop.beginner import EITHER, Beginner, bring_up
from tests.interop.daemon import Ikevd
from tests.interop.protected import PINGS, packets_cross
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan, StrongSwanError
from tests.interop.test_tshark import decoded
from tests.interop.topology import Topology

PATIENT = "{interval: 1s, factor: 2, sends: 6}"
"""A charon that has just begun may take seconds for its first Diffie-Hellman exchange."""
AH = "sha256"
ROWS = [
    pytest.param("esp", "transport", "aes256gcm16-curve25519", id="transport"),
    pytest.param("ah", "transport", AH, id="ah-transport"),
    pytest.param("ah", "tunnel", AH, id="ah-tunnel"),
    pytest.param("esp", "tunnel", "aes256-sha256-esn", id="esn"),
    pytest.param("esp", "transport", "aes128gcm16-esn", id="transport-esn"),
    pytest.param("ah", "tunnel", "sha1-curve25519-esn", id="ah-esn"),
]


@pytest.fixture(scope="module")
def with_nat() -> Iterator[Topology]:
    with Topology(nat="a") as net:
        yield net


@pytest.fixture
def behind_nat(with_nat: Topology) -> Topology:
    """Gateway A behind a NAT, which knows nothing of the test before: a flow that clashes with one would have another
    port, and so show the peer behind a NAT, too."""
    with_nat.forget_mappings()
    return with_nat


@EITHER
@pytest.mark.parametrize(("protocol", "mode", "proposal"), ROWS)
def test_with_strongswan(
    topology: Topology, charon_b: StrongSwan, beginner: Beginner, protocol: str, mode: str, proposal: str
) -> None:
    site = Site(topology.gw_a, topology.gw_b, esp=proposal, protocol=protocol, mode=mode)
    charon_b.configure(site.mirrored())
    with Ikevd(topology.gw_a, site.ikevd()) as ikevd:
        bring_up(beginner, ikevd, charon_b)
        packets_cross(topology, site)
        assert ikevd.command("down", "lan").exit_code == 0
        charon_b.wait_for_children(0)
    assert topology.gw_a.xfrm_state() == []
    assert topology.gw_a.xfrm_policy() == []


def test_a_rekeyed_pair_of_ah_in_transport_mode_goes_on(topology: Topology, charon_b: StrongSwan) -> None:
    site = Site(topology.gw_a, topology.gw_b, esp=AH, protocol="ah", mode="transport")
    charon_b.configure(site.mirrored())
    with Ikevd(topology.gw_a, site.ikevd()) as ikevd:
        ikevd.up("lan")
        first = {state.spi for state in topology.gw_a.xfrm_state()}
        charon_b.rekey("lan")
        eventually(lambda: {state.spi for state in topology.gw_a.xfrm_state()}, lambda spis: len(spis - first) == 2)
        assert topology.gw_a.ping(topology.gw_b.address, PINGS) == PINGS


@EITHER
def test_one_protocol_in_transport_mode(topology: Topology, charon_b: StrongSwan, beginner: Beginner) -> None:
    one = (("lan", "dynamic[icmp]", "dynamic[icmp]"),)
    site = Site(topology.gw_a, topology.gw_b, mode="transport", children=one)
    charon_b.configure(site.mirrored())
    with Ikevd(topology.gw_a, site.ikevd()) as ikevd:
        bring_up(beginner, ikevd, charon_b)
        packets_cross(topology, site)
        assert {policy.selector for policy in topology.gw_a.xfrm_policy() if policy.templates} == {"proto icmp"}


def between_hosts(net: Topology, *options: str) -> Site:
    """ICMP of the two gateways, one of them behind a NAT."""
    icmp = (("lan", "dynamic[icmp]", "dynamic[icmp]"),)
    site = Site(net.gw_a, net.gw_b, mode="transport", children=icmp, options=options, retransmit=PATIENT)
    return replace(site, local_id="a.example", remote_id="b.example")


@pytest.mark.parametrize(
    ("beginner", "options"),
    [("ikevd", ()), ("strongSwan", ()), ("ikevd", ("nat_method: drafts",))],
    ids=["ikevd", "strongSwan", "ikevd-drafts"],
)
def test_transport_mode_through_a_nat_before_ikevd(
    behind_nat: Topology, beginner: Beginner, options: tuple[str, ...]
) -> None:
    site = between_hosts(behind_nat, *options)
    with StrongSwan(behind_nat.gw_b) as charon, Ikevd(behind_nat.gw_a, site.ikevd()) as ikevd:
        charon.configure(site.mirrored(options=()))
        bring_up(beginner, ikevd, charon)
        packets_cross(behind_nat, site, udp=True)


@EITHER
def test_transport_mode_through_a_nat_before_strongswan(behind_nat: Topology, beginner: Beginner) -> None:
    site = between_hosts(behind_nat)
    with StrongSwan(behind_nat.gw_a) as charon, Ikevd(behind_nat.gw_b, site.mirrored().ikevd()) as ikevd:
        charon.configure(site)
        bring_up(beginner, ikevd, charon)
        packets_cross(behind_nat, site, udp=True)


def test_the_other_mode_is_refused_in_words(topology: Topology, charon_b: StrongSwan) -> None:
    gw_a, gw_b = topology.gw_a, topology.gw_b
    hosts = (("lan", f"{gw_a.address}/32", f"{gw_b.address}/32"),)
    tunnel = Site(gw_a, gw_b, children=hosts)
    charon_b.configure(replace(tunnel, mode="tunnel").mirrored())
    ours = replace(tunnel, mode="transport", children=(("lan", "dynamic", "dynamic"),))
    with Ikevd(gw_a, ours.ikevd()) as ikevd:
        with pytest.raises(StrongSwanError):
            charon_b.bring_up()
        eventually(lambda: "they differ in the encapsulation (theirs tunnel, ours transport)" in ikevd.log)


@EITHER
def test_ah_behind_a_nat_is_refused_in_words(behind_nat: Topology, beginner: Beginner) -> None:
    net = behind_nat
    site = Site(net.gw_a, net.gw_b, esp=AH, protocol="ah", local_id="a.example", remote_id="b.example")
    with StrongSwan(net.gw_b) as charon, Ikevd(net.gw_a, site.ikevd()) as ikevd:
        charon.configure(site.mirrored())
        if beginner == "ikevd":
            assert ikevd.command("up", "lan").exit_code == 1
        else:
            with pytest.raises(StrongSwanError):
                charon.bring_up()
        eventually(lambda: "a NAT in front of this side alters them: AH cannot pass" in ikevd.log)


def test_tshark_reads_nat_oa_and_the_mode(behind_nat: Topology, tmp_path: Path) -> None:
    net = behind_nat
    site = Site(net.gw_a, net.gw_b, mode="transport", local_id="a.example", remote_id="b.example")
    with StrongSwan(net.gw_b) as charon, Ikevd(net.gw_a, site.ikevd(), export_keys=True) as ikevd:
        charon.configure(site.mirrored())
        net.wire.forget()
        ikevd.up("lan")
        net.wire.save(tmp_path / "ike.pcap")
        (key,) = ikevd.keys()
    quick = [line for line in decoded(tmp_path / "ike.pcap", key).splitlines() if "\t32\t" in line]
    for line in quick[:2]:
        fields = line.split("\t")
        assert fields[3].split(";").count("21") == 2, "NAT-OAi and NAT-OAr"
        assert "4" in fields[9].split(";"), "UDP-Encapsulated-Transport"
        assert fields[11] == "", "nothing malformed"
