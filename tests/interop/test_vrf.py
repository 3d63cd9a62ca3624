"""The peer is reached in a VRF, what is protected is not: strongSwan as the peer, in both roles."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.eventually import eventually
from tests.interop.daemon import Ikevd
from tests.interop.node import ip_batch
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import Topology

VRF, TABLE, MARK, THEIRS = "internet", 100, 5, 77
LISTEN = f"listen: {{vrf: {VRF}}}\n"
INTERFACE = "interface: {{name: tun0, kind: {}, routes: 10.2.0.0/24}}"
EVERYTHING = ("all", "0.0.0.0/0", "0.0.0.0/0")
BOTH_ROLES = pytest.mark.parametrize("begins", ["ikevd", "strongSwan"])


@pytest.fixture(scope="module")
def topology() -> Iterator[Topology]:
    """The wide side of gateway A is in a VRF."""
    with Topology() as net:
        put_into_vrf(net)
        yield net


def put_into_vrf(net: Topology) -> None:
    make = [f"link add {VRF} type vrf table {TABLE}", f"link set {VRF} up", f"link set wan master {VRF}"]
    ip_batch([*make, f"route add default via 192.0.2.254 table {TABLE}"], net.gw_a.name)


@pytest.fixture(scope="module")
def charon(topology: Topology) -> Iterator[StrongSwan]:
    """On gateway B, with a VTI."""
    make = f"link add theirs type vti local 198.51.100.1 remote 192.0.2.1 key {THEIRS}"
    ip_batch([make, "link set theirs up", "route add 10.1.0.0/24 dev theirs"], topology.gw_b.name)
    with StrongSwan(topology.gw_b, settings="install_routes = no") as charon:
        yield charon


def routed(topology: Topology, kind: str, *options: str) -> Site:
    return Site(topology.gw_a, topology.gw_b, children=(EVERYTHING,), options=(INTERFACE.format(kind), *options))


@contextmanager
def up(site: Site, charon: StrongSwan, begins: str, text: str = "") -> Iterator[Ikevd]:
    """The tunnel; strongSwan has its side of it on a VTI."""
    bound = f"mark_in = {THEIRS}\n mark_out = {THEIRS}\n esp_proposals"
    charon.load(site.mirrored().swanctl().replace("esp_proposals", bound))
    child = site.nets[0][0]
    with Ikevd(site.here, (text or site.ikevd()) + LISTEN, store=True) as ikevd:
        if begins == "ikevd":
            ikevd.up(child)
        else:
            charon.initiate(child)
            eventually(lambda: ikevd.command("status", child).exit_code, (0).__eq__)
        yield ikevd
    charon.reset()


def crosses(topology: Topology, *, udp: bool = False) -> None:
    eventually(lambda: topology.host_a.ping(topology.host_b.address, 1, wait=1) == 1)
    before = topology.wire.seen()
    assert topology.host_a.ping(topology.host_b.address, 3) == 3
    assert topology.host_b.ping(topology.host_a.address, 3) == 3
    seen = topology.wire.seen() - before
    assert (seen.udp_esp if udp else seen.esp, seen.clear) == (12, 0)


@contextmanager
def lines(topology: Topology, *added: str) -> Iterator[None]:
    """Of `ip` on gateway A, undone afterwards."""
    ip_batch(added, topology.gw_a.name)
    yield
    ip_batch((line.replace(" add ", " del ") for line in added), topology.gw_a.name)


@pytest.fixture
def marked_by_the_table(topology: Topology) -> Iterator[None]:
    with lines(topology, f"rule add fwmark {MARK} lookup {TABLE}"):
        yield


def with_a_mark(site: Site) -> str:
    return site.ikevd().replace("start: manual", f"start: manual, set_mark_out: {MARK}")


@BOTH_ROLES
@pytest.mark.xfrm_interface
def test_esp_of_an_xfrm_interface_leaves_in_the_vrf(topology: Topology, charon: StrongSwan, begins: str) -> None:
    with up(routed(topology, "xfrm"), charon, begins):
        crosses(topology)


@BOTH_ROLES
@pytest.mark.parametrize("encap", ["auto", "force"])
@pytest.mark.usefixtures("marked_by_the_table")
def test_that_of_a_vti_does_so_by_a_mark(topology: Topology, charon: StrongSwan, begins: str, encap: str) -> None:
    site = routed(topology, "vti", f"encap: {encap}")
    with up(site, charon, begins, with_a_mark(site)):
        crosses(topology, udp=encap == "force")


@BOTH_ROLES
def test_that_of_a_policy_does_where_both_tables_have_its_networks(
    topology: Topology, charon: StrongSwan, begins: str
) -> None:
    site = Site(topology.gw_a, topology.gw_b, options=("route: auto",))
    with lines(topology, f"route add 10.1.0.0/24 dev lan table {TABLE}"), up(site, charon, begins):
        crosses(topology)


@pytest.mark.usefixtures("marked_by_the_table")
def test_no_packet_of_esp_in_udp_is_lost_while_another_process_takes_over(
    topology: Topology, charon: StrongSwan
) -> None:
    site = routed(topology, "vti", "encap: force")
    with up(site, charon, "ikevd", with_a_mark(site)) as ikevd:
        crosses(topology, udp=True)
        words = ("ping", "-n", "-q", "-i", "0.1", topology.host_b.address)
        with subprocess.Popen(topology.host_a.command(*words), stdout=subprocess.PIPE, text=True) as pinging:
            ikevd.kill()
            ikevd.start()
            pinging.send_signal(signal.SIGINT)
            told, _ = pinging.communicate(timeout=60)
        sent, received = map(int, re.findall(r"(\d+) (?:packets transmitted|received)", told))
        assert sent - received <= 1, told


def test_a_vrf_that_is_made_anew_is_listened_in_again() -> None:
    """Its index is another one, and the sockets of the former one are deaf."""
    with Topology() as net, StrongSwan(net.gw_b) as peer:
        put_into_vrf(net)
        site = Site(net.gw_a, net.gw_b)
        peer.configure(site.mirrored())
        with Ikevd(net.gw_a, site.ikevd() + LISTEN) as ikevd:
            ikevd.up("lan")
            assert ikevd.command("down", "lan").exit_code == 0
            net.gw_a.ip("link", "delete", VRF)
            eventually(lambda: f"the VRF {VRF} is gone: no peer is heard until it is back" in ikevd.log)
            put_into_vrf(net)
            eventually(lambda: ikevd.command("up", "lan").exit_code, (0).__eq__)
            assert ikevd.log.count("is gone: no peer is heard") == 1


def test_without_its_vrf_it_says_so_and_does_not_start(topology: Topology) -> None:
    site = Site(topology.host_a, topology.gw_b, children=(EVERYTHING,), options=(INTERFACE.format("xfrm"),))
    told = f"cannot listen in the VRF {VRF}: this machine has none of that name"
    with pytest.raises(AssertionError, match=told), Ikevd(topology.host_a, site.ikevd() + LISTEN):
        pass


def test_an_interface_that_is_no_vrf_is_refused_in_words(topology: Topology) -> None:
    site = Site(topology.gw_b, topology.gw_a)
    told = r"cannot listen in the VRF wan: it is none \(veth\)"
    with pytest.raises(AssertionError, match=told), Ikevd(topology.gw_b, site.ikevd() + "listen: {vrf: wan}\n"):
        pass
