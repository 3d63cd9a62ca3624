"""The pairs of `config/examples` that can run here, word for word, with traffic across."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.interop.crossing import packets_cross
from tests.interop.daemon import Ikevd
from tests.interop.node import Node, ip_batch
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import Topology
from tests.plugins.secrets import MARK

EXAMPLES = Path(__file__).resolve().parents[2] / "config" / "examples"
KEY = f"{MARK}.Gpu9dJwJ5qVh3yzbRkTe"


@contextmanager
def translated(node: Node, rules: str) -> Iterator[None]:
    """As `iptables-restore --noflush` does with this file, of an example."""
    node.run("modprobe", "xt_NETMAP")  # iptables asks for it by another name
    node.run("iptables-legacy-restore", "--noflush", text=(EXAMPLES / rules).read_text())
    try:
        yield
    finally:
        node.run("iptables-legacy", "-t", "nat", "-F")


def ours(name: str) -> str:
    return (EXAMPLES / name).read_text()


def theirs(name: str) -> str:
    text = (EXAMPLES / name).read_text()
    assert text.count("PRE-SHARED-KEY") == 1
    return text.replace("PRE-SHARED-KEY", KEY)


def test_site_to_site_with_strongswan(topology: Topology, charon_b: StrongSwan) -> None:
    charon_b.load(theirs("strongswan/swanctl.conf"))
    with Ikevd(topology.gw_a, ours("strongswan/ikevd.yaml"), files={"berlin.psk": KEY}) as ikevd:
        ikevd.up("lan")
        packets_cross(topology)


def test_a_host_on_the_road_and_a_gateway() -> None:
    keys = {"laptop.psk": KEY, "tablet.psk": f"{KEY}2"}
    with Topology() as net:
        net.gw_a.ip("address", "add", "10.9.0.7/32", "dev", "lo")
        with (
            Ikevd(net.gw_b, ours("remote-access/gateway.yaml"), files=keys),
            Ikevd(net.gw_a, ours("remote-access/host.yaml"), files=keys) as host,
        ):
            host.up("office")
            assert net.gw_a.ping(net.host_b.address, 3, source="10.9.0.7") == 3
            seen = net.wire.seen()
            assert (seen.esp, seen.udp_esp, seen.clear) == (6, 0, 0)


def test_a_branch_behind_nat_and_strongswan() -> None:
    with Topology(nat="a") as net, StrongSwan(net.gw_b) as charon:
        charon.load(theirs("behind-nat/swanctl.conf"))
        with Ikevd(net.gw_a, ours("behind-nat/ikevd.yaml"), files={"branch.psk": KEY}) as ikevd:
            ikevd.up("lan")
            assert net.host_a.ping(net.host_b.address, 3) == 3
            seen = net.wire.seen()
            assert (seen.esp, seen.udp_esp, seen.clear) == (0, 6, 0)


def test_gre_within_transport_mode() -> None:
    with Topology() as net, StrongSwan(net.gw_b) as charon:
        net.gw_a.run("modprobe", "ip_gre")  # nothing loads by itself
        for gateway, links in ((net.gw_a, "ours.ip"), (net.gw_b, "theirs.ip")):
            ip_batch((EXAMPLES / "gre" / links).read_text().splitlines(), gateway.name)
        charon.load(theirs("gre/swanctl.conf"))
        with Ikevd(net.gw_a, ours("gre/ikevd.yaml"), files={"berlin.psk": KEY}) as ikevd:
            ikevd.up("gre")
            assert net.host_a.ping(net.host_b.address, 3) == 3
            assert net.gw_a.ping("169.254.9.2", 3) == 3
            seen = net.wire.seen()
            assert (seen.esp, seen.clear) == (12, 0)


def test_nat_exemption(topology: Topology, charon_b: StrongSwan) -> None:
    charon_b.load(theirs("nat-exemption/swanctl.conf"))
    gateway = topology.gw_a
    with Ikevd(gateway, ours("nat-exemption/ikevd.yaml"), files={"berlin.psk": KEY}) as ikevd:
        ikevd.up("lan")
        with translated(gateway, "nat-exemption/nat.iptables"):
            packets_cross(topology)
            gateway.run("iptables-legacy", "-t", "nat", "-D", "POSTROUTING", "1")
            before = topology.wire.seen()
            assert topology.host_a.ping(topology.host_b.address, 2, wait=2) == 0
            assert (topology.wire.seen() - before).clear > 0, "without the exemption packets leave in the clear"


def test_what_came_out_of_the_tunnel_passes_a_strict_rp_filter(topology: Topology, charon_b: StrongSwan) -> None:
    """The packets come in by the wide side, and the way back to the peer's network begins elsewhere."""
    charon_b.load(theirs("strongswan/swanctl.conf"))
    gateway = topology.gw_a
    gateway.ip("route", "add", "10.2.0.0/24", "dev", "lan")
    gateway.set_sysctl(ipv4__conf__all__rp_filter=1)
    try:
        with Ikevd(gateway, ours("strongswan/ikevd.yaml"), files={"berlin.psk": KEY}) as ikevd:
            ikevd.up("lan")
            assert topology.host_b.ping(topology.host_a.address, 3) == 3
    finally:
        gateway.set_sysctl(ipv4__conf__all__rp_filter=0)
        gateway.ip("route", "del", "10.2.0.0/24", "dev", "lan")


def test_equal_networks_on_both_sides(topology: Topology, charon_b: StrongSwan) -> None:
    charon_b.load(theirs("netmap/swanctl.conf"))
    pairs = ((topology.host_a, topology.gw_a), (topology.host_b, topology.gw_b))
    for host, gateway in pairs:
        host.ip("address", "add", "192.168.0.10/24", "dev", "eth0")
        gateway.ip("address", "add", "192.168.0.1/24", "dev", "lan")
    try:
        with (
            translated(topology.gw_a, "netmap/nat.iptables"),
            translated(topology.gw_b, "netmap/peer.iptables"),
            Ikevd(topology.gw_a, ours("netmap/ikevd.yaml"), files={"berlin.psk": KEY}) as ikevd,
        ):
            ikevd.up("lan")
            before = topology.wire.seen()
            assert topology.host_a.ping("10.12.0.10", 3, source="192.168.0.10") == 3
            assert topology.host_b.ping("10.11.0.10", 3, source="192.168.0.10") == 3
            seen = topology.wire.seen() - before
            assert (seen.esp, seen.clear) == (12, 0)
    finally:
        for host, gateway in pairs:
            host.ip("address", "del", "192.168.0.10/24", "dev", "eth0")
            gateway.ip("address", "del", "192.168.0.1/24", "dev", "lan")


def test_a_full_tunnel_with_the_own_lan_outside() -> None:
    with Topology() as net, StrongSwan(net.gw_b, settings="install_routes = no") as charon:
        charon.load(theirs("full-tunnel/swanctl.conf"))
        with Ikevd(net.gw_a, ours("full-tunnel/ikevd.yaml"), files={"berlin.psk": KEY}) as ikevd:
            assert net.host_a.ping("10.1.0.1", 3) == 3, "the LAN is outside while the tunnel is down"
            ikevd.up("all")
            packets_cross(net)
            assert net.host_a.ping("10.1.0.1", 3) == 3
