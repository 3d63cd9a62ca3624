"""No packet of a child leaves in the clear unless the operator wants it; what every host needs passes always."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.eventually import eventually
from tests.interop.blocking import dropped
from tests.interop.crossing import packets_cross
from tests.interop.daemon import Ikevd
from tests.interop.node import Node
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import Topology

pytestmark = pytest.mark.soak  # floods for half a minute each

BLOCKED = {("in", "allow"), ("fwd", "allow"), ("out", "block")}
TUNNEL = {("in", "allow"), ("fwd", "allow"), ("out", "allow")}
OPEN: set[tuple[str, str]] = set()
EVERYWHERE = "::/0"


@pytest.fixture
def site(topology: Topology) -> Site:
    return Site(topology.gw_a, topology.gw_b)


def gate(node: Node) -> set[tuple[str, str]]:
    """What the policies of the one child do in each direction."""
    return {policy.gate for policy in node.xfrm_policy() if policy.gate}


class Flood:
    """Fifty pings a second from host A to host B, as long as the `with` lasts; the wire sees what becomes of them."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._before = topology.wire.seen()

    @property
    def clear(self) -> int:
        """Packets of the private networks that crossed the router unprotected."""
        return (self._topology.wire.seen() - self._before).clear

    @property
    def encrypted(self) -> int:
        """ESP packets."""
        return (self._topology.wire.seen() - self._before).esp

    def goes_on(self, count: int = 10) -> None:
        """Let some more packets reach gateway A, whatever it does with them."""
        wanted = self._arrived() + count
        eventually(self._arrived, lambda arrived: arrived >= wanted)

    def _arrived(self) -> int:
        text = self._topology.gw_a.ip("-s", "link", "show", "lan")
        (packets,) = re.findall(r"RX:.*\n\s+\d+\s+(\d+)", text)
        return int(packets)


@contextmanager
def flood(topology: Topology) -> Iterator[Flood]:
    """It runs, and has arrived at gateway A."""
    command = topology.host_a.command("ping", "-n", "-q", "-i", "0.02", topology.host_b.address)
    ping = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        running = Flood(topology)
        running.goes_on()
        yield running
        assert ping.poll() is None, "the flood ended before the test did"
    finally:
        ping.send_signal(signal.SIGKILL)
        ping.wait()


def becomes(node: Node, wanted: set[tuple[str, str]]) -> None:
    eventually(lambda: gate(node), lambda seen: seen == wanted)


def test_before_a_tunnel_and_while_it_comes_and_goes_nothing_leaves_in_the_clear(
    topology: Topology, charon_b: StrongSwan, site: Site
) -> None:
    charon_b.load(site.mirrored().swanctl())
    with Ikevd(site.here, site.ikevd()) as ikevd, flood(topology) as running:
        assert gate(site.here) == BLOCKED
        ikevd.up("lan")
        topology.wire.wait_for("esp", topology.wire.seen().esp + 20)
        assert ikevd.command("down", "lan").exit_code == 0
        becomes(site.here, BLOCKED)
        running.goes_on()
        charon_b.initiate("lan")
        topology.wire.wait_for("esp", topology.wire.seen().esp + 20)
        charon_b.terminate(ike="peer")
        becomes(site.here, BLOCKED)
        running.goes_on()
        assert running.clear == 0


def test_nothing_leaves_in_the_clear_when_the_last_pair_ends_and_ike_is_blocked(
    topology: Topology, charon_b: StrongSwan, site: Site
) -> None:
    charon_b.load(site.mirrored().swanctl())
    text = site.ikevd().replace("start: manual", "start: always")
    with Ikevd(site.here, text), flood(topology) as running:
        charon_b.wait_for_children(1)
        becomes(site.here, TUNNEL)
        with dropped(topology.router, ("-s", site.here.address, "-p", "udp")):
            charon_b.terminate(child="lan")
            becomes(site.here, BLOCKED)
            assert site.here.xfrm_state() == []
            running.goes_on(50)
        assert running.encrypted > 0
        assert running.clear == 0


def test_nothing_leaves_in_the_clear_while_the_key_is_wrong(
    topology: Topology, charon_b: StrongSwan, site: Site
) -> None:
    charon_b.load(site.mirrored(secret="another secret altogether").swanctl())
    with Ikevd(site.here, site.ikevd()) as ikevd, flood(topology) as running:
        assert "key" in ikevd.failing_up("lan")
        running.goes_on()
        assert gate(site.here) == BLOCKED
        assert running.clear == 0


def test_what_comes_in_the_clear_is_dropped_while_the_tunnel_is_down(topology: Topology, site: Site) -> None:
    """Sent by gateway B, which knows no tunnel."""
    topology.router.ip("route", "add", site.here.net, "via", site.here.address)
    topology.host_a.run("iptables-legacy", "-A", "INPUT", "-s", site.there.net, "-j", "ACCEPT")
    try:
        assert topology.host_b.ping(topology.host_a.address, 2, wait=2) == 0
        assert arrived(topology.host_a) > 0, "else there is nothing to drop"
        with Ikevd(site.here, site.ikevd()):
            before = arrived(topology.host_a)
            topology.host_b.ping(topology.host_a.address, 2, wait=2)
            assert arrived(topology.host_a) == before
    finally:
        topology.router.ip("route", "del", site.here.net)
        topology.host_a.run("iptables-legacy", "-F", "INPUT")


def arrived(host: Node) -> int:
    """Packets from the other private network that reached the host."""
    (packets,) = re.findall(r"^\s*(\d+)\s+\d+\s+ACCEPT", host.run("iptables-legacy", "-nvxL", "INPUT"), re.MULTILINE)
    return int(packets)


@pytest.mark.parametrize("tunnel", [True, False], ids=["up", "never-up"])
def test_down_open_lets_traffic_pass_in_the_clear_until_the_next_up(
    topology: Topology, charon_b: StrongSwan, site: Site, tunnel: bool
) -> None:
    charon_b.load(site.mirrored().swanctl())
    with Ikevd(site.here, site.ikevd()) as ikevd, flood(topology) as running:
        if tunnel:
            ikevd.up("lan")
        assert running.clear == 0
        assert ikevd.command("down", "lan", "--open").exit_code == 0
        becomes(site.here, OPEN)
        eventually(lambda: running.clear)
        ikevd.up("lan")
        running.goes_on()  # what was on its way has crossed
        since = running.clear
        running.goes_on()
        assert running.clear == since
        assert ikevd.command("down", "lan").exit_code == 0
        becomes(site.here, BLOCKED)
        running.goes_on()
        assert running.clear == since


def test_fail_open_lets_traffic_pass_in_the_clear_while_no_tunnel_stands(
    topology: Topology, charon_b: StrongSwan, site: Site
) -> None:
    charon_b.load(site.mirrored().swanctl())
    text = site.ikevd().replace("start: manual", "start: manual, fail_open: true")
    with Ikevd(site.here, text) as ikevd, flood(topology) as running:
        assert gate(site.here) == OPEN
        eventually(lambda: running.clear)
        ikevd.up("lan")
        assert gate(site.here) == TUNNEL
        running.goes_on()
        since = running.clear
        running.goes_on()
        assert running.clear == since


# -- what every host needs


def test_under_a_block_of_everything_a_host_speaks_with_itself_and_finds_its_neighbours(topology: Topology) -> None:
    gateway, router = topology.gw_a, topology.router
    site = Site(gateway, topology.gw_b, ipv6=True, children=(("all", EVERYWHERE, EVERYWHERE),))
    with Ikevd(gateway, site.ikevd().replace("start: manual", "start: manual, all_traffic: true")):
        for node in (gateway, router):
            node.ip("-6", "neigh", "flush", "all")
        assert gateway.ping("::1", 1) == 1
        assert router.ping(gateway.address6, 1, wait=1) == 0, "the block stands"
        assert "lladdr" in router.ip("-6", "neigh", "show", gateway.address6)


def test_a_tunnel_of_everything_comes_up_and_carries_packets_though_no_neighbour_is_known(
    topology: Topology, charon_b: StrongSwan
) -> None:
    gateway = topology.gw_a
    site = Site(gateway, topology.gw_b, ipv6=True, children=(("all", gateway.net6, EVERYWHERE),))
    charon_b.load(site.mirrored().swanctl())
    with Ikevd(gateway, site.ikevd()) as ikevd:
        for node in (topology.host_a, gateway, topology.router):
            node.ip("-6", "neigh", "flush", "all")
        ikevd.up("all")
        packets_cross(topology, ipv6=True)
