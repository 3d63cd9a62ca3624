"""A backup peer in the kernel: two gateways with one network behind them, strongSwan on each; the first is cut off."""

from __future__ import annotations

import pytest

from tests.eventually import eventually
from tests.interop.daemon import Ikevd
from tests.interop.node import Node
from tests.interop.second_gateway import cut_off, second_gateway
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import Topology

pytestmark = pytest.mark.soak  # a peer is found dead, and calls again in its pauses
WITHIN = 30
"""Seconds: a question every 2 s, and 3 s for the answer; a guest takes its time."""


@pytest.fixture
def site(topology: Topology) -> Site:
    return Site(
        topology.gw_a,
        topology.gw_b,
        options=("dpd: {mode: periodic, delay: 2s, timeout: 3s}",),
        start="always",
    )


def both(site: Site, second: Node) -> str:
    """ikevd.yaml with both peers."""
    backup = Site(site.here, second, options=(*site.options, "backup_of: peer"), start="always")
    return site.ikevd() + backup.ikevd().removeprefix("connections:\n").replace("  peer:\n", "  second:\n")


def carrying(site: Site) -> str:
    """Where the policy out leads."""
    (policy,) = [one for one in site.here.xfrm_policy() if one.gate and one.direction == "out"]
    return policy.templates[0].dst if policy.action == "allow" else policy.action


def test_the_backup_carries_while_the_first_is_dead_and_not_a_packet_leaves_in_the_clear(
    topology: Topology, charon_b: StrongSwan, site: Site
) -> None:
    with second_gateway(topology, topology.host_b.address) as second, StrongSwan(second) as standby:
        charon_b.configure(site.mirrored())
        standby.configure(Site(site.here, second).mirrored())
        before = topology.wire.seen()
        with Ikevd(site.here, both(site, second), store=True) as ikevd:
            eventually(lambda: len(site.here.xfrm_state()), lambda count: count == 4)
            eventually(lambda: carrying(site), lambda where: where == topology.gw_b.address)
            assert topology.host_a.ping(topology.host_b.address, 3) == 3
            ikevd.kill()
            ikevd.start()
            assert carrying(site) == topology.gw_b.address, "a restart keeps who carries"

            with cut_off(topology, topology.gw_b):
                eventually(lambda: carrying(site), lambda where: where == second.address, within=WITHIN)
                assert topology.host_a.ping(topology.host_b.address, 3) == 3, "the second gateway answers"
                ikevd.kill()
                ikevd.start()
                assert carrying(site) == second.address
            eventually(lambda: carrying(site), lambda where: where == topology.gw_b.address, within=90)
            assert topology.host_a.ping(topology.host_b.address, 3) == 3
            assert "carries what is for lan from here on: it stands in for peer" in ikevd.log
            assert ikevd.status()["connections"][1]["children"][0]["carried_by"] == "peer"
        assert (topology.wire.seen() - before).clear == 0
