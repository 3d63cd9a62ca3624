"""Identities of several types, in Main Mode: strongSwan compares ours, we compare its."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.interop.daemon import Ikevd
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import Topology

IDENTITIES = {
    "range": ("10.0.0.1-10.0.0.9", "10.0.0.1-10.0.0.9"),
    "fqdn": ("fqdn:192.0.2.1", "fqdn:192.0.2.1"),
    "keyid": ("keyid:0x00ff10", "keyid:#00ff10"),
    "name": ("CN=gw-a,OU=Net,O=Example,C=DE", "C=DE, O=Example, OU=Net, CN=gw-a"),
}
"""As ikevd and as strongSwan write it. The other types are in tests/exchanges; a process is dear here."""


@pytest.mark.parametrize(("ours", "theirs"), IDENTITIES.values(), ids=IDENTITIES)
def test_both_sides_take_an_identity(topology: Topology, charon_b: StrongSwan, ours: str, theirs: str) -> None:
    site = Site(topology.gw_a, topology.gw_b, local_id=ours, remote_id=ours)
    quoted = f'"{theirs}"'
    charon_b.load(replace(site.mirrored(), local_id=quoted, remote_id=quoted).swanctl())
    with Ikevd(topology.gw_a, site.ikevd()) as ikevd:
        ikevd.up("lan")
        (isakmp,) = ikevd.status()["connections"][0]["isakmp"]
        assert isakmp["local_id"] == isakmp["remote_id"] == ours


def test_strongswan_takes_our_name_in_other_case_and_we_take_its(topology: Topology, charon_b: StrongSwan) -> None:
    site = Site(topology.gw_a, topology.gw_b, local_id="GW-A.Example", remote_id="gw-b.example")
    charon_b.load(replace(site.mirrored(), local_id="Gw-B.EXAMPLE", remote_id="gw-a.example").swanctl())
    with Ikevd(topology.gw_a, site.ikevd()) as ikevd:
        ikevd.up("lan")
        (isakmp,) = ikevd.status()["connections"][0]["isakmp"]
        assert (isakmp["local_id"], isakmp["remote_id"]) == ("GW-A.Example", "Gw-B.EXAMPLE")
