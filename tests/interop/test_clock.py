"""Somebody sets the clock of the machine while a tunnel stands: NTP after boot, or an operator."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from tests.interop.daemon import Ikevd
from tests.interop.rekeying import unharmed, wait_for_another
from tests.interop.sites import Site
from tests.interop.told import newest
from tests.interop.topology import Topology

pytestmark = pytest.mark.soak

DAY, FIFTY_YEARS = 86_400, 50 * 365 * 86_400
"""The latter, as NTP sets a machine without a clock of its own."""


@pytest.fixture
def set_clock() -> Iterator[Callable[[float], None]]:
    """Sets that of the machine forward by so many seconds, or back; right again at the end."""
    ahead = time.time() - time.monotonic()
    yield lambda seconds: time.clock_settime(time.CLOCK_REALTIME, time.time() + seconds)
    time.clock_settime(time.CLOCK_REALTIME, time.monotonic() + ahead)


@pytest.mark.parametrize("jump", [DAY, -DAY, FIFTY_YEARS], ids=["a day on", "a day back", "fifty years on"])
@pytest.mark.parametrize("settled", [False, True], ids=["at once", "later"])
def test_a_clock_that_is_set_ends_no_tunnel_and_lets_none_live_longer(
    topology: Topology, set_clock: Callable[[float], None], jump: float, settled: bool
) -> None:
    site = Site(topology.gw_a, topology.gw_b)
    with Ikevd(topology.gw_a, site.ikevd()) as ikevd, Ikevd(topology.gw_b, site.mirrored().ikevd()):
        ikevd.up("lan")
        if settled:
            time.sleep(3)
        with unharmed(topology):
            set_clock(jump)
            time.sleep(4)
            former = newest(ikevd)
            assert former["expires_in_seconds"] in range(3500, 3600)
            ikevd.command("rekey", "lan")
            set_clock(jump)
            wait_for_another(ikevd, former, within=20)
