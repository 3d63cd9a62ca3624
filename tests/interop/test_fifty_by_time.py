"""Fifty ISAKMP SAs and fifty pairs that ikevd replaces by time, one after the other, with traffic across.

Its shortest life is a minute, so that this takes three quarters of an hour. The peer's lives are of hours.
"""

from __future__ import annotations

import time

import pytest

from tests.interop.daemon import Ikevd
from tests.interop.libreswan import Libreswan
from tests.interop.node import Node
from tests.interop.rekeying import FIFTY, ikevd_yaml, isakmp, unharmed
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan
from tests.interop.told import pairs
from tests.interop.topology import Topology

pytestmark = [pytest.mark.soak, pytest.mark.timeout(5400)]

LIFE = 60
LOOK = 3
"""Seconds from one look to the next."""


def a_minute_each(topology: Topology) -> tuple[Site, str]:
    """The tunnel, and ikevd's configuration of it."""
    site = Site(topology.gw_a, topology.gw_b, options=(f"ike_lifetime: {LIFE}s",))
    return site, ikevd_yaml(site, f"lifetime: {LIFE}s")


def replaced_by_ikevd(topology: Topology, ikevd: Ikevd, early_at: Node | None = None) -> None:
    """Fifty of each; `early_at`: as of `unharmed`."""
    sas: dict[str, bool] = {}
    phase1s: dict[str, bool] = {}
    with unharmed(topology, interval=0.02, early_at=early_at):
        deadline = time.monotonic() + LIFE * (FIFTY + 1)
        while min(len(sas), len(phase1s)) <= FIFTY:
            assert time.monotonic() < deadline, (len(sas), len(phase1s))
            sas |= {pair["spi_in"]: pair["initiator"] for pair in pairs(ikevd)}
            phase1s |= isakmp(ikevd)
            topology.wire.forget()
            time.sleep(LOOK)
    print(f"{len(sas)} pairs, {len(phase1s)} ISAKMP SAs")
    assert all(sas.values())
    assert all(phase1s.values())


def test_with_strongswan(topology: Topology, charon_b: StrongSwan) -> None:
    site, configuration = a_minute_each(topology)
    charon_b.load(site.mirrored().swanctl())
    with Ikevd(topology.gw_a, configuration) as ikevd:
        ikevd.up("lan")
        replaced_by_ikevd(topology, ikevd)


def test_with_libreswan(topology: Topology) -> None:
    site, configuration = a_minute_each(topology)
    with Libreswan(topology.gw_b) as pluto, Ikevd(topology.gw_a, configuration) as ikevd:
        pluto.configure(site.mirrored())
        ikevd.up("lan")
        replaced_by_ikevd(topology, ikevd, topology.gw_a)
