"""Dead peer detection with strongSwan, in both roles: who answers, what shows life, what becomes of a dead peer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

import pytest

from tests.eventually import eventually
from tests.interop.blocking import dropped
from tests.interop.daemon import Ikevd
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan
from tests.interop.told import cause, connection, cookies, is_up, state
from tests.interop.topology import Topology

QUICK = "dpd: {delay: 2s, timeout: 2s}"
"""So that no test takes long; what is measured with the default stands in docs/proof.md."""
ANSWERED, ASKED = "N(DPD_ACK)", "N(DPD)"


@pytest.fixture
def site(topology: Topology) -> Site:
    return Site(topology.gw_a, topology.gw_b, options=(QUICK,), start="always")


Loss = Callable[[Topology, StrongSwan, Site], AbstractContextManager[None]]


def silenced(topology: Topology, peer: StrongSwan, site: Site) -> AbstractContextManager[None]:
    """The router drops all that gateway B says."""
    return dropped(topology.router, ("-s", topology.gw_b.address))


@contextmanager
def killed(topology: Topology, peer: StrongSwan, site: Site) -> Iterator[None]:
    """With all that it had, and only then configured again."""
    peer.crash()
    yield
    peer.configure(site.mirrored())


def asking(site: Site) -> str:
    """strongSwan's configuration where it asks each second, and gives up after four."""
    return site.swanctl().replace("version = 1", "version = 1\n dpd_delay = 1s\n dpd_timeout = 4s")


# -- both live


@pytest.mark.parametrize("we_begin", [True, pytest.param(False, marks=pytest.mark.soak)])
def test_strongswan_asks_and_we_answer(charon: StrongSwan, site: Site, *, we_begin: bool) -> None:
    silent = replace(site, options=("dpd: {mode: off}",), start="manual")
    charon.load(asking(silent.mirrored()))
    with Ikevd(silent.here, silent.ikevd()) as ikevd:
        if we_begin:
            ikevd.up("lan")
        else:
            charon.initiate("lan", "peer")
        answered = charon.log.count(ANSWERED)
        eventually(lambda: charon.log.count(ANSWERED) - answered >= 6)
        assert len(charon.list_children()) == 1
        assert len(cookies(ikevd)) == 1
        assert "invalid DPD sequence" not in charon.log


@pytest.mark.parametrize("mode", ["idle", pytest.param("periodic", marks=pytest.mark.soak)])
def test_we_ask_and_strongswan_answers(peer: StrongSwan, site: Site, mode: str) -> None:
    site = replace(site, options=(f"dpd: {{mode: {mode}, delay: 1s, timeout: 4s}}",))
    with Ikevd(site.here, site.ikevd()) as ikevd:
        is_up(ikevd)
        first = cookies(ikevd)
        eventually(lambda: peer.log.count(ASKED) >= 4)
        (isakmp,) = eventually(lambda: connection(ikevd)["isakmp"], lambda seen: seen[0]["heard_seconds"] <= 2)
        assert (isakmp["dpd"], isakmp["heard_by"]) == (True, "IKE")
        assert isakmp["unanswered"] <= 1, "one may be on its way"
        assert cookies(ikevd) == first
        assert "invalid DPD sequence" not in peer.log


def test_after_our_restart_strongswan_takes_our_numbers(peer: StrongSwan, site: Site) -> None:
    with Ikevd(site.here, site.ikevd(), store=True) as ikevd:
        is_up(ikevd)
        first = cookies(ikevd)
        eventually(lambda: peer.log.count(ASKED) >= 2)
        ikevd.kill()
        ikevd.start()
        asked = peer.log.count(ASKED)
        eventually(lambda: peer.log.count(ASKED) - asked >= 3)
        assert cookies(ikevd) == first
        assert state(ikevd) == "up"


# -- signs of life


def test_packets_are_a_sign_of_life_where_ike_is_lost(topology: Topology, peer: StrongSwan, site: Site) -> None:
    ike = ("-s", topology.gw_b.address, "-p", "udp", "--sport", "500")
    with Ikevd(site.here, site.ikevd()) as ikevd:
        is_up(ikevd)
        first = cookies(ikevd)
        with dropped(topology.router, ike):
            assert topology.host_b.ping(topology.host_a.address, 80, interval=0.1, wait=20) == 80
            assert cookies(ikevd) == first
            (isakmp,) = connection(ikevd)["isakmp"]
            assert isakmp["heard_by"] == "ESP"
            eventually(lambda: cookies(ikevd), lambda seen: seen != first)
            assert "by ESP" in ikevd.command("trace", "peer").stdout + ikevd.log
        is_up(ikevd)


def test_packets_in_the_clear_are_none(topology: Topology, peer: StrongSwan, site: Site) -> None:
    """The kernel drops them, and yet they count as a use of the policy that they met."""
    with Ikevd(site.here, site.ikevd()) as ikevd:
        is_up(ikevd)
        first = cookies(ikevd)
        peer.crash()
        assert topology.host_b.ping(topology.host_a.address, 60, interval=0.1, wait=8) == 0
        assert first != cookies(ikevd)
        peer.configure(site.mirrored())
        is_up(ikevd)


# -- dead


@pytest.mark.parametrize(
    ("action", "seen"), [("restart", ("negotiating", "retry")), ("hold", ("waiting",)), ("clear", ("down",))]
)
@pytest.mark.parametrize("lose", [silenced, pytest.param(killed, marks=pytest.mark.soak)])
def test_a_peer_that_is_not_heard_any_more_is_dead(
    topology: Topology, peer: StrongSwan, site: Site, lose: Loss, action: str, seen: tuple[str, ...]
) -> None:
    site = replace(site, options=(QUICK.replace("}", f", action: {action}}}"),))
    with Ikevd(site.here, site.ikevd()) as ikevd:
        is_up(ikevd)
        before = topology.wire.seen()
        with lose(topology, peer, site):
            eventually(lambda: state(ikevd), lambda now: now in seen)
            assert "R-U-THERE within 2 s" in cause(ikevd) or action == "restart"
            assert topology.host_a.ping(topology.host_b.address, 3, wait=1) == 0
        if action == "hold":
            eventually(lambda: topology.host_a.ping(topology.host_b.address, 1, wait=1))
        if action == "clear":
            ikevd.up("lan")
        is_up(ikevd)
        assert topology.host_a.ping(topology.host_b.address, 3) == 3
        assert (topology.wire.seen() - before).clear == 0


def test_a_peer_that_was_killed_and_lost_all_gets_a_new_tunnel(
    topology: Topology, peer: StrongSwan, site: Site
) -> None:
    with Ikevd(site.here, site.ikevd()) as ikevd:
        is_up(ikevd)
        peer.crash()
        peer.configure(site.mirrored())
        began = time.monotonic()
        eventually(lambda: topology.host_a.ping(topology.host_b.address, 1, wait=1))
        print(f"strongSwan killed, delay 2 s, timeout 2 s: packets cross again after {time.monotonic() - began:.1f} s")
        assert "the peer is dead" in ikevd.command("trace", "peer").stdout + ikevd.log


@pytest.mark.soak
def test_by_default_a_peer_that_was_killed_gets_a_new_tunnel_within_the_delay_and_15_s(
    topology: Topology, peer: StrongSwan, site: Site
) -> None:
    with Ikevd(site.here, replace(site, options=()).ikevd()) as ikevd:
        is_up(ikevd)
        assert topology.host_a.ping(topology.host_b.address, 1) == 1
        peer.crash()
        peer.configure(site.mirrored())
        began = time.monotonic()
        eventually(lambda: topology.host_a.ping(topology.host_b.address, 1, wait=1))
        print(f"strongSwan killed, delay 30 s, timeout 8 s: packets cross again after {time.monotonic() - began:.1f} s")


@pytest.mark.soak
def test_a_peer_that_hears_us_and_is_not_heard_learns_that_we_gave_it_up(
    topology: Topology, peer: StrongSwan, site: Site
) -> None:
    site = replace(site, options=(QUICK.replace("}", ", action: clear}"),))
    with Ikevd(site.here, site.ikevd()) as ikevd:
        is_up(ikevd)
        with silenced(topology, peer, site):
            eventually(lambda: state(ikevd), lambda now: now == "down")
            peer.wait_for_children(0)
