"""strongSwan proposes longer lifetimes than ours: it is told so, or refused."""

from __future__ import annotations

import pytest

from tests.interop.crossing import packets_cross
from tests.interop.daemon import Ikevd
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan, StrongSwanError
from tests.interop.topology import Topology

SHORT = "ike_lifetime: 10m"
"""strongSwan proposes 15,840 s, and 3,960 s for a child, whose lifetime here is 3,600 s."""


def site(topology: Topology, *options: str, aggressive: bool = False) -> Site:
    return Site(topology.gw_a, topology.gw_b, options=options, aggressive=aggressive)


@pytest.mark.parametrize("aggressive", [False, True], ids=["in message 6", "after Aggressive Mode"])
def test_strongswan_is_told_and_goes_on(topology: Topology, charon_b: StrongSwan, *, aggressive: bool) -> None:
    """It reads RESPONDER-LIFETIME in none of the three places, and takes no offence at it."""
    there = site(topology, SHORT, aggressive=aggressive)
    charon_b.load(there.mirrored().swanctl())
    with Ikevd(topology.gw_a, there.ikevd()) as ikevd:
        charon_b.initiate("lan")
        packets_cross(topology)
        (connection,) = ikevd.status()["connections"]
        assert connection["isakmp"][0]["expires_in_seconds"] <= 600
        assert connection["children"][0]["sas"][0]["expires_in_seconds"] <= 3600
        said = ikevd.command("trace", "peer", "--decode").stdout
        assert said.count("RESPONDER_LIFETIME") >= 2
        charon_b.terminate(ike="peer")


@pytest.mark.parametrize("check", ["claim", pytest.param("obey", marks=pytest.mark.soak)])
def test_they_are_accepted_where_the_configuration_says_so(
    topology: Topology, charon_b: StrongSwan, check: str
) -> None:
    there = site(topology, SHORT, f"lifetime_check: {check}")
    charon_b.load(there.mirrored().swanctl())
    with Ikevd(topology.gw_a, there.ikevd()):
        charon_b.initiate("lan")
        packets_cross(topology)
        charon_b.terminate(ike="peer")


@pytest.mark.parametrize("check", ["strict", pytest.param("exact", marks=pytest.mark.soak)])
def test_or_refused(topology: Topology, charon_b: StrongSwan, check: str) -> None:
    there = site(topology, SHORT, f"lifetime_check: {check}")
    charon_b.load(there.mirrored().swanctl())
    with Ikevd(topology.gw_a, there.ikevd()) as ikevd:
        with pytest.raises(StrongSwanError):
            charon_b.initiate("lan", timeout=5)
        refused = ikevd.status()["refused"]
        assert any(f"lifetime_check: {check}" in one["cause"] for one in refused), refused
