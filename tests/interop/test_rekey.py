"""Children are rekeyed, by either end, under a flood ping: no packet is lost, and none leaves in the clear."""

from __future__ import annotations

import pytest

from tests.eventually import eventually
from tests.interop.daemon import Ikevd
from tests.interop.rekeying import KILOBYTES, LARGE, ikevd_yaml, unharmed, wait_for_another
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan
from tests.interop.told import newest, pairs
from tests.interop.topology import Topology

LIFE = 60
TIMES = [1, pytest.param(3, marks=pytest.mark.soak)]
"""How many rekeyings; after the third it is awaited that the former pairs go, half a minute later."""


@pytest.mark.parametrize("times", TIMES)
def test_strongswan_rekeys(topology: Topology, charon_b: StrongSwan, times: int) -> None:
    site = Site(topology.gw_a, topology.gw_b)
    charon_b.load(site.mirrored().swanctl())
    with Ikevd(topology.gw_a, ikevd_yaml(site, "lifetime: 1h")) as ikevd:
        ikevd.up("lan")
        with unharmed(topology):
            for _ in range(times):
                former = newest(ikevd)
                charon_b.rekey("lan")
                assert not wait_for_another(ikevd, former)["initiator"]
            if times > 1:
                eventually(lambda: len(pairs(ikevd)) == 1)


@pytest.mark.parametrize("times", TIMES)
def test_ikevd_rekeys(topology: Topology, charon_b: StrongSwan, times: int) -> None:
    site = Site(topology.gw_a, topology.gw_b)
    charon_b.load(site.mirrored().swanctl())
    with Ikevd(topology.gw_a, ikevd_yaml(site, "lifetime: 1h")) as ikevd:
        ikevd.up("lan")
        with unharmed(topology):
            for _ in range(times):
                former = newest(ikevd)
                ikevd.command("rekey", "lan")
                assert wait_for_another(ikevd, former, within=20)["initiator"]
            if times > 1:
                eventually(lambda: len(pairs(ikevd)) == 1)


@pytest.mark.parametrize("times", TIMES)
def test_ikevd_rekeys_by_volume(topology: Topology, charon_b: StrongSwan, times: int) -> None:
    site = Site(topology.gw_a, topology.gw_b)
    charon_b.load(site.mirrored().swanctl())
    with Ikevd(topology.gw_a, ikevd_yaml(site, f"lifetime_kilobytes: {KILOBYTES}")) as ikevd:
        ikevd.up("lan")
        with unharmed(topology, LARGE):
            for _ in range(times):
                assert wait_for_another(ikevd, newest(ikevd), within=90)["initiator"]


@pytest.mark.parametrize("times", TIMES)
def test_strongswan_rekeys_by_volume(topology: Topology, charon_b: StrongSwan, times: int) -> None:
    site = Site(topology.gw_a, topology.gw_b)
    volume = f"rekey_bytes = {KILOBYTES * 512}\n life_bytes = {KILOBYTES * 1024}\n rand_bytes = 0\n"
    charon_b.load(site.mirrored().swanctl().replace("esp_proposals =", f"{volume} esp_proposals ="))
    with Ikevd(topology.gw_a, ikevd_yaml(site, "lifetime: 1h")) as ikevd:
        charon_b.initiate("lan")
        eventually(lambda: len(pairs(ikevd)) == 1)
        with unharmed(topology, LARGE):
            for _ in range(times):
                assert not wait_for_another(ikevd, newest(ikevd), within=90)["initiator"]


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_ikevd_rekeys_by_time(topology: Topology, charon_b: StrongSwan) -> None:
    site = Site(topology.gw_a, topology.gw_b)
    charon_b.load(site.mirrored().swanctl())
    with Ikevd(topology.gw_a, ikevd_yaml(site, f"lifetime: {LIFE}s")) as ikevd:
        ikevd.up("lan")
        with unharmed(topology):
            for _ in range(2):
                former = newest(ikevd)
                assert 0 <= former["rekeys_in_seconds"] <= 0.9 * LIFE
                assert wait_for_another(ikevd, former, within=LIFE)["initiator"]
            eventually(lambda: len(pairs(ikevd)) == 1, within=30)
            assert len(topology.gw_b.xfrm_state()) <= 4
