"""Children are rekeyed, by either end, under a flood ping: no packet is lost, and none leaves in the clear."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.eventually import eventually
from tests.interop.daemon import Ikevd
from tests.interop.flood_ping import FloodPing
from tests.interop.node import Node
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import Topology

OFTEN = 0.002
"""Seconds between two pings."""
LIFE = 60
TIMES = [1, pytest.param(3, marks=pytest.mark.soak)]
"""How many rekeyings; after the third it is awaited that the former pairs go, half a minute later."""
KILOBYTES, LARGE = 2560, 1300
"""The least that may be configured; octets in a ping that uses it up within seconds."""


def ikevd_yaml(site: Site, options: str) -> str:
    """With more options of its child."""
    return site.ikevd().replace("start: manual", f"start: manual, {options}")


@contextmanager
def unharmed(topology: Topology, size: int = 56) -> Iterator[FloodPing]:
    """What happens meanwhile costs no packet, and lets none out in the clear."""
    before = topology.wire.seen()
    assert topology.host_a.ping(topology.host_b.address), "and everybody has found his neighbour"
    with FloodPing(topology.host_a, topology.host_b.address, interval=OFTEN, size=size) as pings:
        yield pings
        lost = pings.lost()
        errors = {gateway.name: _xfrm_errors(gateway) for gateway in (topology.gw_a, topology.gw_b)}
    assert (lost, (topology.wire.seen() - before).clear) == (0, 0), (pings.missing, errors)


def _xfrm_errors(node: Node) -> str:
    """What the kernel has counted, for a message."""
    lines = node.run("cat", "/proc/net/xfrm_stat").splitlines()
    return " ".join(line for line in lines if not line.rstrip().endswith("\t0"))


def pairs(ikevd: Ikevd) -> list[dict[str, Any]]:
    """Oldest first."""
    (connection,) = ikevd.status()["connections"]
    (child,) = connection["children"]
    found: list[dict[str, Any]] = child["sas"]
    return found


def newest(ikevd: Ikevd) -> dict[str, Any]:
    return pairs(ikevd)[-1]


def wait_for_another(ikevd: Ikevd, former: dict[str, Any], within: float = 10) -> dict[str, Any]:
    """Until a pair stands after `former` and carries what is sent."""

    def taken_over() -> bool:
        *older, new = pairs(ikevd)
        return new["spi_in"] != former["spi_in"] and all(sa["replaced"] for sa in older)

    eventually(taken_over, within=within)
    return newest(ikevd)


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
