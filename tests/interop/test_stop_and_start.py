"""What becomes of tunnels when ikevd ends and another one starts, as the operator wants it."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from ikevd.cli.run import UNUSABLE
from tests.eventually import eventually
from tests.interop.daemon import Ikevd
from tests.interop.flood_ping import INTERVAL, FloodPing
from tests.interop.kills import STANDS, OppositeStrongSwan, Restarts, site_of
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import Topology
from tests.interop.xfrm import XfrmPolicy

NOBODY = "listen: {holder: false}\n"


@contextmanager
def tunnel(topology: Topology, charon: StrongSwan, site: Site, more: str = "") -> Iterator[tuple[Ikevd, Restarts]]:
    """Up, with an ikevd that has a store."""
    charon.load(site.mirrored(options=()).swanctl())
    with Ikevd(site.here, site.ikevd() + more, store=True) as ikevd:
        yield ikevd, Restarts(topology, ikevd, OppositeStrongSwan(charon))


@pytest.fixture
def site(topology: Topology) -> Site:
    return site_of(topology)


# -- all is taken down


def ctrl_c(ikevd: Ikevd) -> None:
    assert ikevd.stop(signal.SIGINT) == 0


def sigterm(ikevd: Ikevd) -> None:
    assert ikevd.stop() == 0


def down_all(ikevd: Ikevd) -> None:
    assert ikevd.command("down", "--all").exit_code == 0


@pytest.mark.parametrize(
    ("more", "end"), [("", ctrl_c), ("on_stop: down\n", sigterm), ("", down_all)], ids=["ctrl-c", "on-stop", "down-all"]
)
def test_the_operator_takes_down(
    topology: Topology, charon_b: StrongSwan, site: Site, more: str, end: Callable[[Ikevd], None]
) -> None:
    with tunnel(topology, charon_b, site, more) as (ikevd, _):
        end(ikevd)
        assert site.here.xfrm_state() == []
        charon_b.wait_for_children(0)
        eventually(lambda: charon_b.list_sas() == [])
        gates = {policy.action for policy in site.here.xfrm_policy() if policy.templates and policy.direction == "out"}
        assert gates == ({"block"} if end is down_all else set())


# -- SIGTERM hands over


def test_after_sigterm_no_sa_outlives_what_is_left_of_its_life(
    topology: Topology, charon_b: StrongSwan, site: Site
) -> None:
    with tunnel(topology, charon_b, site) as (ikevd, restarts):
        before = restarts.standing()
        assert ikevd.stop() == 0
        assert restarts.standing() == before
        limits = [re.search(r"expire add: .*hard (\d+)\(sec\)", sa.text) for sa in site.here.xfrm_state()]
        assert all(limit and 0 < int(limit[1]) <= 3601 for limit in limits), limits  # counted in whole seconds
        assert topology.host_a.ping(topology.host_b.address, 3) == 3
        assert "ikevd down --all" in ikevd.log
        ikevd.start()
        assert restarts.standing() == before


# -- nobody holds the sockets


@pytest.mark.parametrize("options", [(), ("encap: force",)], ids=["native", "udp"])
def test_without_a_holder_esp_in_udp_is_lost_until_the_next_ikevd_has_its_socket(
    topology: Topology, charon_b: StrongSwan, options: tuple[str, ...]
) -> None:
    with tunnel(topology, charon_b, site_of(topology, *options), NOBODY) as (ikevd, restarts):
        before = restarts.standing()
        with FloodPing(topology.host_a, topology.host_b.address) as flood:
            ikevd.kill()
            ikevd.start()
            lost = flood.lost()
        print(f"{lost} packets lost: {lost * INTERVAL:.2f} s")
        assert bool(lost) == bool(options)
        assert restarts.standing() == before


# -- the file is another one


def test_a_connection_that_changed_meanwhile_says_delete_and_comes_up_anew(
    topology: Topology, charon_b: StrongSwan, site: Site
) -> None:
    with tunnel(topology, charon_b, site) as (ikevd, restarts):
        before = restarts.standing()
        ikevd.kill()
        file = ikevd.directory / "ikevd.yaml"
        file.write_text(file.read_text().replace("start: manual", "start: always"))
        ikevd.start()
        eventually(lambda: topology.host_a.ping(topology.host_b.address, 1) == 1)
        charon_b.wait_for_children(2)
        after = eventually(restarts.standing, lambda standing: len(standing.isakmp) == 1)
        assert not after.isakmp & before.isakmp
        assert not after.sas & before.sas
        assert "received DELETE for" in charon_b.log


def test_under_another_name_nothing_of_a_connection_leaves_in_the_clear_and_the_peer_hears_delete(
    topology: Topology, charon_b: StrongSwan, site: Site
) -> None:
    with (
        tunnel(topology, charon_b, site) as (ikevd, restarts),
        FloodPing(topology.host_a, topology.host_b.address) as ping,
    ):
        before = topology.wire.clear_from(site.here.net)
        ikevd.kill()
        file = ikevd.directory / "ikevd.yaml"
        file.write_text(file.read_text().replace("  peer:", "  renamed:"))
        ikevd.start()
        eventually(lambda: not restarts.standing().sas)
        eventually(charon_b.list_sas, lambda sas: not sas)
        assert "received DELETE for" in charon_b.log
        ikevd.up(STANDS)
        assert ping.lost() > 0
        assert topology.wire.clear_from(site.here.net) == before
        assert "removed what an earlier ikevd left" not in ikevd.log
    assert site.here.xfrm_policy() == []


def test_another_ikevd_of_this_machine_whose_connection_has_the_same_name_keeps_its_own(
    topology: Topology, charon_b: StrongSwan, site: Site
) -> None:
    gateway, second = site.here, "192.0.2.77"
    gateway.ip("address", "add", f"{second}/32", "dev", "wan")
    there = replace(site, children=((STANDS, "10.7.0.0/24", "10.8.0.0/24"),)).ikevd().replace(gateway.address, second)
    here = f"listen: {{addresses: ['{gateway.address}']}}\n"

    def of_the_other() -> set[XfrmPolicy]:
        return {policy for policy in gateway.xfrm_policy() if "10.7.0.0/24" in (policy.src, policy.dst)}

    with (
        tunnel(topology, charon_b, site, here) as (ikevd, restarts),
        Ikevd(gateway, f"{there}listen: {{addresses: ['{second}']}}\n", store=True) as other,
    ):
        kept, before = of_the_other(), restarts.standing()
        assert {policy.gate for policy in kept} == {("in", "allow"), ("fwd", "allow"), ("out", "block")}
        assert {policy.templates[0].reqid for policy in kept} <= {state.reqid for state in gateway.xfrm_state()}
        ikevd.kill()
        ikevd.start()
        assert (of_the_other(), restarts.standing()) == (kept, before)
        other.kill()
        other.start()
        assert (of_the_other(), restarts.standing()) == (kept, before)
        ikevd.kill()
        file = ikevd.directory / "ikevd.yaml"
        file.write_text(file.read_text().replace("  peer:", "  renamed:"))
        ikevd.start()
        assert of_the_other() == kept
        eventually(lambda: not gateway.xfrm_state())


def test_a_file_that_cannot_be_used_leaves_what_stands(topology: Topology, charon_b: StrongSwan, site: Site) -> None:
    with tunnel(topology, charon_b, site) as (ikevd, restarts):
        before = restarts.standing()
        file = ikevd.directory / "ikevd.yaml"
        good = file.read_text()
        ikevd.kill()
        file.write_text(good.replace("remote:", "remoote:"))
        ikevd.launch()
        assert ikevd.process.wait(30) == UNUSABLE
        assert "remoote" in ikevd.log
        assert restarts.standing() == before
        assert topology.host_a.ping(topology.host_b.address, 3) == 3
        file.write_text(good)
        ikevd.start()
        assert restarts.standing() == before
        assert STANDS in ikevd.command("status").stdout
