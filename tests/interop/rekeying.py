"""What the tests of rekeying share: a flood ping of which no packet is lost, and the wait for the next pair."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.eventually import eventually
from tests.interop.daemon import Ikevd
from tests.interop.flood_ping import FloodPing
from tests.interop.node import Node
from tests.interop.sites import Site
from tests.interop.told import connection, newest, pairs
from tests.interop.topology import Topology

OFTEN = 0.002
"""Seconds between two pings."""
KILOBYTES, LARGE = 2560, 1300
"""The least that may be configured; octets in a ping that uses it up within seconds."""
FIFTY = 50
PATIENCE = 90
"""Seconds for one of the fifty."""
APART = 20
"""Packets between two that were lost to different causes."""


def ikevd_yaml(site: Site, options: str) -> str:
    """With more options of its child."""
    return site.ikevd().replace("start: manual", f"start: manual, {options}")


@contextmanager
def unharmed(
    topology: Topology, size: int = 56, *, interval: float = OFTEN, early_at: Node | None = None
) -> Iterator[FloodPing]:
    """What happens meanwhile costs no packet, and lets none out in the clear.

    `early_at`: the peer of this gateway uses a new pair before its message 2 has left, as libreswan does ("libreswan as
    responder", docs/life.md). What comes before the gateway can have the keys of that pair is lost, and no more.
    """
    before = topology.wire.seen()
    too_early = early_packets(early_at)
    assert topology.host_a.ping(topology.host_b.address), "and everybody has found his neighbour"
    with FloodPing(topology.host_a, topology.host_b.address, interval=interval, size=size) as pings:
        yield pings
        lost = pings.lost()
        too_early = early_packets(early_at) - too_early
        errors = {gateway.name: _xfrm_errors(gateway) for gateway in (topology.gw_a, topology.gw_b)}
    print(f"{lost} of {pings.sent} packets lost in {len(gaps(pings.missing))} gaps, {too_early} came too early")
    assert (topology.wire.seen() - before).clear == 0
    assert lost <= too_early, (pings.missing, errors)


def early_packets(node: Node | None) -> int:
    """ESP that came to this gateway under an SPI that is reserved, but has no keys yet; 0 without a gateway."""
    counted = re.search(r"XfrmAcquireError\s+(\d+)", _xfrm_errors(node)) if node else None
    return int(counted[1]) if counted else 0


def gaps(missing: list[int]) -> list[list[int]]:
    """The numbers of lost packets, oldest first, of each cause for itself."""
    found: list[list[int]] = []
    for number in missing:
        if found and number - found[-1][-1] <= APART:
            found[-1].append(number)
        else:
            found.append([number])
    return found


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


def rekeyed(
    topology: Topology,
    ikevd: Ikevd,
    *,
    ours: bool,
    begin: Callable[[], object],
    size: int = 56,
    early_at: Node | None = None,
) -> None:
    """Fifty times, by whom it shall be; `early_at`: as of `unharmed`."""
    with unharmed(topology, size, early_at=early_at) as pings:
        for _ in range(FIFTY):
            former = newest(ikevd)
            begin()
            assert wait_for_another(ikevd, former, within=PATIENCE)["initiator"] == ours
            topology.wire.forget()
    assert len(gaps(pings.missing)) <= FIFTY


def renewed(
    topology: Topology,
    ikevd: Ikevd,
    *,
    ours: bool,
    begin: Callable[[], object],
    early_at: Node | None = None,
) -> None:
    """Fifty ISAKMP SAs, one after the other, of those who shall begin them; `early_at`: as of `unharmed`."""
    with unharmed(topology, early_at=early_at):
        seen = set(isakmp(ikevd))
        for _ in range(FIFTY):
            begin()
            now = eventually(lambda: isakmp(ikevd), lambda now: not seen.issuperset(now), within=PATIENCE)
            assert all(initiator == ours for cookies, initiator in now.items() if cookies not in seen)
            seen.update(now)
            topology.wire.forget()
        assert isakmp(ikevd), "one is left"


def isakmp(ikevd: Ikevd) -> dict[str, bool]:
    """The cookies of the ISAKMP SAs, oldest first, and of each whether ikevd began it."""
    return {each["cookies"]: each["initiator"] for each in connection(ikevd)["isakmp"]}


def nobody() -> None:
    """Begins it: its own time comes."""
