"""200 children of one peer, as the lines of a crypto ACL are: how long until all are up, beside two strongSwans."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from tests.interop.daemon import Ikevd
from tests.interop.many import in_one_entry, site_of
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import Topology

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]

COUNT = 200
PATIENCE = 300
"""Seconds for all of them, on a machine that does other things besides."""
MOST = 4.0
"""Times as long as two strongSwans take."""
LONGEST = 20.0
"""Seconds."""
QUIET = "filelog { log { ike = 1\n cfg = 1\n knl = 1 } }"


@pytest.fixture(scope="module")
def charon_b(topology: Topology) -> Iterator[StrongSwan]:
    """Where it writes of each child that it looks at, that takes it most of the time."""
    with StrongSwan(topology.gw_b, settings=QUIET) as charon:
        yield charon


def test_two_hundred_children_in_both_roles_beside_two_strongswans(topology: Topology, charon_b: StrongSwan) -> None:
    """The same networks each time; what strongSwan begins, it begins one after the other."""
    site = site_of(topology, COUNT)
    charon_b.load(site.mirrored().swanctl())
    with StrongSwan(topology.gw_a, settings=QUIET) as charon_a:
        charon_a.load(site.swanctl())
        two = seconds(lambda: all_up(charon_a, site, charon_b))
        print(f"{COUNT} children: {two:.1f} s (two strongSwans)")
        charon_a.crash()  # to say so many Deletes takes it longer than all the rest
        charon_b.crash()
        charon_b.load(site.mirrored().swanctl())
    with Ikevd(site.here, in_one_entry(replace(site, start="manual"))) as ikevd:
        ours = seconds(lambda: up(ikevd, charon_b))
        print(f"{COUNT} children: {ours:.1f} s (ikevd begins)")
        assert len(site.here.xfrm_state()) == 2 * COUNT
        before = topology.wire.seen()
        assert ikevd.command("down", "lan").exit_code == 0
        charon_b.wait_for_children(0)
        print(f"all down: {(topology.wire.seen() - before).ike} packets of IKE")
        theirs = seconds(lambda: all_up(charon_b, site, charon_b))
        print(f"{COUNT} children: {theirs:.1f} s (strongSwan begins)")
        assert len(site.here.xfrm_state()) == 2 * COUNT
    charon_b.wait_for_children(0)
    print(f"ratio {ours / two:.1f} (ikevd begins), {theirs / two:.1f} (strongSwan begins)")
    assert max(ours, theirs) < min(MOST * two, LONGEST)


def up(ikevd: Ikevd, far: StrongSwan) -> None:
    *_, end = ikevd.client.up("lan", PATIENCE)
    assert end["ok"], f"{end}\n{ikevd.log}"
    far.wait_for_children(COUNT)


def all_up(begins: StrongSwan, site: Site, far: StrongSwan) -> None:
    for name, _, _ in site.nets:
        begins.initiate(name)
    far.wait_for_children(COUNT)


def seconds(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began
