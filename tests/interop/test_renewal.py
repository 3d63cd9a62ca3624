"""The ISAKMP SA is renewed, by us or by strongSwan, under a flood ping."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.interop.daemon import Ikevd
from tests.interop.renewing import UNTIL, no_packet_is_lost, spis, we_renew_it
from tests.interop.sites import Site
from tests.interop.strongswan import CONNECTION, StrongSwan
from tests.interop.told import cookies
from tests.interop.topology import Topology


@pytest.mark.parametrize("caller", ["ikevd", "strongSwan"])
def test_strongswan_renews_it(topology: Topology, charon_b: StrongSwan, caller: str) -> None:
    site = Site(topology.gw_a, topology.gw_b)
    charon_b.load(site.mirrored().swanctl())
    with Ikevd(topology.gw_a, site.ikevd()) as ikevd:
        if caller == "ikevd":
            ikevd.up("lan")
        else:
            charon_b.initiate("lan", CONNECTION)
        eventually(lambda: len(spis(topology)) == 2)
        with no_packet_is_lost(topology):
            charon_b.rekey(ike=CONNECTION)
            eventually(lambda: len(cookies(ikevd)) == 2)  # the former one it leaves until its `over_time`
        assert len(charon_b.wait_for_children(1)) == 1


@pytest.mark.soak
def test_strongswan_renews_it_by_time_and_deletes_the_former_one(topology: Topology, charon_b: StrongSwan) -> None:
    site = Site(topology.gw_a, topology.gw_b)
    times = "reauth_time = 8s\n over_time = 6s\n rand_time = 0s\n"
    charon_b.load(site.mirrored().swanctl().replace("version = 1\n", f"version = 1\n {times}"))
    with Ikevd(topology.gw_a, site.ikevd()) as ikevd:
        charon_b.initiate("lan", CONNECTION)
        eventually(lambda: len(spis(topology)) == 2)
        with no_packet_is_lost(topology):
            seen = set(cookies(ikevd))
            while len(seen) < 5:
                seen |= set(cookies(ikevd))
        assert len(cookies(ikevd)) <= 3
        assert len(charon_b.wait_for_children(1)) == 1


@pytest.mark.parametrize("until_its_delete", UNTIL)
def test_we_renew_it(topology: Topology, charon_b: StrongSwan, tmp_path: Path, *, until_its_delete: bool) -> None:
    site = Site(topology.gw_a, topology.gw_b)
    charon_b.load(site.mirrored().swanctl())
    asyncio.run(we_renew_it(topology, site, tmp_path, until_its_delete=until_its_delete))
    charon_b.wait_for_children(0)


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_we_renew_it_by_time_three_times(topology: Topology, charon_b: StrongSwan) -> None:
    """After 42 to 48 s each."""
    site = Site(topology.gw_a, topology.gw_b, options=("ike_lifetime: 60s",))
    charon_b.load(site.mirrored().swanctl())
    with Ikevd(topology.gw_a, site.ikevd()) as ikevd:
        ikevd.up("lan")
        eventually(lambda: len(spis(topology)) == 2)
        with no_packet_is_lost(topology):
            newest = {cookies(ikevd)[-1]}
            while len(newest) < 4:
                eventually(lambda: cookies(ikevd)[-1] not in newest)
                newest.add(cookies(ikevd)[-1])
        assert len(charon_b.wait_for_children(1)) == 1


@pytest.mark.soak
@pytest.mark.parametrize("again", range(3))
def test_both_renew_it_at_once(topology: Topology, charon_b: StrongSwan, tmp_path: Path, again: int) -> None:
    """strongSwan knows no rule for that; what it has given up it deletes itself."""
    site = Site(topology.gw_a, topology.gw_b)
    charon_b.load(site.mirrored().swanctl())
    both = we_renew_it(topology, site, tmp_path, until_its_delete=True, peer_too=lambda: charon_b.rekey(ike=CONNECTION))
    asyncio.run(both)
    charon_b.wait_for_children(0)
