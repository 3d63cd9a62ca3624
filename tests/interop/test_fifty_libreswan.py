"""Fifty rekeyings by libreswan and by ikevd under a flood ping, as in `test_fifty`.

Where libreswan is the responder it uses the new pair before its message 2 has left: what comes before that is lost
(`unharmed`).
"""

from __future__ import annotations

import pytest

from tests.eventually import eventually
from tests.interop.daemon import Ikevd
from tests.interop.libreswan import Libreswan
from tests.interop.rekeying import FIFTY, KILOBYTES, LARGE, ikevd_yaml, nobody, rekeyed, renewed, unharmed
from tests.interop.sites import Site
from tests.interop.strongswan import CONNECTION, StrongSwan
from tests.interop.told import cookies, pairs
from tests.interop.topology import Topology

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]

BY_TIME = {"salifetime": "20s", "rekey": "yes", "rekeymargin": "16s", "rekeyfuzz": "0%"}
BY_BYTES = {"ipsec-max-bytes": str(KILOBYTES * 1024), "rekey": "yes"}
RENEWED = {"ikelifetime": "20s", "rekey": "yes", "rekeymargin": "15s", "rekeyfuzz": "0%"}


@pytest.mark.parametrize(("times", "size"), [(BY_TIME, 56), (BY_BYTES, LARGE)], ids=["by time", "by bytes"])
def test_libreswan_rekeys(topology: Topology, times: dict[str, str], size: int) -> None:
    site = Site(topology.gw_a, topology.gw_b)
    with Libreswan(topology.gw_b) as pluto, Ikevd(topology.gw_a, ikevd_yaml(site, "lifetime: 1h")) as ikevd:
        pluto.configure(site.mirrored(), **times)
        pluto.bring_up()
        eventually(lambda: pairs(ikevd))
        rekeyed(topology, ikevd, ours=False, begin=nobody, size=size)


def test_ikevd_rekeys_by_bytes(topology: Topology) -> None:
    site = Site(topology.gw_a, topology.gw_b)
    options = f"lifetime_kilobytes: {KILOBYTES}"
    with Libreswan(topology.gw_b) as pluto, Ikevd(topology.gw_a, ikevd_yaml(site, options)) as ikevd:
        pluto.configure(site.mirrored())
        ikevd.up("lan")
        rekeyed(topology, ikevd, ours=True, begin=nobody, size=LARGE, early_at=topology.gw_a)


def test_ikevd_rekeys(topology: Topology) -> None:
    site = Site(topology.gw_a, topology.gw_b)
    with Libreswan(topology.gw_b) as pluto, Ikevd(topology.gw_a, ikevd_yaml(site, "lifetime: 1h")) as ikevd:
        pluto.configure(site.mirrored())
        ikevd.up("lan")
        rekeyed(topology, ikevd, ours=True, begin=lambda: ikevd.command("rekey", "lan"), early_at=topology.gw_a)


def test_libreswan_renews_the_isakmp_sa_by_time(topology: Topology) -> None:
    site = Site(topology.gw_a, topology.gw_b)
    with Libreswan(topology.gw_b) as pluto, Ikevd(topology.gw_a, site.ikevd()) as ikevd:
        pluto.configure(site.mirrored(), **RENEWED)
        pluto.bring_up()
        eventually(lambda: cookies(ikevd))
        renewed(topology, ikevd, ours=False, begin=nobody)


def test_ikevd_renews_the_isakmp_sa(topology: Topology) -> None:
    """And the child under it, as `ikevd rekey --phase1` does."""
    site = Site(topology.gw_a, topology.gw_b)
    with Libreswan(topology.gw_b) as pluto, Ikevd(topology.gw_a, site.ikevd()) as ikevd:
        pluto.configure(site.mirrored())
        ikevd.up("lan")

        def again() -> None:
            list(ikevd.client.rekey("peer", 30, phase1=True))

        renewed(topology, ikevd, ours=True, begin=again, early_at=topology.gw_a)


def test_strongswan_rekeys_with_libreswan(topology: Topology, charon_a: StrongSwan) -> None:
    """No ikevd is there: what strongSwan loses in our place."""
    site = Site(topology.gw_a, topology.gw_b)
    with Libreswan(topology.gw_b) as pluto:
        pluto.configure(site.mirrored())
        charon_a.load(site.swanctl())
        charon_a.initiate("lan", CONNECTION)
        with unharmed(topology, early_at=topology.gw_a):
            seen = _inbound(charon_a)
            for _ in range(FIFTY):
                charon_a.rekey("lan")
                seen.update(eventually(lambda: _inbound(charon_a), lambda now: not seen.issuperset(now)))


def _inbound(charon: StrongSwan) -> set[str]:
    """The SPIs of what it receives."""
    return {str(child["spi-in"]) for child in charon.list_children()}
