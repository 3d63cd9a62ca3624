"""A machine with ikevd is switched on and off: from its first packet on none leaves in the clear; the peer is told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ikevd.cli.run import UNUSABLE
from tests.eventually import eventually
from tests.interop.flood_ping import pinging
from tests.interop.machine import UNITS, Machine
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import Topology

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]

OFTEN = 0.05
"""Seconds between two pings."""
ALL_UNITS = ("ikevd", "ikevd-boot", "ikevd-shutdown")
FOUND = "/var/log/policies-before-the-network"
NETWORK = f"""
[Unit]
Description=What every configurator of networks does
DefaultDependencies=no
Conflicts=shutdown.target
After=network-pre.target
Wants=network.target network-online.target
Before=network.target network-online.target shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=sh -c 'ip xfrm policy > {FOUND}'
ExecStart=ip link set dev wan up
ExecStart=ip route replace default via 192.0.2.254
ExecStop=ip link set dev wan down

[Install]
WantedBy=multi-user.target
"""


@pytest.fixture
def site(topology: Topology, charon_b: StrongSwan) -> Site:
    """Of which strongSwan has its half."""
    site = Site(topology.gw_a, topology.gw_b, start="always")
    charon_b.load(site.mirrored().swanctl())
    return site


@pytest.fixture(scope="module")
def installed(topology: Topology) -> Iterator[Machine]:
    with Machine(topology.gw_a) as machine:
        machine.write(f"{UNITS}/test-network.service", NETWORK)
        machine.enable("test-network")
        machine.enable("ikevd")
        yield machine


@pytest.fixture
def machine(installed: Machine, topology: Topology, charon_b: StrongSwan, site: Site) -> Iterator[Machine]:
    """Off. It was on, and its tunnel came up by itself."""
    installed.configure(site.ikevd())
    if not installed.has("/var/lib/ikevd/blocks"):
        installed.node.ip("link", "set", "dev", "wan", "down")
        installed.switch_on()
        charon_b.wait_for_children(1)
        installed.switch_off()
        eventually(lambda: charon_b.list_sas() == [])
    yield installed
    if installed.is_on:
        installed.switch_off()


def test_nothing_leaves_in_the_clear_from_power_on_to_the_tunnel(
    topology: Topology, charon_b: StrongSwan, machine: Machine
) -> None:
    before = topology.wire.seen()
    with pinging(topology.host_a, topology.host_b.address, interval=OFTEN):
        machine.switch_on()
        charon_b.wait_for_children(1)
        eventually(lambda: (topology.wire.seen() - before).esp > 0)
    assert (topology.wire.seen() - before).clear == 0
    found = machine.run("cat", FOUND)
    assert "src 10.1.0.0/24 dst 10.2.0.0/24" in found, "else nothing but luck kept packets back"
    assert "action block" in found
    assert [machine.show("ActiveState", unit) for unit in ALL_UNITS] == ["active"] * 3


def test_nothing_leaves_in_the_clear_where_the_file_cannot_be_used(
    topology: Topology, charon_b: StrongSwan, machine: Machine, site: Site
) -> None:
    machine.configure("connections: {peer: {}}\n")
    before = topology.wire.seen()
    with pinging(topology.host_a, topology.host_b.address, interval=OFTEN):
        machine.switch_on()
        assert topology.gw_a.ping(topology.gw_b.address, 3) == 3
    assert machine.show("ExecMainStatus") == str(UNUSABLE)
    assert topology.host_a.ping(topology.host_b.address, 3, wait=1) == 0
    assert (topology.wire.seen() - before).clear == 0
    machine.configure(site.ikevd())
    machine.systemctl("start", "ikevd")
    charon_b.wait_for_children(1)
    assert topology.host_a.ping(topology.host_b.address, 3) == 3


def test_at_power_off_the_peer_hears_delete_and_at_a_restart_it_does_not(
    topology: Topology, charon_b: StrongSwan, machine: Machine
) -> None:
    machine.switch_on()
    charon_b.wait_for_children(1)
    runs = [machine.show("InvocationID", unit) for unit in ALL_UNITS]
    deleted = charon_b.log.count("received DELETE for IKE_SA")
    machine.systemctl("restart", "ikevd")
    again = [machine.show("InvocationID", unit) for unit in ALL_UNITS]
    assert (again[0] == runs[0], again[1:]) == (False, runs[1:]), "a restart starts and stops no other unit"
    assert topology.host_a.ping(topology.host_b.address, 3) == 3
    before = topology.wire.seen()
    with pinging(topology.host_a, topology.host_b.address, interval=OFTEN):
        machine.switch_off()
    eventually(lambda: charon_b.list_sas() == [])
    assert eventually(lambda: charon_b.log.count("received DELETE for IKE_SA") - deleted) == 1, "at the power off alone"
    assert (topology.wire.seen() - before).clear == 0


def test_enable_and_disable_take_the_two_others_along(machine: Machine) -> None:
    machine.switch_on()
    enabled = machine.run("systemctl", "is-enabled", *ALL_UNITS).split()
    machine.systemctl("disable", "ikevd")
    disabled = machine.run("systemctl", "is-enabled", *ALL_UNITS, check=False).split()
    machine.systemctl("enable", "ikevd")
    assert (enabled, disabled) == (["enabled"] * 3, ["disabled"] * 3)
