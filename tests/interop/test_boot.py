"""From the machine's start on nothing that belongs into a tunnel leaves in the clear, whatever becomes of ikevd."""

from __future__ import annotations

from pathlib import Path

import pytest

from ikevd.cli.run import UNUSABLE
from tests.interop.crossing import packets_cross
from tests.interop.daemon import IKEVD, Ikevd
from tests.interop.node import Node
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import Topology


def clear(topology: Topology) -> int:
    """Clear packets on the wire while host A pings host B three times in vain."""
    before = topology.wire.seen()
    assert topology.host_a.ping(topology.host_b.address, 3, wait=1) == 0
    return (topology.wire.seen() - before).clear


def reqids(node: Node) -> set[int]:
    """Of all policies."""
    return {template.reqid for policy in node.xfrm_policy() for template in policy.templates}


def started_well(topology: Topology, charon: StrongSwan, state: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """The tunnel of an ikevd that has run on gateway A, and has left its blocks in the folder `state`."""
    site = Site(topology.gw_a, topology.gw_b)
    monkeypatch.setenv("STATE_DIRECTORY", str(state))
    charon.load(site.mirrored().swanctl())
    with Ikevd(topology.gw_a, site.ikevd()):
        pass
    return site


def test_blocks_stand_before_ikevd_runs_and_under_a_broken_file(
    topology: Topology, charon_b: StrongSwan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway, site = topology.gw_a, started_well(topology, charon_b, tmp_path, monkeypatch)
    assert gateway.xfrm_policy() == []
    assert clear(topology) > 0, "else there is nothing to mend"
    broken = tmp_path / "broken.yaml"
    broken.touch(mode=0o600)
    broken.write_text("connections: {peer: {}}\n")
    try:
        assert "stand" in gateway.run(IKEVD, "blocks", str(tmp_path / "blocks"))
        assert clear(topology) == 0
        ended = gateway.run("sh", "-c", f"{IKEVD} run --config {broken}; echo ended with $?", check=False)
        assert f"ended with {UNUSABLE}" in ended
        assert clear(topology) == 0
        with Ikevd(gateway, site.ikevd()) as ikevd:
            ikevd.up("lan")
            packets_cross(topology)
    finally:
        gateway.ip("xfrm", "policy", "flush")


def test_blocks_of_another_configuration_are_turned_also_where_another_ikevd_may_be(
    topology: Topology, charon_b: StrongSwan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway, site = topology.gw_a, started_well(topology, charon_b, tmp_path, monkeypatch)
    renamed = site.ikevd().replace("  peer:", "  renamed:") + f"\nlisten: {{addresses: ['{gateway.address}']}}\n"
    try:
        gateway.run(IKEVD, "blocks", str(tmp_path / "blocks"))
        former = reqids(gateway)
        with Ikevd(gateway, renamed) as ikevd:
            assert clear(topology) == 0
            assert len(reqids(gateway)) == len(former) == 1
            assert reqids(gateway) != former
            ikevd.up("lan")
            packets_cross(topology)
        assert gateway.xfrm_policy() == []
    finally:
        gateway.ip("xfrm", "policy", "flush")
