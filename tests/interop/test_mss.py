"""Large transfers over a way that takes packets of 1400 octets and tells nobody so, against strongSwan: they complete
with `mss`, policy-based and with a VTI. The kernel of User Mode Linux has no nftables: in the second guest."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from ipaddress import ip_network

import pytest

from ikevd.hooks.nft import text_of
from ikevd.host.clamps import Clamp
from tests.eventually import eventually
from tests.interop.daemon import Ikevd
from tests.interop.node import Node, run
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import Topology

pytestmark = pytest.mark.nftables

NARROW = 1400
OCTETS = 300_000
PORT = 5001
INTERFACE = "interface: {name: tun0, kind: vti, if_id: 42, routes: 10.2.0.0/24}"
PATIENCE = 60.0


@pytest.fixture(scope="module")
def narrow(topology: Topology) -> Iterator[Topology]:
    """The router's links take less than the gateways believe, and it does not say so."""
    router = topology.router
    for side in "ab":
        run("ip", "-n", router.name, "link", "set", "dev", side, "mtu", str(NARROW))
    router.run("iptables-legacy", "-A", "OUTPUT", "-p", "icmp", "--icmp-type", "fragmentation-needed", "-j", "DROP")
    yield topology
    router.run("iptables-legacy", "-F", "OUTPUT")
    for side in "ab":
        run("ip", "-n", router.name, "link", "set", "dev", side, "mtu", "1500")


def site_of(net: Topology, *options: str, interface: bool = False) -> Site:
    everything = (("all", "0.0.0.0/0", "0.0.0.0/0"),)
    site = Site(net.gw_a, net.gw_b, ike="aes128-sha256-curve25519", options=options)
    return replace(site, options=(*options, INTERFACE), children=everything) if interface else site


def peers(site: Site) -> str:
    """What strongSwan has: with all to all, all but its own network, to which it forwards."""
    if not site.children:
        return site.mirrored().swanctl()
    own = f"own {{\n local_ts = 0.0.0.0/0\n remote_ts = {site.there.net}\n mode = pass\n start_action = trap\n}}\n"
    return site.mirrored().swanctl().replace("children { ", f"children {{ {own}")


def transferred(sender: Node, receiver: Node, octets: int = OCTETS, patience: float = PATIENCE) -> int:
    """How many of so many octets come through by TCP."""
    there = receiver.address, PORT
    server = receiver.call(partial(socket.create_server, there))
    server.settimeout(patience)

    def send() -> None:
        with (
            suppress(OSError),
            sender.call(lambda: socket.create_connection((receiver.address, PORT), patience)) as out,
        ):
            out.sendall(bytes(octets))

    sending = threading.Thread(target=send, daemon=True)
    sending.start()
    with server:
        accepted, _ = server.accept()
        with accepted:
            accepted.settimeout(patience)
            received = 0
            try:
                while part := accepted.recv(65_536):
                    received += len(part)
            except TimeoutError:
                return received
    sending.join(patience)
    return received


def table(node: Node) -> str:
    return node.run("nft", "list", "ruleset")


def both_ways(net: Topology) -> list[int]:
    return [transferred(net.host_a, net.host_b), transferred(net.host_b, net.host_a)]


def test_without_it_a_transfer_stalls(narrow: Topology, charon_b: StrongSwan) -> None:
    """Else the others would prove nothing."""
    site = site_of(narrow)
    charon_b.load(peers(site))
    with Ikevd(narrow.gw_a, site.ikevd()) as ikevd:
        ikevd.up("lan")
        assert narrow.host_a.ping(narrow.host_b.address, 2) == 2
        assert transferred(narrow.host_a, narrow.host_b, patience=8) < OCTETS
        assert table(narrow.gw_a) == ""


@pytest.mark.parametrize("initiator", ["ikevd", "strongSwan"])
@pytest.mark.parametrize("interface", [False, True], ids=["policy-based", "VTI"])
def test_with_it_large_transfers_complete_both_ways(
    narrow: Topology, charon_b: StrongSwan, interface: bool, initiator: str
) -> None:
    site = site_of(narrow, "mss: 1280", interface=interface)
    charon_b.load(peers(site))
    child = "all" if interface else "lan"
    with Ikevd(narrow.gw_a, site.ikevd()) as ikevd:
        if initiator == "ikevd":
            ikevd.up(child)
        else:
            charon_b.initiate(child)
        eventually(lambda: "maxseg size set 1280" in table(narrow.gw_a))
        assert both_ways(narrow) == [OCTETS, OCTETS]
    assert table(narrow.gw_a) == ""


def test_auto_is_what_fits_over_the_way_as_this_machine_knows_it(narrow: Topology, charon_b: StrongSwan) -> None:
    site = site_of(narrow, "mss: auto")
    charon_b.load(peers(site))
    narrow.gw_a.ip("link", "set", "dev", "wan", "mtu", str(NARROW))
    try:
        with Ikevd(narrow.gw_a, site.ikevd()) as ikevd:
            ikevd.up("lan")
            eventually(lambda: "maxseg size set 1286" in table(narrow.gw_a))
            assert both_ways(narrow) == [OCTETS, OCTETS]
    finally:
        narrow.gw_a.ip("link", "set", "dev", "wan", "mtu", "1500")


def test_the_mtu_of_a_route_makes_what_is_forwarded_short_enough_for_a_host_that_listens(
    narrow: Topology, charon_b: StrongSwan
) -> None:
    """Without touching the MSS: the gateway itself says that packets are too long."""
    site = site_of(narrow, "route: {source: auto, mtu: 1320}")
    charon_b.load(peers(site))
    with Ikevd(narrow.gw_a, site.ikevd()) as ikevd:
        ikevd.up("lan")
        eventually(lambda: "mtu 1320" in narrow.gw_a.ip("route"))
        assert transferred(narrow.host_a, narrow.host_b) == OCTETS


def test_it_survives_a_kill_and_a_flush_of_all_rules(narrow: Topology, charon_b: StrongSwan) -> None:
    site = site_of(narrow, "mss: 1280")
    charon_b.load(peers(site))
    with Ikevd(narrow.gw_a, site.ikevd(), store=True) as ikevd:
        ikevd.up("lan")
        stands = eventually(lambda: table(narrow.gw_a))
        ikevd.kill()
        assert table(narrow.gw_a) == stands
        ikevd.start()
        eventually(lambda: table(narrow.gw_a), lambda found: found == stands)
        narrow.gw_a.run("nft", "flush", "ruleset")
        eventually(lambda: table(narrow.gw_a), lambda found: found == stands)
        ikevd.kill()
        configuration = ikevd.directory / "ikevd.yaml"
        configuration.write_text(configuration.read_text().replace("mss: 1280", ""))
        ikevd.start()
        eventually(lambda: table(narrow.gw_a) == "")


def test_nft_needs_no_root_and_no_capability_but_net_admin(narrow: Topology) -> None:
    """As the unit runs it."""
    given = ("--ambient-caps", "+net_admin", "--inh-caps", "-all,+net_admin", "--bounding-set", "-all,+net_admin")
    user = ("setpriv", "--reuid", "1234", "--regid", "1234", "--clear-groups", *given, "--no-new-privs")
    text = text_of("ikevd", [Clamp(1280, 4, "peer", None, (ip_network("10.1.0.0/24"),), (ip_network("10.2.0.0/24"),))])
    narrow.gw_a.run(*user, "nft", "-f", "-", text=text)
    assert "maxseg size set 1280" in table(narrow.gw_a)
    narrow.gw_a.run(*user, "nft", "-f", "-", text=text_of("ikevd", []))
    assert table(narrow.gw_a) == ""
