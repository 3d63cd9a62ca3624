"""A site with many children of one peer."""

from __future__ import annotations

from dataclasses import replace

from tests.interop.sites import Site
from tests.interop.topology import Topology


def site_of(topology: Topology, count: int) -> Site:
    """One entry of the file makes all children: `lan[1]`, `lan[2]` and so on."""
    site = Site(topology.gw_a, topology.gw_b)
    return replace(site, children=tuple((f"net{n}", f"10.1.{n}.0/24", "10.2.0.0/24") for n in range(count)))


def in_one_entry(site: Site) -> str:
    """ikevd.yaml with one child of many networks."""
    ours = ", ".join(net for _, net, _ in site.nets)
    plain = replace(site, children=(("lan", "HERE", "10.2.0.0/24"),)).ikevd()
    return plain.replace("'HERE'", f"[{ours}]")
