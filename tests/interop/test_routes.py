"""Routes that follow policy-based tunnels, against strongSwan: the gateway's own packets go into the tunnel without
being told a source, and each of a hub's peers has its reverse route as long as it is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from ikevd.host.routes import PROTOCOL
from tests.eventually import eventually
from tests.interop.clients import client, hub
from tests.interop.daemon import Ikevd
from tests.interop.flood_ping import FloodPing
from tests.interop.node import Node
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import Topology

CHILDREN = ("lan", "lan6")
WAY = "10.2.0.0/24 via 192.0.2.254 dev wan src 10.1.0.1"


def site_of(net: Topology, route: str = "auto") -> Site:
    """IPv4 and IPv6 in one tunnel between IPv4 ends."""
    gw_a, gw_b = net.gw_a, net.gw_b
    both = (("lan", gw_a.net, gw_b.net), ("lan6", gw_a.net6, gw_b.net6))
    return Site(gw_a, gw_b, children=both, options=(f"route: {route}",))


def ours(node: Node) -> set[str]:
    """Routes and rules that bear our number, without what iproute2 says of all of them."""
    found = []
    for version in ("-4", "-6"):
        found += node.ip(version, "route", "show", "table", "all", "proto", str(PROTOCOL)).splitlines()
        rules = [line for line in node.ip(version, "rule").splitlines() if f"proto {PROTOCOL}" in line]
        found += [f"{version} rule {line}" for line in rules]
    return {re.sub(r" (scope link|onlink|pref medium|proto \d+)", "", line).strip() for line in found}


def own_packets_cross(net: Topology) -> None:
    """Of gateway A to the host behind B, both families, as ESP alone."""
    eventually(lambda: ours(net.gw_a), lambda found: any(line.startswith(WAY) for line in found))
    before = net.wire.seen()
    assert net.gw_a.ping(net.host_b.address, 3) == 3
    assert net.gw_a.ping(net.host_b.address6, 3) == 3
    seen = net.wire.seen() - before
    assert (seen.esp, seen.clear) == (12, 0)


@pytest.mark.parametrize("initiator", ["ikevd", "strongSwan"])
def test_the_gateways_own_packets_take_the_tunnel_and_no_other_way_while_it_is_down(
    topology: Topology, charon_b: StrongSwan, initiator: str
) -> None:
    site = site_of(topology)
    charon_b.load(site.mirrored().swanctl())
    with Ikevd(topology.gw_a, site.ikevd()) as ikevd:
        for child in CHILDREN:
            if initiator == "ikevd":
                ikevd.up(child)
            else:
                charon_b.initiate(child)
        own_packets_cross(topology)
        ikevd.command("down", "--all")
        before = topology.wire.seen()
        refused = topology.gw_a.run("ping", "-c", "2", "-w", "2", topology.host_b.address, check=False)
        assert "Operation not permitted" in refused
        assert (topology.wire.seen() - before).clear == 0
        assert {line for line in ours(topology.gw_a) if line.startswith(WAY)}
    assert ours(topology.gw_a) == set()
    charon_b.wait_for_children(0)


def test_without_a_route_they_leave_in_the_clear_or_not_at_all(topology: Topology, charon_b: StrongSwan) -> None:
    """What the key is for: the same tunnel, and a source address that it does not carry."""
    site = replace(site_of(topology), options=())
    charon_b.load(site.mirrored().swanctl())
    with Ikevd(topology.gw_a, site.ikevd()) as ikevd:
        ikevd.up("lan")
        before = topology.wire.seen()
        topology.gw_a.ping(topology.host_b.address, 3, wait=3)
        assert (topology.wire.seen() - before).esp == 0


def test_the_first_packet_of_the_gateway_itself_begins_the_tunnel(topology: Topology, charon_b: StrongSwan) -> None:
    site = replace(site_of(topology), start="on-demand")
    charon_b.load(site.mirrored().swanctl())
    with Ikevd(topology.gw_a, site.ikevd()):
        eventually(lambda: ours(topology.gw_a), lambda found: any(line.startswith(WAY) for line in found))
        assert topology.gw_a.ping(topology.host_b.address, 1, wait=30) == 1
        charon_b.wait_for_children(1)


def test_all_traffic_of_the_gateway_has_a_table_of_its_own_and_the_peer_is_left_out(
    topology: Topology, charon_b: StrongSwan
) -> None:
    gw_a = topology.gw_a
    site = replace(site_of(topology, "{table: 220}"), children=(("all", gw_a.net, "0.0.0.0/0"),))
    charon_b.load(site.mirrored().swanctl())
    with Ikevd(gw_a, site.ikevd()) as ikevd:
        ikevd.up("all")
        expected = {
            "throw 198.51.100.1 table 220",
            "default via 192.0.2.254 dev wan table 220 src 10.1.0.1",
            "-4 rule 220:\tfrom all lookup 220",
        }
        eventually(lambda: ours(gw_a), lambda found: found == expected)
        before = topology.wire.seen()
        assert gw_a.ping(topology.host_b.address, 3) == 3
        seen = topology.wire.seen() - before
        assert (seen.esp, seen.clear) == (6, 0)
        assert "src 192.0.2.1" in gw_a.ip("route", "get", "198.51.100.1")
        assert ikevd.command("rekey", "all", "--ike").exit_code == 0
        assert gw_a.ping(topology.host_b.address, 3) == 3
    assert ours(gw_a) == set()


def test_a_kill_and_a_restart_lose_no_packet_and_touch_no_route(topology: Topology, charon_b: StrongSwan) -> None:
    site = site_of(topology, "{table: 220}")
    charon_b.load(site.mirrored().swanctl())
    with Ikevd(topology.gw_a, site.ikevd(), store=True) as ikevd:
        ikevd.up("lan")
        eventually(lambda: len(ours(topology.gw_a)), lambda found: found == 4)
        stands = ours(topology.gw_a)
        with FloodPing(topology.gw_a, topology.host_b.address) as ping:
            ikevd.kill()
            ikevd.start()
            assert ping.lost() == 0, ping.missing
        assert ours(topology.gw_a) == stands
        charon_b.wait_for_children(1)
        ikevd.kill()
        configuration = ikevd.directory / "ikevd.yaml"
        configuration.write_text(configuration.read_text().replace("route: {table: 220}", ""))
        ikevd.start()
        eventually(lambda: ours(topology.gw_a) == set())


def test_a_route_of_somebody_else_is_told_left_alone_and_ours_comes_when_it_goes(
    topology: Topology, charon_b: StrongSwan
) -> None:
    site, gw_a = site_of(topology), topology.gw_a
    charon_b.load(site.mirrored().swanctl())
    gw_a.ip("route", "add", "10.2.0.0/24", "via", "192.0.2.254")
    with Ikevd(gw_a, site.ikevd()) as ikevd:
        ikevd.up("lan")
        told = eventually(lambda: ikevd.status()["connections"][0]["route_problem"])
        assert "`ip route show 10.2.0.0/24 table 254`" in str(told)
        assert "10.2.0.0/24 via 192.0.2.254 dev wan" in gw_a.ip("route")
        gw_a.ip("route", "del", "10.2.0.0/24")
        own_packets = eventually(lambda: gw_a.ping(topology.host_b.address, 1, wait=2), within=30)
        assert own_packets == 1
        assert ikevd.status()["connections"][0]["route_problem"] is None


# -- a hub and its peers


@pytest.fixture(scope="module")
def net() -> Iterator[Topology]:
    with Topology(nat="a", neighbour=True) as net:
        yield net


def ways(net: Topology) -> set[str]:
    return {line.split(" ")[0] for line in ours(net.gw_b)}


def test_each_peer_of_a_hub_has_its_reverse_route_and_a_kill_leaves_them(net: Topology) -> None:
    with (
        Ikevd(net.gw_b, hub(net, "group_key: true", "route: auto"), store=True) as ikevd,
        StrongSwan(net.gw_a) as first,
        StrongSwan(net.gw_c) as second,
    ):
        for charon, gateway in ((first, net.gw_a), (second, net.gw_c)):
            charon.configure(client(net, gateway))
            charon.bring_up()
        eventually(lambda: ways(net), lambda found: found == {"10.1.0.0/24", "10.3.0.0/24"})
        for host in (net.host_a, net.host_c):
            assert net.gw_b.ping(host.address, 3) == 3
        stands = ours(net.gw_b)
        with FloodPing(net.gw_b, net.host_a.address) as ping:
            ikevd.kill()
            ikevd.start()
            assert ping.lost() == 0, ping.missing
        assert ours(net.gw_b) == stands
        first.forget()
        eventually(lambda: ways(net), lambda found: found == {"10.3.0.0/24"})
        assert net.gw_b.ping(net.host_c.address, 3) == 3
        second.forget()
        eventually(lambda: ways(net) == set())
