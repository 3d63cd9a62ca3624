"""What libreswan refuses, and what it is refused, in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from tests.eventually import eventually
from tests.interop.daemon import Ikevd
from tests.interop.libreswan import CONNECTION, Libreswan
from tests.interop.sites import Site
from tests.interop.topology import Topology

OURS = "gw-a.example"


@pytest.fixture
def site(topology: Topology) -> Site:
    return Site(topology.gw_a, topology.gw_b, local_id=OURS, retransmit="{interval: 1s, factor: 1.5, sends: 4}")


@contextmanager
def pluto(site: Site, **options: str) -> Iterator[Libreswan]:
    """libreswan on gateway B, with the mirror image of `site`. After a refusal pluto 4.10 may end with signal 11."""
    peer = Libreswan(site.there, secret=site.secret, may_crash=True)
    with peer:
        peer.configure(site.mirrored(), **options)
        yield peer


@pytest.mark.parametrize("aggressive", [False, True], ids=["Main Mode", "Aggressive Mode"])
def test_libreswan_refuses_our_identity(site: Site, aggressive: bool) -> None:
    site = replace(site, aggressive=aggressive)
    with pluto(replace(site, local_id="somebody-else.example")), Ikevd(site.here, site.ikevd()) as ikevd:
        cause = ikevd.failing_up("lan")
    if aggressive:
        assert cause.startswith("no AM2: AM1 was sent 4 times"), "libreswan says nothing"
    else:
        assert cause == f"the key is right, the peer refuses our identity {OURS} (FQDN): INVALID_ID_INFORMATION"


def test_libreswan_wants_compression(site: Site) -> None:
    with pluto(site, compress="yes") as peer, Ikevd(site.here, site.ikevd()) as ikevd:
        peer.whack("--name", CONNECTION, "--initiate", "--asynchronous")
        wanted = "the peer offers ESP with IPCOMP; wanted is ESP alone, so compression and AH must be off"
        eventually(lambda: wanted in ikevd.log)
