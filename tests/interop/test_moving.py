"""The path of a tunnel changes under it: the NAT in front of one side makes a new mapping, or has another address."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.eventually import eventually
from tests.interop.beginner import EITHER, Beginner, bring_up
from tests.interop.daemon import Ikevd
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import Topology
from tests.interop.xfrm import XfrmState

PACKETS = 20
OTHER = "192.0.2.9"
MAY_MISS = 3
"""Packets of the first moments, until the first one has shown the new port."""


@pytest.fixture(scope="module")
def net() -> Iterator[Topology]:
    with Topology(nat="a") as net:
        yield net


@pytest.fixture
def other_address(net: Topology) -> Iterator[Callable[[], None]]:
    """Gives the NAT another address in place of its own, by which it knows no mapping."""
    rule = ("POSTROUTING", "-o", "wan", "-p", "udp", "-j", "SNAT", "--to-source", f"{OTHER}:20000-29999")

    def change() -> None:
        net.nat_a.ip("address", "add", f"{OTHER}/24", "dev", "wan")
        net.nat_a.run("iptables-legacy", "-t", "nat", "-I", *rule)
        net.forget_mappings()

    yield change
    net.nat_a.run("iptables-legacy", "-t", "nat", "-D", *rule, check=False)
    net.nat_a.run("ip", "address", "del", f"{OTHER}/24", "dev", "wan", check=False)


@pytest.fixture(autouse=True)
def _no_mapping_of_the_test_before(net: Topology) -> None:
    net.forget_mappings()


def mapped_port(net: Topology) -> int:
    """Of the NAT, as the kernel of gateway B has it."""
    (port,) = {sa.encap[1] for sa in sas(net) if sa.encap and sa.dst == net.nat_a.address}
    return port


def sas(net: Topology) -> list[XfrmState]:
    return [sa for sa in net.gw_b.xfrm_state() if sa.spi]


def forget_mapping_and_ping(net: Topology) -> None:
    """With traffic across, from behind the NAT and to it."""
    port, spis = mapped_port(net), {sa.spi for sa in sas(net)}
    net.forget_mappings()
    assert net.host_a.ping(net.host_b.address, PACKETS, interval=0.1) >= PACKETS - MAY_MISS
    assert mapped_port(net) != port
    assert {sa.spi for sa in sas(net)} == spis, "the same SAs, so that their sequence numbers go on"
    assert net.host_b.ping(net.host_a.address, 3) == 3


@EITHER
def test_esp_follows_a_client_whose_nat_makes_a_new_mapping(net: Topology, beginner: Beginner) -> None:
    """strongSwan is the client."""
    site = Site(net.gw_b, net.gw_a)
    with StrongSwan(net.gw_a) as charon, Ikevd(net.gw_b, site.ikevd()) as ikevd:
        charon.configure(site.mirrored())
        bring_up(beginner, ikevd, charon)
        assert net.host_a.ping(net.host_b.address, 3) == 3
        forget_mapping_and_ping(net)
        assert "the NAT in front of it has made a new mapping; 1 IPsec SA pair went there" in ikevd.log
        charon.forget()


def test_esp_follows_the_messages_of_a_client_that_sends_no_packet(net: Topology) -> None:
    site = Site(net.gw_b, net.gw_a)
    with StrongSwan(net.gw_a) as charon, Ikevd(net.gw_b, site.ikevd()) as ikevd:
        charon.configure(site.mirrored())
        charon.bring_up()
        before = mapped_port(net)
        net.forget_mappings()
        charon.rekey(child="lan")
        eventually(lambda: mapped_port(net) != before)
        assert net.host_b.ping(net.host_a.address, 3) == 3
        (isakmp,) = ikevd.status()["connections"][0]["isakmp"]
        assert isakmp["remote"] == f"{net.nat_a.address}:{mapped_port(net)}"
        charon.forget()


@EITHER
def test_as_the_client_we_are_followed(net: Topology, beginner: Beginner) -> None:
    site = Site(net.gw_a, net.gw_b)
    with StrongSwan(net.gw_b) as charon, Ikevd(net.gw_a, site.ikevd()) as ikevd:
        charon.configure(site.mirrored())
        bring_up(beginner, ikevd, charon)
        assert net.host_a.ping(net.host_b.address, 3) == 3
        forget_mapping_and_ping(net)
        charon.forget()


@EITHER
def test_esp_follows_a_client_whose_nat_has_another_address(
    net: Topology, other_address: Callable[[], None], beginner: Beginner
) -> None:
    """strongSwan is the client; it is asked at the new address first."""
    site = Site(net.gw_b, net.gw_a)
    with StrongSwan(net.gw_a) as charon, Ikevd(net.gw_b, site.ikevd()) as ikevd:
        charon.configure(site.mirrored())
        bring_up(beginner, ikevd, charon)
        assert net.host_a.ping(net.host_b.address, 3) == 3
        spis = {sa.spi for sa in sas(net)}
        other_address()
        clear = net.wire.seen().clear
        assert net.host_a.ping(net.host_b.address, PACKETS, interval=0.1) >= PACKETS - 2 * MAY_MISS
        assert {sa.dst for sa in sas(net)} == {OTHER, net.gw_b.address}
        assert {sa.spi for sa in sas(net)} == spis, "the same SAs, so that their sequence numbers go on"
        assert net.host_b.ping(net.host_a.address, 3) == 3
        assert net.wire.seen().clear == clear
        assert "it, or that NAT, has another address; 1 IPsec SA pair went there" in ikevd.log
        (isakmp,) = ikevd.status()["connections"][0]["isakmp"]
        assert isakmp["remote"].startswith(OTHER)
        charon.forget()
