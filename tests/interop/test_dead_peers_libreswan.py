"""Dead peer detection with libreswan, in both roles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.eventually import eventually
from tests.interop.daemon import Ikevd
from tests.interop.libreswan import Libreswan
from tests.interop.sites import Site
from tests.interop.told import connection
from tests.interop.topology import Topology

MESSAGES = 10
"""Questions and answers that shall cross before a test looks."""


@pytest.fixture
def pluto(topology: Topology) -> Iterator[Libreswan]:
    with Libreswan(topology.gw_b) as daemon:
        yield daemon


@pytest.fixture
def site(topology: Topology) -> Site:
    return Site(topology.gw_a, topology.gw_b, options=("dpd: {mode: off}",))


def stands(ikevd: Ikevd) -> list[str]:
    """The cookies of the ISAKMP SAs, while its only child is up."""
    found = connection(ikevd)
    assert [child["state"] for child in found["children"]] == ["up"]
    return [isakmp["cookies"] for isakmp in found["isakmp"]]


def some_cross(topology: Topology) -> None:
    before = topology.wire.seen().ike
    eventually(lambda: topology.wire.seen().ike - before >= MESSAGES)


@pytest.mark.parametrize("we_begin", [True, False])
def test_libreswan_asks_and_we_answer(topology: Topology, pluto: Libreswan, site: Site, *, we_begin: bool) -> None:
    pluto.configure(site.mirrored(), dpddelay="1s", dpdtimeout="4s", dpdaction="clear")
    with Ikevd(site.here, site.ikevd()) as ikevd:
        if we_begin:
            ikevd.up("lan")
        else:
            pluto.bring_up()
            eventually(lambda: connection(ikevd)["isakmp"])
        first = [isakmp["cookies"] for isakmp in connection(ikevd)["isakmp"]]
        some_cross(topology)
        assert stands(ikevd) == first
        assert "DPD: No response" not in pluto.log


def test_we_ask_and_libreswan_answers(topology: Topology, pluto: Libreswan, site: Site) -> None:
    site = replace(site, options=("dpd: {delay: 1s, timeout: 4s}",))
    pluto.configure(site.mirrored())
    with Ikevd(site.here, site.ikevd()) as ikevd:
        ikevd.up("lan")
        first = stands(ikevd)
        some_cross(topology)
        (isakmp,) = eventually(lambda: connection(ikevd)["isakmp"], lambda seen: seen[0]["heard_seconds"] <= 2)
        assert (isakmp["cookies"], isakmp["dpd"], isakmp["heard_by"]) == (first[0], True, "IKE")
