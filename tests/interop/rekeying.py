"""What the tests of rekeying share: a flood ping of which no packet is lost, and the wait for the next pair."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.eventually import eventually
from tests.interop.daemon import Ikevd
from tests.interop.flood_ping import FloodPing
from tests.interop.node import Node
from tests.interop.sites import Site
from tests.interop.told import newest, pairs
from tests.interop.topology import Topology

OFTEN = 0.002
"""Seconds between two pings."""
KILOBYTES, LARGE = 2560, 1300
"""The least that may be configured; octets in a ping that uses it up within seconds."""
FIFTY = 50
PATIENCE = 90
"""Seconds for one of the fifty."""


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


def wait_for_another(ikevd: Ikevd, former: dict[str, Any], within: float = 10) -> dict[str, Any]:
    """Until a pair stands after `former` and carries what is sent."""

    def taken_over() -> bool:
        *older, new = pairs(ikevd)
        return new["spi_in"] != former["spi_in"] and all(sa["replaced"] for sa in older)

    eventually(taken_over, within=within)
    return newest(ikevd)


def rekeyed(topology: Topology, ikevd: Ikevd, *, ours: bool, begin: Callable[[], object], size: int = 56) -> None:
    """Fifty times, by whom it shall be."""
    with unharmed(topology, size):
        for _ in range(FIFTY):
            former = newest(ikevd)
            begin()
            assert wait_for_another(ikevd, former, within=PATIENCE)["initiator"] == ours


def nobody() -> None:
    """Begins it: its own time comes."""
