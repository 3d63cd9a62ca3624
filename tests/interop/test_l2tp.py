"""L2TP within IPsec (RFC 3193): xl2tpd and pppd at both ends, ikevd at one of them, strongSwan at the other."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.eventually import eventually
from tests.interop.daemon import Ikevd
from tests.interop.l2tp import CLIENT, INSIDE, PORT, SERVER, Xl2tpd, client_site, server
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
        before, bare = self.net.wire.seen(), self.bare()
        assert self.client.node.ping(INSIDE, count) == count
        seen = self.net.wire.seen() - before
        assert seen.esp + seen.udp_esp >= 2 * count
        assert (seen.clear, self.bare()) == (0, bare)

    def bare(self) -> int:
        """How many packets of L2TP crossed the router in the clear."""
        packets = (frame.packet for frame in self.net.wire.frames())
        return sum(len(packet) > 24 and packet[9] == 17 and PORT.to_bytes(2) in packet[20:24] for packet in packets)

    def start_pings(self) -> subprocess.Popen[str]:
        words = ("ping", "-n", "-q", "-c", str(PINGS), "-i", "0.1", "-W", "10", INSIDE)
        return subprocess.Popen(self.client.node.command(*words), stdout=subprocess.PIPE, text=True)


@pytest.fixture(scope="module", params=["", "a"], ids=["direct", "behind-a-nat"])
def net(request: pytest.FixtureRequest) -> Iterator[Topology]:
    with Topology(nat=request.param) as net:
        yield net


@pytest.fixture(scope="module")
def lns(net: Topology) -> Iterator[Xl2tpd]:
    with Xl2tpd(net.gw_b, SERVER) as lns:
        yield lns


@pytest.fixture
def dialled(net: Topology, lns: Xl2tpd) -> Iterator[Dialled]:
    """A client that has not called yet."""
    net.forget_mappings()
    with Xl2tpd(net.gw_a, CLIENT) as client:
        yield Dialled(net, client)


def test_ikevd_is_the_server(dialled: Dialled) -> None:
    site = client_site(dialled.net, dialled.net.gw_a)
    with StrongSwan(dialled.net.gw_a) as charon, server(dialled.net) as ikevd:
        charon.configure(site)
        charon.bring_up()
        dialled.client.connect()
        dialled.crosses()
        survives_a_kill(dialled, ikevd)
        before = spis(dialled)
        charon.rekey("lan")
        eventually(lambda: spis(dialled), lambda now: len(now - before) == 2)
        dialled.crosses()


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
