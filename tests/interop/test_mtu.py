"""A way that takes 1400 octets: large TCP transfers through a route-based tunnel complete both ways, since its
interface takes no more than fits. Else they hang where routers tell nothing."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import product

import pytest

from tests.eventually import eventually
from tests.interop.daemon import Ikevd
from tests.interop.node import Node
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan
from tests.interop.test_route_based import CHILDREN, links, site_of, with_an_interface_of_its_own
from tests.interop.topology import Topology

NARROW = 1400
SIZE = 500_000
PORT = 5001
TOLD = ("-p", "icmp", "--icmp-type", "fragmentation-needed")


@pytest.fixture(scope="module")
def narrow() -> Iterator[Topology]:
    """Between the router and gateway B."""
    with Topology(ipv6=True) as net:
        net.router.ip("link", "set", "dev", "b", "mtu", str(NARROW))
        net.gw_b.ip("link", "set", "dev", "wan", "mtu", str(NARROW))
        yield net


@pytest.fixture(scope="module")
def charon(narrow: Topology) -> Iterator[StrongSwan]:
    """With a VTI of its own, which knows that its link takes 1400."""
    with StrongSwan(narrow.gw_b, settings="install_routes = no") as charon:
        charon.load(with_an_interface_of_its_own(site_of(narrow, "vti"), "vti"))
        yield charon


@pytest.fixture
def silent(narrow: Topology) -> Iterator[None]:
    """The router drops what does not fit, and says nothing, as many firewalls have it."""
    narrow.router.run("iptables-legacy", "-A", "OUTPUT", *TOLD, "-j", "DROP")
    yield
    narrow.router.run("iptables-legacy", "-D", "OUTPUT", *TOLD, "-j", "DROP")


@pytest.fixture(autouse=True)
def fresh(narrow: Topology) -> None:
    """Nobody remembers what a router told in the test before."""
    for node, version in product((narrow.host_a, narrow.gw_a, narrow.gw_b, narrow.host_b), ("-4", "-6")):
        node.ip(version, "route", "flush", "cache")


@contextmanager
def tunnel(site: Site) -> Iterator[int]:
    """Up; the MTU of ikevd's interface."""
    with Ikevd(site.here, site.ikevd()) as ikevd:
        for child in CHILDREN:
            ikevd.up(child)
        eventually(lambda: "UP" in links(site.here)["tun0"])
        yield int(site.here.ip("-o", "link", "show", "tun0").partition(" mtu ")[2].split()[0])


def both_ways(net: Topology) -> list[int]:
    """How many octets of a transfer arrive: from A to B and from B to A, IPv4, then IPv6."""
    ends = ((net.host_a, net.host_b), (net.host_b, net.host_a))
    return [arriving(one, other, address(other)) for address in (_four, _six) for one, other in ends]


def _four(node: Node) -> str:
    return node.address


def _six(node: Node) -> str:
    return node.address6


def arriving(sender: Node, receiver: Node, address: str, wait: float = 20) -> int:
    """Until the sender closes, or for so many seconds nothing comes."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listening = receiver.call(lambda: socket.create_server((address, PORT), family=family))
    sending = sender.call(lambda: socket.create_connection((address, PORT), timeout=wait))
    with listening, sending:
        received, _ = listening.accept()
        received.settimeout(wait)
        thread = threading.Thread(target=_send, args=(sending,))
        thread.start()
        with received:
            count = _count(lambda: received.recv(65536))
        thread.join()
        return count


def _send(sending: socket.socket) -> None:
    try:
        sending.sendall(bytes(SIZE))
        sending.shutdown(socket.SHUT_WR)
    except OSError:  # the receiver has waited long enough
        pass


def _count(receive: Callable[[], bytes]) -> int:
    count = 0
    try:
        while data := receive():
            count += len(data)
    except TimeoutError:
        pass
    return count


def largest(net: Topology) -> int:
    """Packet that reached the router."""
    return max(len(frame.packet) for frame in net.wire.frames())


def test_of_a_route_that_knows_it_the_interface_knows_it_too(
    narrow: Topology, charon: StrongSwan, silent: None
) -> None:
    way = ("route", "replace", "198.51.100.0/24", "via", "192.0.2.254", "mtu", str(NARROW))
    narrow.gw_a.ip(*way)
    try:
        narrow.wire.forget()
        with tunnel(site_of(narrow, "vti")) as mtu:
            assert mtu == 1326
            assert both_ways(narrow) == [SIZE] * 4
            assert largest(narrow) <= NARROW
    finally:
        narrow.gw_a.ip("route", "del", "198.51.100.0/24")


def test_the_file_may_say_it(narrow: Topology, charon: StrongSwan, silent: None) -> None:
    site = site_of(narrow, "vti")
    site = replace(
        site, options=tuple(option.replace("name: tun0", "name: tun0, mtu: 1320") for option in site.options)
    )
    narrow.wire.forget()
    with tunnel(site) as mtu:
        assert mtu == 1320
        assert both_ways(narrow) == [SIZE] * 4
        assert largest(narrow) <= NARROW


def test_a_router_tells_it(narrow: Topology, charon: StrongSwan) -> None:
    with tunnel(site_of(narrow, "vti")) as mtu:
        assert mtu == 1438
        assert both_ways(narrow) == [SIZE] * 4


def test_where_nobody_tells_it_large_packets_are_lost(narrow: Topology, charon: StrongSwan, silent: None) -> None:
    with tunnel(site_of(narrow, "vti")) as mtu:
        assert mtu == 1438
        assert arriving(narrow.host_a, narrow.host_b, narrow.host_b.address, wait=3) < SIZE
        assert narrow.host_a.ping(narrow.host_b.address, 3) == 3
