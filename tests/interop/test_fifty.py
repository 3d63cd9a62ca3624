"""Fifty rekeyings of each kind under a flood ping: no packet is lost, and none leaves in the clear.

What ikevd begins by time begins here by command, since its shortest life is a minute (`test_fifty_by_time` waits).
"""

from __future__ import annotations

import pytest

from tests.eventually import eventually
from tests.interop.daemon import Ikevd
from tests.interop.rekeying import KILOBYTES, LARGE, ikevd_yaml, nobody, rekeyed, renewed
from tests.interop.sites import Site
from tests.interop.strongswan import CONNECTION, StrongSwan
from tests.interop.told import cookies, pairs
from tests.interop.topology import Topology

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]

BY_TIME = "rekey_time = 4s\n life_time = 60s\n rand_time = 1s\n esp_proposals ="
BY_BYTES = f"rekey_bytes = {KILOBYTES * 256}\n life_bytes = {KILOBYTES * 1024}\n rand_bytes = 0\n esp_proposals ="
RENEWED = "version = 1\n reauth_time = 5s\n over_time = 20s\n rand_time = 1s\n"


@pytest.mark.parametrize(("times", "size"), [(BY_TIME, 56), (BY_BYTES, LARGE)], ids=["by time", "by bytes"])
def test_strongswan_rekeys(topology: Topology, charon_b: StrongSwan, times: str, size: int) -> None:
    site = Site(topology.gw_a, topology.gw_b)
    charon_b.load(site.mirrored().swanctl().replace("esp_proposals =", times))
    with Ikevd(topology.gw_a, ikevd_yaml(site, "lifetime: 1h")) as ikevd:
        charon_b.initiate("lan")
        eventually(lambda: pairs(ikevd))
        rekeyed(topology, ikevd, ours=False, begin=nobody, size=size)


def test_ikevd_rekeys_by_bytes(topology: Topology, charon_b: StrongSwan) -> None:
    site = Site(topology.gw_a, topology.gw_b)
    charon_b.load(site.mirrored().swanctl())
    with Ikevd(topology.gw_a, ikevd_yaml(site, f"lifetime_kilobytes: {KILOBYTES}")) as ikevd:
        ikevd.up("lan")
        rekeyed(topology, ikevd, ours=True, begin=nobody, size=LARGE)


def test_ikevd_rekeys(topology: Topology, charon_b: StrongSwan) -> None:
    site = Site(topology.gw_a, topology.gw_b)
    charon_b.load(site.mirrored().swanctl())
    with Ikevd(topology.gw_a, ikevd_yaml(site, "lifetime: 1h")) as ikevd:
        ikevd.up("lan")
        rekeyed(topology, ikevd, ours=True, begin=lambda: ikevd.command("rekey", "lan"))


def test_strongswan_renews_the_isakmp_sa_by_time(topology: Topology, charon_b: StrongSwan) -> None:
    site = Site(topology.gw_a, topology.gw_b)
    charon_b.load(site.mirrored().swanctl().replace("version = 1\n", RENEWED))
    with Ikevd(topology.gw_a, site.ikevd()) as ikevd:
        charon_b.initiate("lan", CONNECTION)
        eventually(lambda: cookies(ikevd))
        renewed(topology, ikevd, ours=False, begin=nobody)


def test_ikevd_renews_the_isakmp_sa(topology: Topology, charon_b: StrongSwan) -> None:
    """And the child under it, as `ikevd rekey --phase1` does."""
    site = Site(topology.gw_a, topology.gw_b)
    charon_b.load(site.mirrored().swanctl())
    with Ikevd(topology.gw_a, site.ikevd()) as ikevd:
        ikevd.up("lan")
        renewed(topology, ikevd, ours=True, begin=lambda: list(ikevd.client.rekey("peer", 30, phase1=True)))
