"""systemd-networkd beside updown programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.interop.machine import UNITS, Machine
from tests.interop.topology import Topology

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[2]


def test_a_route_of_a_program_stands_over_a_restart_of_networkd(topology: Topology, machine: Machine) -> None:
    node = topology.gw_a
    node.ip("link", "add", "hook0", "type", "dummy")
    machine.write("/etc/systemd/network/hook0.network", "[Match]\nName=hook0\n[Network]\nAddress=10.77.0.1/24\n")
    machine.write(
        f"{UNITS}/systemd-networkd.service.d/test.conf", "[Service]\nReadOnlyPaths=/sys\n"
    )  # it waits for no udev
    machine.systemctl("daemon-reload")
    machine.write("/etc/systemd/networkd.conf.d/ikevd.conf", (ROOT / "config/hooks/networkd.conf").read_text())
    try:
        machine.systemctl("restart", "systemd-networkd")
        eventually(lambda: "10.77.0.1/24" in node.ip("address", "show", "dev", "hook0"))
        node.ip("route", "add", "10.88.0.0/24", "dev", "hook0", "proto", "201")
        machine.systemctl("restart", "systemd-networkd")
        machine.systemctl("is-active", "systemd-networkd")
        assert "10.88.0.0/24" in node.ip("route")
    finally:
        machine.systemctl("stop", "systemd-networkd", "systemd-networkd.socket", check=False)
        machine.run("rm", "-rf", "/etc/systemd/networkd.conf.d", "/etc/systemd/network/hook0.network")
        node.ip("link", "del", "hook0")
