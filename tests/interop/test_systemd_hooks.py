"""Updown programs within what ikevd.service allows, and with its drop-in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.eventually import eventually
from tests.interop.machine import Machine
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import Topology

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = "/etc/ikevd/updown"
TELLS = """#!/bin/sh
ip route replace 10.2.0.0/24 dev wan proto 201 || echo no route >&2
grep -E '^Cap(Eff|Amb|Prm)' /proc/self/status >&2
touch /var/lib/ikevd-hooks/ran 2> /dev/null || echo no file >&2
echo 1 2> /dev/null > /proc/sys/net/ipv4/conf/wan/log_martians || echo no sysctl >&2
exit 7
"""
"""It fails, so that what it has seen is told."""
NET_ADMIN = f"{1 << 12:016x}"


@pytest.fixture
def site(topology: Topology, charon_b: StrongSwan) -> Iterator[Site]:
    """Of which strongSwan has its half."""
    options = (f"updown: {PROGRAM}", "hook_capabilities: [net_admin]")
    site = Site(topology.gw_a, topology.gw_b, start="always", options=options)
    charon_b.load(site.mirrored(options=()).swanctl())
    yield site
    topology.gw_a.ip("route", "flush", "proto", "201")
    topology.gw_a.set_sysctl(ipv4__conf__wan__log_martians=0)


def told(machine: Machine, site: Site) -> str:
    """What the program has said."""
    machine.write(PROGRAM, TELLS, mode=0o755)
    machine.configure(site.ikevd())
    machine.systemctl("start", "ikevd")

    def seen() -> Any:
        (child,) = machine.status()["connections"][0]["children"]
        return (child["updown"] or {}).get("failure")

    failure: str = eventually(seen)
    assert "ended with exit code 7 when lan came up" in failure
    return failure


def test_a_program_sets_a_route_by_the_one_capability_that_it_has_and_nothing_else(
    topology: Topology, machine: Machine, site: Site
) -> None:
    said = told(machine, site)
    assert [said.count(f"{name}:\\t{NET_ADMIN}") for name in ("CapPrm", "CapEff", "CapAmb")] == [1, 1, 1]
    assert ("no route" in said, "no file" in said, "no sysctl" in said) == (False, True, True)
    assert "10.2.0.0/24 proto 201" in topology.gw_a.ip("route", "show", "dev", "wan")


def test_the_drop_in_lets_it_write_a_folder_and_sysctls(topology: Topology, machine: Machine, site: Site) -> None:
    machine.drop_in((ROOT / "systemd/ikevd-hooks.conf").read_text())
    said = told(machine, site)
    assert ("no file" in said, "no sysctl" in said) == (False, False)
    assert topology.gw_a.run("sysctl", "-n", "net.ipv4.conf.wan.log_martians").strip() == "1"
