"""Silence, told from what the network says: a blocked port, a rejecting router, a host that is not there.

In front of the router stands strongSwan, which would answer.
"""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tests.interop.blocking import dropped, obeying
from tests.interop.daemon import Ikevd
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan, StrongSwanError
from tests.interop.topology import Topology

ROUTER = "192.0.2.254"
BLOCKED = ("-p", "udp", "--dport", "4500")


@pytest.fixture
def site(topology: Topology) -> Site:
    forced = ("encap: force",)
    return Site(topology.gw_a, topology.gw_b, retransmit="{interval: 1s, factor: 1.0, sends: 5}", options=forced)


def screen_of_failing_up(ikevd: Ikevd) -> tuple[str, str]:
    """What `ikevd up` shows, its lines joined, and the cause."""
    done = ikevd.command("up", "lan")
    assert done.exit_code == 1
    return " ".join(done.stdout.split()), done.stderr.strip()


def test_udp_4500_blocked_after_the_float_is_said_so_first(
    topology: Topology, site: Site, charon_b: StrongSwan
) -> None:
    charon_b.configure(site.mirrored(options=()))
    with Ikevd(site.here, site.ikevd()) as ikevd, dropped(topology.router, BLOCKED):
        shown, cause = screen_of_failing_up(ikevd)
    assert "note no answer to MM5 yet: UDP 4500 may be blocked, or the pre-shared keys differ" in shown
    assert re.match(
        r"no answer on UDP port 4500 \(MM5 was sent \d+ times in \d+ s\), while port 500 had worked; ", cause
    )


def test_udp_4500_blocked_after_aggressive_mode_is_the_meaning_of_a_silent_quick_mode(
    topology: Topology, site: Site, charon_b: StrongSwan
) -> None:
    site = replace(site, aggressive=True)
    charon_b.configure(site.mirrored(options=()))
    with Ikevd(site.here, site.ikevd()) as ikevd, dropped(topology.router, BLOCKED):
        shown, cause = screen_of_failing_up(ikevd)
    assert "note no answer to QM1 yet: UDP 4500 may be blocked" in shown
    assert re.match(r"no QM2: QM1 was sent \d+ times in \d+ s; UDP 4500 may be blocked on the way", cause)


@pytest.mark.parametrize("aggressive", [False, True], ids=["main", "aggressive"])
def test_a_router_that_rejects_is_named(topology: Topology, site: Site, aggressive: bool) -> None:
    site = replace(site, aggressive=aggressive)
    with (
        Ikevd(site.here, site.ikevd()) as ikevd,
        obeying(topology.router, ("-p", "udp", "--dport", "500", "-j", "REJECT")),
    ):
        shown, cause = screen_of_failing_up(ikevd)
    assert f"note 198.51.100.1:500: port unreachable, says {ROUTER} (ICMP)" in shown
    assert cause.startswith(f"198.51.100.1:500: port unreachable, says {ROUTER} (ICMP); no ")


@pytest.mark.parametrize(
    ("address", "what"), [("198.51.100.77", "host unreachable"), ("203.0.113.9", "network unreachable")]
)
def test_a_router_that_finds_no_way_is_named(site: Site, address: str, what: str) -> None:
    with Ikevd(site.here, site.ikevd().replace("198.51.100.1", address)) as ikevd:
        _, cause = screen_of_failing_up(ikevd)
    assert cause.startswith(f"{address}:500: {what}, says {ROUTER} (ICMP); no MM2: MM1 was sent 5 times")


def test_what_the_responder_refused_stands_in_its_status_and_trace(site: Site, charon_b: StrongSwan) -> None:
    charon_b.configure(site.mirrored(ike="aes256-sha1-modp1024", options=()))
    with Ikevd(site.here, site.ikevd()) as ikevd:
        with pytest.raises(StrongSwanError):
            charon_b.initiate("lan", timeout=10)
        (refused,) = ikevd.status()["refused"]
        screen, trace = ikevd.command("status").stdout, ikevd.command("trace", "peer").stdout
    assert (refused["peer"], refused["finding"]["kind"]) == ("198.51.100.1:500", "nearest_miss")
    assert "198.51.100.1:500, Main Mode, peer" in screen
    assert "INFO  ──▶  N NO_PROPOSAL_CHOSEN" in trace


def test_packets_that_come_have_an_age_and_forced_encapsulation_is_no_nat(
    topology: Topology, site: Site, charon_b: StrongSwan
) -> None:
    charon_b.configure(site.mirrored(options=()))
    with Ikevd(site.here, site.ikevd()) as ikevd:
        ikevd.up("lan")
        (before,) = ikevd.status()["connections"][0]["children"]
        assert topology.host_a.ping(topology.host_b.address, 3) == 3
        (connection,) = ikevd.status()["connections"]
        screen = ikevd.command("status").stdout
    (after,) = connection["children"]
    assert before["last_in_seconds"] is None
    assert after["last_in_seconds"] is not None
    assert after["one_way_seconds"] is None
    assert connection["isakmp"][0]["nat"] == {
        "method": "RFC 3947",
        "local": False,
        "remote": False,
        "forced": True,
        "tried": False,
    }
    assert "ESP in UDP as `encap: force` wants it" in screen
