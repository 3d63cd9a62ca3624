"""Children are rekeyed, by either end, under a flood ping: no packet is lost, and none leaves in the clear."""

from __future__ import annotations

import time

import pytest

from tests.eventually import eventually
from tests.interop.daemon import Ikevd
from tests.interop.rekeying import KILOBYTES, LARGE, ikevd_yaml, unharmed, wait_for_another
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan
from tests.interop.told import newest, pairs
from tests.interop.topology import Topology

LIFE, WAY, LAST_WORDS = 60, 0.4, 10
"""Seconds; the last: until all copies of a Delete have left, each of which strongSwan takes for one more exchange."""
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


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_both_rekey_at_once(topology: Topology, charon_b: StrongSwan) -> None:
    """Each has said message 1 before it hears that of the other; strongSwan knows no rule for that."""
    site = Site(topology.gw_a, topology.gw_b)
    charon_b.load(site.mirrored().swanctl())
    with Ikevd(topology.gw_a, ikevd_yaml(site, "lifetime: 1h")) as ikevd:
        ikevd.up("lan")
        topology.impair(delay_ms=1000 * WAY)
        try:
            with unharmed(topology):
                for _ in range(3):
                    crossed(ikevd, charon_b)
                    time.sleep(LAST_WORDS)
        finally:
            topology.impair()
        assert len(topology.gw_b.xfrm_state()) == len(topology.gw_a.xfrm_state()) == 2


def crossed(ikevd: Ikevd, charon: StrongSwan) -> None:
    """Two pairs at most stand at any moment, each end has begun one, and one is left in the end."""
    (former,) = pairs(ikevd)
    began = time.monotonic()
    charon.rekey("lan")
    told = ikevd.client.rekey("lan", 30)
    next(told)
    assert time.monotonic() - began < WAY, "the peer's message 1 is on its way still"
    list(told)
    begun: dict[str, bool] = {}

    def one_is_left() -> bool:
        now = pairs(ikevd)
        assert len(now) <= 2
        begun.update({pair["spi_in"]: pair["initiator"] for pair in now if pair["spi_in"] != former["spi_in"]})
        return len(now) == 1 and set(begun.values()) == {True, False}

    eventually(one_is_left, within=60)
