"""The two sites of `config/examples/dynamic-routing`, word for word: BIRD on both gateways finds the way over two
tunnels between ikevd and strongSwan, and the other one when the first is cut. They print how long no packet crossed."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.interop.bird import Bird
from tests.interop.daemon import Ikevd
from tests.interop.node import Node, ip_batch
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import Topology
from tests.plugins.secrets import MARK

EXAMPLE = Path(__file__).resolve().parents[2] / "config" / "examples" / "dynamic-routing"
KEY = f"{MARK}.Gpu9dJwJ5qVh3yzbRkTe"
INTERVAL = 0.1
"""Seconds between two pings."""
CHILDREN = ("all1", "all2")
FIRST, SECOND = ("berlin1", "paris1"), ("berlin2", "paris2")
Changes = Mapping[str, str]
"""What stands in the example, and what stands in its place."""


def example(name: str, changes: Changes | None = None) -> str:
    """The file, in which all of that stands."""
    text = (EXAMPLE / name).read_text()
    for there, instead in (changes or {}).items():
        assert there in text
        text = text.replace(there, instead)
    return text


@dataclass(frozen=True)
class Routing:
    """Which files of the example, and what in them is otherwise."""

    name: str
    ours: str
    theirs: str
    neighbours: tuple[tuple[str, str], ...]
    """What is asked of BIRD, and the word that stands twice in its answer where both tunnels have a neighbour."""
    bird: Changes = field(default_factory=dict)
    ikevd: Changes = field(default_factory=dict)
    charon: Changes = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


OSPF = Routing("OSPF, dead after 4 s", "bird.conf", "peer-bird.conf", (("show ospf neighbors", "Full"),))
ESTABLISHED, ALIVE = ("show protocols", "Established"), ("show bfd sessions", " Up ")
BGP = Routing("BGP with BFD", "bird-bgp.conf", "peer-bird-bgp.conf", (ESTABLISHED, ALIVE))
NO_DPD: Changes = {"mode: periodic, delay: 2s, timeout: 4s": "mode: off"}
NO_DPD_THERE: Changes = {"dpd_delay = 2s": "dpd_delay = 0s"}
NO_BFD: Changes = {"  bfd;\n": ""}
SLOW_OSPF: Changes = {"hello 1; dead 4;": "hello 10; dead 40;"}


@dataclass(frozen=True)
class Sites:
    """Both sites, with two tunnels and BIRD on each side."""

    topology: Topology
    ikevd: Ikevd
    charon: StrongSwan
    birds: tuple[Bird, ...]
    routing: Routing

    def begin_there(self) -> None:
        """strongSwan makes the tunnels."""
        for child in CHILDREN:
            self.charon.initiate(child)

    def ways(self) -> tuple[str, str]:
        """The interfaces through which the gateways send to each other's network; empty: none."""
        a, b = self.topology.gw_a, self.topology.gw_b
        return _way(a, b.net), _way(b, a.net)

    def settled(self) -> bool:
        """Does the first tunnel carry what they have for each other, and BIRD know the second one?"""
        asked = ((bird, *what) for bird in self.birds for what in self.routing.neighbours)
        return self.ways() == FIRST and all(bird.ask(*words.split()).count(word) == 2 for bird, words, word in asked)

    def crosses(self) -> None:
        before = self.topology.wire.seen()
        assert self.topology.host_a.ping(self.topology.host_b.address, 3) == 3
        assert self.topology.host_b.ping(self.topology.host_a.address, 3) == 3
        assert (self.topology.wire.seen() - before).clear == 0

    @contextmanager
    def cut(self) -> Iterator[None]:
        """The first tunnel: nothing of it crosses the router any more, which tells nobody."""
        rules = [["FORWARD", "-d", address, "-j", "DROP"] for address in ("192.0.2.1", "198.51.100.1")]
        for rule in rules:
            self.topology.router.run("iptables-legacy", "-I", *rule)
        try:
            yield
        finally:
            for rule in rules:
                self.topology.router.run("iptables-legacy", "-D", *rule)

    def gap_at_a_cut(self) -> float:
        """Cut the first tunnel, until both go over the second one; seconds for which no packet crossed there and back.
        In the clear none left."""
        before = self.topology.wire.seen().clear
        with self.pinging() as pinging, self.cut():
            eventually(self.ways, SECOND.__eq__)
            self.crosses()
            pinging.send_signal(signal.SIGINT)
            told, _ = pinging.communicate(timeout=60)
        assert self.topology.wire.seen().clear == before
        answered = [int(number) for number in re.findall(r"icmp_seq=(\d+) ttl", told)]
        assert answered, told
        return max(later - earlier - 1 for earlier, later in pairwise([0, *answered])) * INTERVAL

    @contextmanager
    def pinging(self) -> Iterator[subprocess.Popen[str]]:
        """Host A, host B."""
        words = ("ping", "-n", "-i", str(INTERVAL), self.topology.host_b.address)
        with subprocess.Popen(self.topology.host_a.command(*words), stdout=subprocess.PIPE, text=True) as pinging:
            try:
                yield pinging
            finally:
                pinging.kill()


def _way(node: Node, net: str) -> str:
    """By the best of the routes to just that network."""
    found = node.ip("route", "show", "to", "exact", net).splitlines()
    return next((way[1] for line in found if (way := re.search(r" dev (\S+)", line))), "")


@pytest.fixture(scope="module")
def charon(topology: Topology) -> Iterator[StrongSwan]:
    """strongSwan on gateway B. Both gateways have two addresses, and there the VTIs are made."""
    topology.gw_a.ip("address", "add", "192.0.2.2/24", "dev", "wan")
    topology.gw_b.ip("address", "add", "198.51.100.2/24", "dev", "wan")
    ip_batch((EXAMPLE / "peer.ip").read_text().splitlines(), topology.gw_b.name)
    with StrongSwan(topology.gw_b, settings="install_routes = no") as charon:
        yield charon


@contextmanager
def sites(topology: Topology, charon: StrongSwan, routing: Routing) -> Iterator[Sites]:
    """Once both tunnels stand and the first one carries what the sites have for each other."""
    here, there = topology.gw_a, topology.gw_b
    changes = {"PRE-SHARED-KEY": KEY, "/etc/swanctl/peer-updown": str(EXAMPLE / "peer-updown")}
    charon.load(example("swanctl.conf", {**changes, **routing.charon}))
    with ExitStack() as stack:
        text = example("ikevd.yaml", routing.ikevd)
        ikevd = stack.enter_context(Ikevd(here, text, files={"berlin.psk": KEY}, store=True))
        pairs = ((here, routing.ours), (there, routing.theirs))
        birds = tuple(stack.enter_context(Bird(node, example(file, routing.bird))) for node, file in pairs)
        found = Sites(topology, ikevd, charon, birds, routing)
        if routing.ikevd.get("start: always") == "start: manual":
            found.begin_there()
        eventually(found.settled)
        yield found
    charon.reset()


# -- tests -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("begins", ["ikevd", "strongSwan"])
def test_bgp_finds_the_second_tunnel_when_the_first_is_cut(topology: Topology, charon: StrongSwan, begins: str) -> None:
    changes = {"start: always": "start: manual"} if begins == "strongSwan" else {}
    with sites(topology, charon, replace(BGP, ikevd=changes)) as both:
        both.crosses()
        print(f"{BGP}, begun by {begins}: {both.gap_at_a_cut():.1f} s without a packet")


@pytest.mark.soak
@pytest.mark.parametrize("kind", ["vti", pytest.param("xfrm", marks=pytest.mark.xfrm_interface)])
@pytest.mark.parametrize("begins", ["ikevd", "strongSwan"])
def test_ospf_does_too(topology: Topology, charon: StrongSwan, kind: str, begins: str) -> None:
    changes = {"name: berlin": f"kind: {kind}\n      name: berlin"}
    changes |= {"start: always": "start: manual"} if begins == "strongSwan" else {}
    with sites(topology, charon, replace(OSPF, ikevd=changes)) as both:
        both.crosses()
        print(f"{OSPF}, {kind}, begun by {begins}: {both.gap_at_a_cut():.1f} s without a packet")


@pytest.mark.soak
@pytest.mark.parametrize(
    "routing",
    [
        OSPF,
        replace(OSPF, name="OSPF, dead after 40 s, DPD after 6 s", bird=SLOW_OSPF),
        replace(OSPF, name="OSPF, dead after 40 s, no DPD", bird=SLOW_OSPF, ikevd=NO_DPD, charon=NO_DPD_THERE),
        BGP,
        replace(BGP, name="BGP, DPD after 6 s", neighbours=(ESTABLISHED,), bird=NO_BFD),
        replace(BGP, name="BGP, no DPD", neighbours=(ESTABLISHED,), bird=NO_BFD, ikevd=NO_DPD, charon=NO_DPD_THERE),
    ],
    ids=str,
)
@pytest.mark.timeout(300)
def test_the_traffic_goes_back_when_the_first_tunnel_is_there_again(
    topology: Topology, charon: StrongSwan, routing: Routing
) -> None:
    with sites(topology, charon, routing) as both:
        both.crosses()
        gap, healed = both.gap_at_a_cut(), time.monotonic()
        eventually(both.settled, within=120)
        both.crosses()
        print(f"{routing}: {gap:.1f} s without a packet; back after {time.monotonic() - healed:.1f} s")


def test_routing_does_not_notice_that_ikevd_is_killed(topology: Topology, charon: StrongSwan) -> None:
    with sites(topology, charon, BGP) as both, both.pinging() as pinging:
        before = both.birds[0].ask("show", "route", "all")
        both.ikevd.kill()
        both.ikevd.start()
        pinging.send_signal(signal.SIGINT)
        told, _ = pinging.communicate(timeout=60)
        assert " 0% packet loss" in told
        assert both.birds[0].ask("show", "route", "all") == before
