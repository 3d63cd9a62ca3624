"""L2TP within IPsec (RFC 3193): xl2tpd and pppd at both ends, ikevd at one of them, strongSwan at the other."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.eventually import eventually
from tests.interop.daemon import Ikevd
from tests.interop.l2tp import CLIENT, EXAMPLE, INSIDE, PORT, SERVER, Xl2tpd, bare, client_site, server
from tests.interop.node import Node
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import Topology

PINGS = 40


@dataclass(frozen=True)
class Dialled:
    """A client and its server, both with xl2tpd."""

    net: Topology
    client: Xl2tpd

    def crosses(self, count: int = 3) -> None:
        """Through PPP, in L2TP, in ESP; nothing of it in the clear."""
        before, in_the_clear = self.net.wire.seen(), bare(self.net)
        assert self.client.node.ping(INSIDE, count) == count
        seen = self.net.wire.seen() - before
        assert seen.esp + seen.udp_esp >= 2 * count
        assert (seen.clear, bare(self.net)) == (0, in_the_clear)

    def start_pings(self) -> subprocess.Popen[str]:
        words = ("ping", "-n", "-q", "-c", str(PINGS), "-i", "0.1", "-W", "10", INSIDE)
        return subprocess.Popen(self.client.node.command(*words), stdout=subprocess.PIPE, text=True)


@pytest.fixture(scope="module", params=["", "a"], ids=["direct", "behind-a-nat"])
def net(request: pytest.FixtureRequest) -> Iterator[Topology]:
    with Topology(nat=request.param) as net:
        yield net


@pytest.fixture
def firewall(net: Topology) -> Iterator[None]:
    """Of the server."""
    net.gw_b.run("iptables-legacy-restore", "--noflush", text=(EXAMPLE / "firewall.iptables").read_text())
    yield
    net.gw_b.run("iptables-legacy", "-F", "INPUT")


@pytest.fixture
def dialled(net: Topology) -> Iterator[Dialled]:
    """A client that has not called yet, and its server."""
    net.forget_mappings()
    with Xl2tpd(net.gw_b, SERVER), Xl2tpd(net.gw_a, CLIENT) as client:
        yield Dialled(net, client)


def test_ikevd_is_the_server(dialled: Dialled, firewall: None) -> None:
    site = client_site(dialled.net, dialled.net.gw_a)
    with StrongSwan(dialled.net.gw_a) as charon, server(dialled.net) as ikevd:
        charon.configure(site)
        charon.bring_up()
        dialled.client.connect()
        dialled.crosses()
        survives_a_kill(dialled, ikevd)


@pytest.mark.soak
def test_a_call_goes_on_when_its_sas_are_rekeyed(dialled: Dialled) -> None:
    site = client_site(dialled.net, dialled.net.gw_a)
    with StrongSwan(dialled.net.gw_a) as charon, server(dialled.net):
        charon.configure(site)
        charon.bring_up()
        dialled.client.connect()
        before = spis(dialled)
        charon.rekey("lan")
        eventually(lambda: spis(dialled), lambda now: len(now - before) == 2)
        dialled.crosses()


def test_what_comes_without_ipsec_the_firewall_drops(net: Topology, firewall: None) -> None:
    def in_the_clear() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(b"in the clear", (net.gw_b.address, PORT))

    net.gw_a.call(in_the_clear)
    _, dropped = eventually(lambda: counts(net.gw_b), lambda counted: sum(counted) > 0)
    assert dropped == 1


def counts(node: Node) -> list[int]:
    """Packets that each rule of INPUT met."""
    _, _, *rules = node.run("iptables-legacy", "-nvxL", "INPUT").splitlines()
    return [int(rule.split()[0]) for rule in rules]


@pytest.mark.soak
def test_ikevd_is_the_client(dialled: Dialled) -> None:
    site = client_site(dialled.net, dialled.net.gw_a)
    with StrongSwan(dialled.net.gw_b) as charon, Ikevd(dialled.net.gw_a, site.ikevd(), store=True) as ikevd:
        charon.configure(site.mirrored())
        ikevd.up("lan")
        dialled.client.connect()
        dialled.crosses()
        survives_a_kill(dialled, ikevd)


def spis(dialled: Dialled) -> set[int]:
    """Of the server."""
    return {state.spi for state in dialled.net.gw_b.xfrm_state()}


def survives_a_kill(dialled: Dialled, ikevd: Ikevd) -> None:
    with dialled.start_pings() as pinging:
        ikevd.kill()
        ikevd.start()
        told, _ = pinging.communicate(timeout=60)
    assert f"{PINGS} received" in told
    dialled.crosses()
