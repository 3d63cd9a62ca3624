"""A child on demand against strongSwan: a ping brings it up, the trap is back when it goes, nothing leaves our side
in the clear; what the peer may send so while it installs a pair is not counted."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.eventually import eventually
from tests.interop.daemon import Ikevd
from tests.interop.node import Node
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan
from tests.interop.told import state
from tests.interop.topology import Topology

PINGS, INTERVAL = 25, 0.1


@pytest.fixture
def site(topology: Topology) -> Site:
    return Site(topology.gw_a, topology.gw_b, start="on-demand")


def gate(node: Node) -> set[tuple[str, str]]:
    return {policy.gate for policy in node.xfrm_policy() if policy.gate}


def lost_pings(topology: Topology, *, wait: int = 5) -> int:
    """Of PINGS from host to host. `wait`: seconds for an answer to the last one."""
    command = ("ping", "-n", "-q", "-c", str(PINGS), "-i", str(INTERVAL), "-W", str(wait), topology.host_b.address)
    received = re.search(r"(\d+) received", topology.host_a.run(*command, check=False))
    assert received is not None
    return PINGS - int(received[1])


TRAP = {("in", "allow"), ("fwd", "allow"), ("out", "allow")}


@pytest.mark.parametrize(("larval_drop", "least"), [(1, 1), (0, 0)], ids=["dropped", "kept"])
def test_a_ping_brings_it_up_and_what_the_first_packets_meet_is_as_the_manual_says(
    topology: Topology, charon_b: StrongSwan, site: Site, larval_drop: int, least: int
) -> None:
    """`net.core.xfrm_larval_drop`: 1 drops packets until the tunnel stands, 0 keeps up to 100 of each policy. These
    may all overtake message 3 of Quick Mode, before which strongSwan receives nothing."""
    site.here.set_sysctl(core__xfrm_larval_drop=larval_drop)
    charon_b.load(site.mirrored().swanctl())
    with Ikevd(site.here, site.ikevd()) as ikevd:
        eventually(lambda: (state(ikevd), gate(site.here), site.here.xfrm_state()) == ("waiting", TRAP, []))
        before = topology.wire.clear_from(site.here.net)
        count = lost_pings(topology)
        print(f"xfrm_larval_drop {larval_drop}: {count} of {PINGS} pings lost, one each {INTERVAL} s")
        assert state(ikevd) == "up"
        charon_b.wait_for_children(1)
        assert least <= count < PINGS
        assert topology.host_a.ping(topology.host_b.address, 3) == 3
        asks = f"a packet from {topology.host_a.address} to {topology.host_b.address} (protocol 1) asks for lan"
        assert asks in ikevd.log
        assert topology.wire.clear_from(site.here.net) == before
    site.here.set_sysctl(core__xfrm_larval_drop=1)


def test_the_trap_is_back_after_the_peers_delete(topology: Topology, charon_b: StrongSwan, site: Site) -> None:
    charon_b.load(site.mirrored().swanctl())
    with Ikevd(site.here, site.ikevd()) as ikevd:
        before = topology.wire.clear_from(site.here.net)
        for _ in range(2):  # the second time after a pause: the peer has ended the first pair within seconds
            assert topology.host_a.ping(topology.host_b.address, 2 * PINGS, interval=INTERVAL)
            charon_b.wait_for_children(1)
            eventually(lambda: state(ikevd), lambda seen: seen == "up")
            charon_b.terminate(child="lan")
            eventually(lambda: state(ikevd), lambda seen: seen == "waiting")
            assert gate(site.here) == TRAP
            assert site.here.xfrm_state() == []
        assert topology.wire.clear_from(site.here.net) == before


def test_what_asked_while_no_ikevd_ran_counts(topology: Topology, charon_b: StrongSwan, site: Site) -> None:
    """The kernel asks once in 30 s. It keeps that only where some program listens: here `ip xfrm monitor`."""
    charon_b.load(site.mirrored().swanctl())
    with Ikevd(site.here, site.ikevd(), store=True) as ikevd:
        eventually(lambda: gate(site.here) == TRAP)  # it answers a moment before
        ikevd.kill()
        monitor = subprocess.Popen(site.here.command("ip", "xfrm", "monitor", "acquire"), stdout=subprocess.DEVNULL)
        try:
            eventually(lambda: topology.host_a.ping(topology.host_b.address, 1, wait=1) or site.here.xfrm_state())
        finally:
            monitor.kill()
            monitor.wait()
        ikevd.start()
        eventually(lambda: state(ikevd), lambda seen: seen == "up")
        charon_b.wait_for_children(1)
        assert "a packet that came before ikevd listened asks for lan" in ikevd.log


def test_an_idle_child_ends_and_the_next_ping_brings_it_up_again(
    topology: Topology, charon_b: StrongSwan, site: Site
) -> None:
    charon_b.load(site.mirrored().swanctl())
    with Ikevd(site.here, site.ikevd().replace("start: on-demand", "start: on-demand, inactivity: 10s")) as ikevd:
        before = topology.wire.clear_from(site.here.net)
        eventually(lambda: topology.host_a.ping(topology.host_b.address, 1, wait=1))
        eventually(lambda: state(ikevd), lambda seen: seen == "up")
        eventually(lambda: state(ikevd), lambda seen: seen == "waiting")
        assert "no packet either way for 10 s" in ikevd.command("status").stdout
        charon_b.wait_for_children(0)
        eventually(lambda: topology.host_a.ping(topology.host_b.address, 1, wait=1))
        eventually(lambda: state(ikevd), lambda seen: seen == "up")
        assert topology.wire.clear_from(site.here.net) == before


def test_while_the_peer_is_away_nothing_leaves_in_the_clear(topology: Topology, site: Site) -> None:
    with Ikevd(site.here, site.ikevd()) as ikevd:
        before = topology.wire.clear_from(site.here.net)
        assert lost_pings(topology, wait=1) == PINGS
        eventually(lambda: state(ikevd), lambda seen: seen == "waiting")
        assert lost_pings(topology, wait=1) == PINGS
        assert topology.wire.clear_from(site.here.net) == before
