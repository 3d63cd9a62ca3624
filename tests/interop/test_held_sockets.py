"""ESP in UDP arrives while no ikevd runs, as long as somebody has its socket: systemd's double, or our own process."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.interop.crossing import PINGS
from tests.interop.daemon import Ikevd
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import Topology
from tests.service.harness import ServiceManager

NOBODY = "listen: {holder: false}\n"


def pings_after_a_crash(topology: Topology, ikevd: Ikevd) -> int:
    """How many of `PINGS` come back while no ikevd runs."""
    ikevd.up("lan")
    assert topology.host_a.ping(topology.host_b.address, PINGS) == PINGS
    eventually(lambda: ikevd.status()["socket_holder"]["problem"] is None)
    ikevd.kill()
    crossed = topology.host_a.ping(topology.host_b.address, PINGS)
    ikevd.start()
    return crossed


@pytest.fixture
def site(topology: Topology, charon_b: StrongSwan) -> Site:
    site = Site(topology.gw_a, topology.gw_b, options=("encap: force",))
    charon_b.load(site.mirrored().swanctl())
    return site


def test_the_service_manager_has_it(topology: Topology, site: Site, tmp_path: Path) -> None:
    with ServiceManager(tmp_path / "notify") as manager, Ikevd(site.here, site.ikevd(), manager=manager) as ikevd:
        assert pings_after_a_crash(topology, ikevd) == PINGS


def test_a_process_of_ours_has_it(topology: Topology, site: Site) -> None:
    with Ikevd(site.here, site.ikevd()) as ikevd:
        assert pings_after_a_crash(topology, ikevd) == PINGS


def test_nobody_has_it(topology: Topology, site: Site) -> None:
    """Else the two above would prove nothing."""
    with Ikevd(site.here, site.ikevd() + NOBODY) as ikevd:
        assert pings_after_a_crash(topology, ikevd) == 0
