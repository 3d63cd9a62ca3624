"""ikevd.service under a real systemd: started, reloaded, restarted, killed, hung, stopped, with packets under way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pytest

from ikevd.cli.run import UNUSABLE
from tests.eventually import eventually
from tests.interop.flood_ping import FloodPing
from tests.interop.machine import TRIXIE, Machine
from tests.interop.node import CommandFailed
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import Topology

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]

NATIVE, UDP = (), ("encap: force",)
LISTENING = 4
"""Sockets: two ports, two families."""
QUICK_WATCHDOG = "[Service]\nWatchdogSec=5\n"


@dataclass(frozen=True)
class Tunnel:
    """Between the machine and strongSwan, brought up by `systemctl start`."""

    topology: Topology
    machine: Machine
    charon: StrongSwan

    def standing(self) -> tuple[object, ...]:
        """What neither side may lose: SAs of the kernel, ISAKMP SAs, and how many Main Modes there were."""
        sas = frozenset((sa.spi, sa.src, sa.dst) for sa in self.topology.gw_a.xfrm_state() if sa.enc_key)
        isakmp = frozenset(str(sa["initiator-spi"]) for sa in self.charon.list_sas())
        return sas, isakmp, self.charon.log.count("Main Mode IKE_SA")

    def pings(self) -> int:
        """Of three."""
        return self.topology.host_a.ping(self.topology.host_b.address, 3)

    def rekeyed_under_the_old_isakmp_sa(self) -> bool:
        """The daemon that runs now can do more than leave things alone."""
        *_, end = self.machine.client.rekey("lan", 60)
        return bool(end["ok"]) and self.pings() == 3


def started(
    topology: Topology,
    charon: StrongSwan,
    machine: Machine,
    options: tuple[str, ...] = NATIVE,
    more: str = "",
    drop_in: str = "",
) -> Tunnel:
    """Configures both sides, starts ikevd and waits for the child."""
    site = Site(topology.gw_a, topology.gw_b, options=options, start="always")
    charon.load(site.mirrored(options=()).swanctl())
    machine.configure(site.ikevd() + more)
    if drop_in:
        machine.drop_in(drop_in)
    machine.systemctl("start", "ikevd")
    charon.wait_for_children(1)
    eventually(lambda: len(topology.gw_a.xfrm_state()) == 2)
    return Tunnel(topology, machine, charon)


@pytest.fixture
def tunnel(topology: Topology, charon_b: StrongSwan, machine: Machine) -> Callable[..., Tunnel]:
    """`started` on this machine."""
    return partial(started, topology, charon_b, machine)


def runs_again(machine: Machine, former: str) -> bool:
    """Does another main process say that it is ready?"""
    return machine.show("MainPID") not in (former, "0") and machine.show("ActiveState") == "active"


# -- start


def test_start_returns_when_the_daemon_is_ready(machine: Machine, tunnel: Callable[..., Tunnel]) -> None:
    tunnel()
    assert machine.show("ActiveState") == "active"
    assert machine.show("StatusText").endswith("is ready")
    assert machine.status()["connections"]
    assert machine.show("NFileDescriptorStore") == str(LISTENING)


def test_a_configuration_that_cannot_be_used_fails_at_once_and_is_not_tried_again(machine: Machine) -> None:
    machine.configure("connections: {peer: {}}\n")
    with pytest.raises(CommandFailed):
        machine.systemctl("start", "ikevd")
    assert machine.show("ExecMainStatus") == str(UNUSABLE)
    assert (machine.show("ActiveState"), machine.show("NRestarts")) == ("failed", "0")
    assert "/etc/ikevd/ikevd.yaml" in machine.log()


# -- what follows a start


def restart(machine: Machine) -> None:
    machine.systemctl("restart", "ikevd")


def crash(machine: Machine) -> None:
    machine.systemctl("kill", "--signal=KILL", "--kill-whom=main", "ikevd")


def hang(machine: Machine) -> None:
    """The watchdog of systemd notices."""
    machine.systemctl("kill", "--signal=STOP", "--kill-whom=main", "ikevd")


@pytest.mark.parametrize("options", [NATIVE, UDP], ids=["native", "udp"])
@pytest.mark.parametrize(("end", "result"), [(restart, ""), (crash, "signal"), (hang, "watchdog")])
def test_the_next_daemon_goes_on_and_no_packet_is_lost(
    machine: Machine,
    tunnel: Callable[..., Tunnel],
    options: tuple[str, ...],
    end: Callable[[Machine], None],
    result: str,
) -> None:
    standing = tunnel(options, drop_in=QUICK_WATCHDOG)
    before, former = standing.standing(), machine.show("MainPID")
    with FloodPing(standing.topology.host_a, standing.topology.host_b.address) as flood:
        end(machine)
        eventually(lambda: runs_again(machine, former))
        assert standing.standing() == before
        assert (flood.lost(), flood.missing) == (0, [])
    assert machine.show("NFileDescriptorStore") == str(LISTENING)
    assert machine.show("NRestarts") == ("1" if result else "0")
    assert not result or f"Failed with result '{result}'" in machine.log()
    assert standing.rekeyed_under_the_old_isakmp_sa()
    assert standing.standing()[1:] == before[1:]


# -- reload


def test_reload_waits_until_the_new_file_is_carried_out(machine: Machine, tunnel: Callable[..., Tunnel]) -> None:
    standing = tunnel()
    before, former = standing.standing(), machine.show("MainPID")
    text = machine.configuration()
    machine.configure(
        text.replace("children:\n", "children:\n      dmz: {local: 10.1.1.0/24, remote: 10.2.1.0/24, start: manual}\n")
    )
    machine.systemctl("reload", "ikevd")
    (connection,) = machine.status()["connections"]
    assert {child["name"] for child in connection["children"]} == {"lan", "dmz"}
    assert (standing.standing(), machine.show("MainPID")) == (before, former)


def test_reload_of_a_broken_file_fails_with_what_is_wrong_and_changes_nothing(
    machine: Machine, tunnel: Callable[..., Tunnel]
) -> None:
    standing = tunnel()
    before, former = standing.standing(), machine.show("MainPID")
    machine.configure(machine.configuration().replace("remote:", "remotely:"))
    with pytest.raises(CommandFailed):
        machine.systemctl("reload", "ikevd")
    assert "remotely" in machine.log()
    assert (machine.show("ActiveState"), machine.show("MainPID")) == ("active", former)
    assert standing.standing() == before


# -- stop


def test_stop_keeps_the_tunnel_and_what_is_known_of_it(machine: Machine, tunnel: Callable[..., Tunnel]) -> None:
    standing = tunnel()
    before = standing.standing()
    machine.systemctl("stop", "ikevd")
    assert machine.show("Result") == "success"
    assert standing.standing() == before
    assert standing.pings() == 3
    assert "store" in machine.run("ls", "/run/ikevd").split()
    machine.systemctl("start", "ikevd")
    assert standing.standing() == before
    assert standing.rekeyed_under_the_old_isakmp_sa()


def test_on_stop_down_tells_the_peer(machine: Machine, tunnel: Callable[..., Tunnel]) -> None:
    standing = tunnel(more="on_stop: down\n")
    machine.systemctl("stop", "ikevd")
    assert machine.show("Result") == "success"
    eventually(lambda: standing.charon.list_sas() == [])


def test_systemd_252_closes_the_sockets_at_stop(machine: Machine, tunnel: Callable[..., Tunnel]) -> None:
    standing = tunnel(UDP)
    machine.systemctl("stop", "ikevd")
    assert machine.show("NFileDescriptorStore") == "0"
    assert standing.pings() == 0


def test_systemd_257_holds_the_sockets_over_stop(topology: Topology, charon_b: StrongSwan) -> None:
    with Machine(topology.gw_a, TRIXIE) as machine:
        machine.switch_on()
        machine.systemctl("enable", "ikevd")  # it forgets those of a unit that nothing refers to
        standing = started(topology, charon_b, machine, UDP)
        before = standing.standing()
        machine.systemctl("stop", "ikevd")
        assert machine.show("NFileDescriptorStore") == str(LISTENING)
        assert standing.pings() == 3
        machine.systemctl("start", "ikevd")
        assert standing.pings() == 3
        assert standing.rekeyed_under_the_old_isakmp_sa()
        assert standing.standing()[1:] == before[1:]
        machine.switch_off()
