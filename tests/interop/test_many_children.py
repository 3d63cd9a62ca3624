"""Many children of one peer: all down is a handful of packets, which the peer understands, and one screen."""

from __future__ import annotations

import time

import pytest

from ikevd.conversation.timing import FAREWELL
from tests.eventually import eventually
from tests.interop.daemon import Ikevd
from tests.interop.many import in_one_entry, site_of
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import Topology

COUNT = 60
SCREEN = 24
"""Lines."""


@pytest.mark.parametrize("name", ["lan", "peer"], ids=["its children", "the connection"])
def test_sixty_children_go_down_and_up(topology: Topology, charon_b: StrongSwan, name: str) -> None:
    site = site_of(topology, COUNT)
    charon_b.load(site.mirrored().swanctl())
    with Ikevd(site.here, in_one_entry(site)) as ikevd:
        ikevd.up("lan")
        charon_b.wait_for_children(COUNT)
        before, began = topology.wire.seen(), time.monotonic()
        done = ikevd.command("down", name)
        assert (done.exit_code, site.here.xfrm_state()) == (0, [])
        assert len(done.stdout.splitlines()) <= SCREEN, done.stdout
        charon_b.wait_for_children(0)
        eventually(lambda: site.there.xfrm_state() == [])
        took = time.monotonic() - began
        deletes = 1 if name == "lan" else 2  # and that of the ISAKMP SA
        time.sleep(8)  # until the last copy has left
        packets = (topology.wire.seen() - before).ike
        print(f"{COUNT} children down in {took:.1f} s, {packets} packets, {len(done.stdout.splitlines())} lines")
        assert packets <= deletes * FAREWELL.sends
        ikevd.up("lan")
        charon_b.wait_for_children(COUNT)
