"""Several connections between one pair of addresses: chosen by identity, then by selectors; strongSwan begins."""

from __future__ import annotations

from dataclasses import replace

from tests.interop.daemon import Ikevd
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import Topology

NAMES = ("one", "two")


def net(number: int, name: str) -> tuple[tuple[str, str, str], ...]:
    """10.1.0.0/24 and 10.2.0.0/24, which have hosts, are those of `one`."""
    return ((name, f"10.1.{number}.0/24", f"10.2.{number}.0/24"),)


def theirs(site: Site, name: str) -> str:
    """swanctl.conf of the peer, with that name of the connection."""
    return site.mirrored().swanctl().replace("connections { peer {", f"connections {{ {name} {{")


def test_two_connections_of_strongswans_with_one_identity_are_two_children_of_one_of_ours(
    topology: Topology, charon_b: StrongSwan
) -> None:
    """So there are two ISAKMP SAs of one peer, and the selectors tell which child each Quick Mode is for."""
    children = tuple(child for number, name in enumerate(NAMES) for child in net(number, name))
    site = Site(topology.gw_a, topology.gw_b, children=children, start="passive")
    charon_b.load(
        "\n".join(theirs(replace(site, children=net(number, name)), name) for number, name in enumerate(NAMES))
    )
    with Ikevd(site.here, site.ikevd()) as ikevd:
        for name in NAMES:
            charon_b.initiate(name, name)
        charon_b.wait_for_children(2)
        assert [child["state"] for child in ikevd.status()["connections"][0]["children"]] == ["up", "up"]
        assert topology.host_a.ping(topology.host_b.address, 3) == 3


def test_a_peer_with_two_identities_gets_the_children_of_the_connection_that_names_each(
    topology: Topology, charon_b: StrongSwan
) -> None:
    tunnels = {
        name: Site(
            topology.gw_a, topology.gw_b, remote_id=f"{name}.b.example", start="passive", children=net(number, name)
        )
        for number, name in enumerate(NAMES)
    }
    ours = [tunnel.ikevd().replace("  peer:\n", f"  {name}:\n") for name, tunnel in tunnels.items()]
    charon_b.load("\n".join(theirs(tunnel, name) for name, tunnel in tunnels.items()))
    with Ikevd(topology.gw_a, ours[0] + ours[1].removeprefix("connections:\n")) as ikevd:
        for name in reversed(NAMES):
            charon_b.initiate(name, name)
        charon_b.wait_for_children(2)
        status = ikevd.status()["connections"]
        assert [(each["name"], each["isakmp"][0]["remote_id"], each["children"][0]["state"]) for each in status] == [
            ("one", "one.b.example", "up"),
            ("two", "two.b.example", "up"),
        ]
        assert topology.host_a.ping(topology.host_b.address, 3) == 3
