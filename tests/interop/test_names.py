"""A peer that has a name, which is resolved on this machine: it is called there, and what is up does not notice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.interop.daemon import Ikevd
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import Topology

NAME = "gw-b.example.net"
NOBODY = "198.51.100.99"
HOSTS = Path("/etc/hosts")


@pytest.fixture
def resolves_to() -> Iterator[Callable[[str], None]]:
    """Says what the name means from now on."""
    before = HOSTS.read_text()
    yield lambda address: (HOSTS.write_text(f"{before}\n{address} {NAME}\n"), None)[1]
    HOSTS.write_text(before)


def test_a_name_that_changes_is_followed_while_the_tunnel_is_down_and_only_then(
    topology: Topology, charon_b: StrongSwan, resolves_to: Callable[[str], None]
) -> None:
    site = Site(topology.gw_a, topology.gw_b, remote_id=topology.gw_b.address)
    charon_b.configure(site.mirrored(remote_id=""))
    text = site.ikevd().replace(f"remote: '{site.addresses[1]}'", f"remote: {NAME}", 1)
    resolves_to(NOBODY)
    with Ikevd(topology.gw_a, text.replace("start: manual", "start: always")) as ikevd:
        eventually(lambda: ikevd.status()["connections"][0]["negotiating"])
        resolves_to(topology.gw_b.address)
        charon_b.wait_for_children(1)
        assert topology.host_a.ping(topology.host_b.address, 3) == 3
        resolves_to(NOBODY)
        assert ikevd.command("rekey", "peer").exit_code == 0
        assert topology.host_a.ping(topology.host_b.address, 5, interval=0.1) == 5
        assert ikevd.status()["connections"][0]["remote"] == NAME
        charon_b.forget()
