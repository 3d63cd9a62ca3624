"""GRE and IPIP within IPsec in transport mode, with strongSwan at the other gateway."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.eventually import eventually
from tests.interop.beginner import EITHER, Beginner, bring_up
from tests.interop.daemon import Ikevd
from tests.interop.inside import PROTOCOLS, Linked, linked
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import Topology

PINGS = 60


@pytest.fixture(scope="module")
def topology() -> Iterator[Topology]:
    """Without IPv6, whose reports of groups the interfaces would carry, too."""
    with Topology() as net:
        yield net


@pytest.fixture(scope="module", params=PROTOCOLS)
def link(topology: Topology, request: pytest.FixtureRequest) -> Iterator[Linked]:
    with linked(topology, request.param) as both:
        yield both


@EITHER
def test_what_is_routed_to_the_interface_crosses(link: Linked, charon_b: StrongSwan, beginner: Beginner) -> None:
    site = link.site()
    charon_b.configure(link.theirs(site))
    with Ikevd(link.net.gw_a, site.ikevd()) as ikevd:
        bring_up(beginner, ikevd, charon_b)
        link.crosses()
        assert ikevd.command("down", "lan").exit_code == 0
        charon_b.wait_for_children(0)


def test_while_the_child_is_down_nothing_leaves_in_the_clear(link: Linked) -> None:
    with Ikevd(link.net.gw_a, link.site().ikevd()):
        before = link.bare()
        assert link.net.host_a.ping(link.net.host_b.address, 3, wait=1) == 0
        assert link.bare() == before
        assert link.net.gw_a.ping(link.net.gw_b.address, 3) == 3, "what is of another protocol passes"


def test_a_packet_for_the_interface_begins_the_tunnel(link: Linked, charon_b: StrongSwan) -> None:
    site = link.site(start="on-demand")
    charon_b.configure(link.theirs(site))
    with Ikevd(link.net.gw_a, site.ikevd()):
        before = link.bare()
        eventually(lambda: link.net.host_a.ping(link.net.host_b.address, 3, wait=3), lambda answers: answers == 3)
        assert link.bare() == before


def test_no_packet_is_lost_while_another_process_takes_over(link: Linked, charon_b: StrongSwan) -> None:
    site = link.site()
    charon_b.configure(link.theirs(site))
    with Ikevd(link.net.gw_a, site.ikevd(), store=True) as ikevd:
        ikevd.up("lan")
        words = ("ping", "-n", "-q", "-c", str(PINGS), "-i", "0.1", "-W", "10", link.net.host_b.address)
        with subprocess.Popen(link.net.host_a.command(*words), stdout=subprocess.PIPE, text=True) as pinging:
            ikevd.kill()
            ikevd.start()
            told, _ = pinging.communicate(timeout=60)
        assert f"{PINGS} received" in told
        assert ikevd.command("rekey", "lan").exit_code == 0
        link.crosses()
