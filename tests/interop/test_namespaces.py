"""Sockets and SAs in one network namespace, the interface in another: strongSwan as the peer, in both roles.

The LAN of gateway A is in the namespace red, where nothing else leads anywhere: all that crosses comes by the tunnel.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.eventually import eventually
from tests.interop.daemon import Ikevd
from tests.interop.node import Node, ip_batch
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import Topology

THEIRS = 77
RED = f"red{os.getpid()}"
KINDS = ["vti", pytest.param("xfrm", marks=pytest.mark.xfrm_interface)]
PINGS, INTERVAL = 150, 0.1


@pytest.fixture(scope="module")
def topology() -> Iterator[Topology]:
    with Topology() as net:
        ip_batch([f"netns add {RED}"])
        put_into_red(net)
        yield net
        ip_batch([f"netns delete {RED}"])


def put_into_red(net: Topology) -> None:
    """The LAN of gateway A, which forwards there."""
    ip_batch([f"link set lan netns {RED}"], net.gw_a.name)
    ip_batch(["link set lo up", "address add 10.1.0.1/24 dev lan", "link set lan up"], RED)
    Node(RED, "").set_sysctl(ipv4__ip_forward=1, ipv4__conf__all__rp_filter=0)


@pytest.fixture(scope="module")
def charon(topology: Topology) -> Iterator[StrongSwan]:
    """On gateway B, with a VTI."""
    make = f"link add theirs type vti local 198.51.100.1 remote 192.0.2.1 key {THEIRS}"
    ip_batch([make, "link set theirs up", "route add 10.1.0.0/24 dev theirs"], topology.gw_b.name)
    with StrongSwan(topology.gw_b, settings="install_routes = no") as charon:
        yield charon


@dataclass(frozen=True)
class Setting:
    topology: Topology
    site: Site
    ikevd: Ikevd
    charon: StrongSwan

    def begin(self, who: str) -> None:
        if who == "ikevd":
            self.ikevd.up("all")
        else:
            self.charon.initiate("all")
        eventually(lambda: "UP" in flags(RED).get("tun0", ""))

    def crosses(self) -> None:
        host_a, host_b = self.topology.host_a, self.topology.host_b
        eventually(lambda: host_a.ping(host_b.address, 1, wait=1) == 1)
        before = self.topology.wire.seen()
        assert host_a.ping(host_b.address, 3) == 3
        assert host_b.ping(host_a.address, 3) == 3
        seen = self.topology.wire.seen() - before
        assert (seen.esp, seen.clear) == (12, 0)

    def problem(self) -> str | None:
        found: str | None = self.ikevd.status()["connections"][0]["interface"]["problem"]
        return found


@pytest.fixture(scope="module", params=KINDS)
def setting(topology: Topology, charon: StrongSwan, request: pytest.FixtureRequest) -> Iterator[Setting]:
    """At its end nothing of ikevd is left, here or there."""
    keys = f"name: tun0, kind: {request.param}, namespace: {RED}, addresses: 169.254.7.1/30, routes: 10.2.0.0/24"
    everything = (("all", "0.0.0.0/0", "0.0.0.0/0"),)
    site = Site(topology.gw_a, topology.gw_b, children=everything, options=(f"interface: {{{keys}}}",))
    bound = f"mark_in = {THEIRS}\n mark_out = {THEIRS}\n esp_proposals"
    charon.load(site.mirrored().swanctl().replace("esp_proposals", bound))
    with Ikevd(topology.gw_a, site.ikevd(), store=True) as ikevd:
        yield Setting(topology, site, ikevd, charon)
    charon.reset()
    assert (set(flags(RED)) & {"tun0"}, routes(RED)) == (set(), [])
    assert topology.gw_a.xfrm_state() == []


def flags(namespace: str) -> dict[str, str]:
    """Of each interface."""
    found = json.loads(Node(namespace, "").ip("-j", "link"))
    return {link["ifname"]: " ".join(link["flags"]) for link in found}


def routes(namespace: str) -> list[str]:
    """Ours."""
    return [line.strip() for line in Node(namespace, "").ip("route", "show", "proto", "205").splitlines()]


@pytest.fixture
def tunnel(setting: Setting) -> Iterator[Setting]:
    setting.begin("ikevd")
    yield setting
    down(setting)


def down(setting: Setting) -> None:
    assert setting.ikevd.command("down", "all").exit_code == 0
    setting.charon.wait_for_children(0)
    eventually(lambda: routes(RED), lambda found: found == ["unreachable 10.2.0.0/24 metric 4278190080"])


@pytest.mark.parametrize("begins", ["ikevd", "strongSwan"])
def test_what_is_routed_there_crosses_and_here_there_is_no_interface(setting: Setting, begins: str) -> None:
    setting.begin(begins)
    setting.crosses()
    assert "tun0" not in flags(setting.site.here.name)
    assert "UP" in flags(RED)["tun0"]
    down(setting)


@pytest.mark.parametrize("how", ["kill -9", "SIGTERM"])
def test_no_packet_is_lost_while_another_process_takes_over(tunnel: Setting, how: str) -> None:
    tunnel.crosses()
    words = ("ping", "-n", "-q", "-c", str(PINGS), "-i", str(INTERVAL), "-W", "10", tunnel.topology.host_b.address)
    with subprocess.Popen(tunnel.topology.host_a.command(*words), stdout=subprocess.PIPE, text=True) as pinging:
        if how == "SIGTERM":
            assert tunnel.ikevd.stop() == 0
        else:
            tunnel.ikevd.kill()
        tunnel.ikevd.start()
        told, _ = pinging.communicate(timeout=120)
    assert f"{PINGS} received" in told
    assert tunnel.problem() is None


def test_one_that_is_removed_there_comes_back(tunnel: Setting) -> None:
    Node(RED, "").ip("link", "delete", "tun0")
    tunnel.crosses()


def test_after_a_kill_a_file_without_the_connection_leaves_nothing_there(tunnel: Setting) -> None:
    file = tunnel.ikevd.directory / "ikevd.yaml"
    text = file.read_text()
    file.write_text("connections: {}\n" + "".join(text.partition("\ncontrol:")[1:]))
    tunnel.ikevd.kill()
    tunnel.ikevd.start()
    eventually(lambda: ("tun0" in flags(RED), routes(RED)), lambda found: found == (False, []))
    file.write_text(text)
    assert tunnel.ikevd.command("reload").exit_code == 0


def test_a_namespace_that_is_gone_is_told_and_all_is_there_again_when_it_is(tunnel: Setting) -> None:
    """Its LAN goes with it, as a veth does."""
    topology = tunnel.topology
    topology.gw_a.ip("netns", "delete", RED)
    told = f"there is no network namespace {RED} (/run/netns/{RED}) for the interface; wanted it made"
    eventually(tunnel.problem, lambda found: found is not None and told in found)
    assert len(tunnel.charon.list_children()) == 1, "the tunnel stands meanwhile"
    ip_batch([f"netns add {RED}", f"link add lan netns {RED} type veth peer name eth0 netns {topology.host_a.name}"])
    ip_batch(
        ["address add 10.1.0.10/24 dev eth0", "link set eth0 up", "route add default via 10.1.0.1"],
        topology.host_a.name,
    )
    ip_batch(["link set lo up", "address add 10.1.0.1/24 dev lan", "link set lan up"], RED)
    Node(RED, "").set_sysctl(ipv4__ip_forward=1, ipv4__conf__all__rp_filter=0)
    back = time.monotonic()
    eventually(tunnel.problem, lambda found: found is None)
    print(f"the interface is back {time.monotonic() - back:.1f} s after its namespace")
    tunnel.crosses()
