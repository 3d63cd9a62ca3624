"""Route-based ikevd, with a VTI, against libreswan: with a VTI of its own, and policy-based with all to all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

import pytest

from tests.eventually import eventually
from tests.interop.daemon import Ikevd
from tests.interop.libreswan import Libreswan
from tests.interop.node import ip_batch
from tests.interop.sites import Site
from tests.interop.test_route_based import ALL4, THEIRS, links, site_of
from tests.interop.topology import Topology


@contextmanager
def with_a_vti(site: Site) -> Iterator[dict[str, str]]:
    """Made by hand, as its updown script would; its policies and SAs have the mark."""
    here, there = site.there, site.here
    lines = (
        f"link add theirs type vti local {here.address} remote {there.address} key {THEIRS}",
        "link set theirs up",
        f"route add {there.net} dev theirs",
    )
    ip_batch(lines, here.name)
    yield {"mark": f"{THEIRS}/0xffffffff"}
    here.ip("link", "delete", "theirs")


@contextmanager
def policy_based(site: Site) -> Iterator[dict[str, str]]:
    """All to all, but what is between it and its own network, to which it has to forward."""
    net = site.there.net
    own = [f"src {ALL4} dst {net} dir out", f"src {net} dst {ALL4} dir fwd", f"src {net} dst {ALL4} dir in"]
    ip_batch((f"xfrm policy add {selector} priority 1" for selector in own), site.there.name)
    yield {}
    ip_batch((f"xfrm policy delete {selector}" for selector in own), site.there.name)


Peer = Callable[[Site], AbstractContextManager[dict[str, str]]]


@pytest.mark.parametrize("ours", [True, False], ids=["ikevd", "libreswan"])
@pytest.mark.parametrize("peer", [with_a_vti, policy_based])
def test_what_is_routed_crosses_and_nothing_else(topology: Topology, peer: Peer, ours: bool) -> None:
    site = replace(site_of(topology, "vti"), children=(("all4", ALL4, ALL4),), ike="aes128-sha256-modp2048")
    with (
        peer(site) as options,
        Libreswan(topology.gw_b) as pluto,
        Ikevd(topology.gw_a, site.ikevd(), store=True) as ikevd,
    ):
        pluto.configure(site.mirrored(), **options)
        if ours:
            ikevd.up("all4")
        else:
            pluto.bring_up()
        crosses(topology)
        ikevd.kill()
        crosses(topology)
        ikevd.start()
        crosses(topology)
        pluto.forget()
        eventually(lambda: "UP" not in links(topology.gw_a)["tun0"])


def crosses(net: Topology) -> None:
    """Begun on either side, as ESP alone; what is not routed to the interface is in the clear."""
    eventually(lambda: "UP" in links(net.gw_a)["tun0"])
    before = net.wire.seen()
    assert [net.host_a.ping(net.host_b.address, 3), net.host_b.ping(net.host_a.address, 3)] == [3, 3]
    seen = net.wire.seen() - before
    assert (seen.esp, seen.clear) == (12, 0)
    before = net.wire.seen()
    assert net.gw_a.ping(net.router.address, 3) == 3
    assert (net.wire.seen() - before).esp == 0
