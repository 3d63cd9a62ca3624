"""What of the packet around a packet follows the one inside, and how long it is: seen on the wire."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.eventually import eventually
from tests.interop.beginner import EITHER, Beginner, bring_up
from tests.interop.daemon import Ikevd
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import Topology
from tests.interop.wire import Frame, Wire

PINGS = 3
URGENT = 0xB8 | 2
"""Expedited forwarding, and able to be told of congestion (ECT 0)."""
CONGESTED = 0x28 | 3
"""Another class of traffic, in which a router was congested (CE)."""


def with_keys(site: Site, keys: str) -> str:
    return site.ikevd().replace("{local:", f"{{{keys}, local:")


def tos(frame: Frame) -> int:
    return frame.packet[1]


def has_df(frame: Frame) -> bool:
    return bool(frame.packet[6] & 0x40)


def of_gateway(net: Topology, address: str) -> list[Frame]:
    """Its packets of ESP."""
    source = bytes(map(int, address.split(".")))
    return [frame for frame in net.wire.frames() if frame.kind == "esp" and frame.packet[12:16] == source]


@contextmanager
def congested_router(net: Topology) -> Iterator[None]:
    """It marks what goes to gateway A."""
    rule = ("FORWARD", "-o", "a", "-p", "esp", "-j", "TOS", "--set-tos", f"{CONGESTED:#x}")
    net.router.run("iptables-legacy", "-t", "mangle", "-A", *rule)
    yield
    net.router.run("iptables-legacy", "-t", "mangle", "-D", *rule)


def ping(net: Topology) -> None:
    urgent = ("ping", "-n", "-q", "-c", str(PINGS), "-i", "0.1", "-w", "10", "-M", "do", "-Q", f"{URGENT:#x}")
    assert f"{PINGS} received" in net.host_a.run(*urgent, net.host_b.address)


def leaves_with_df(net: Topology) -> bool:
    """Does the last of some packets?"""
    ping(net)
    return has_df(of_gateway(net, net.gw_a.address)[-1])


@EITHER
@pytest.mark.parametrize(
    ("keys", "outside", "df", "inside"),
    [
        pytest.param("copy_df: true", 0xBA, True, 0xBB, id="defaults"),
        pytest.param("copy_df: false", 0xBA, False, 0xBB, id="df"),
        pytest.param("copy_ecn: false", 0xB8, True, 0xBA, id="ecn"),
        pytest.param("copy_dscp: no", 0x02, True, 0xBB, id="dscp no"),
        pytest.param("copy_dscp: in", 0x02, True, 0x2B, id="dscp in"),
        pytest.param("copy_dscp: yes", 0xBA, True, 0x2B, id="dscp yes"),
    ],
)
def test_what_of_the_outer_header_follows_the_inner_one(
    topology: Topology, charon_b: StrongSwan, beginner: Beginner, keys: str, outside: int, df: bool, inside: int
) -> None:
    """`outside`: of what leaves; `inside`: of an answer that a congested router has marked."""
    net, site = topology, Site(topology.gw_a, topology.gw_b)
    charon_b.configure(site.mirrored())
    with Ikevd(net.gw_a, with_keys(site, keys)) as ikevd, congested_router(net):
        bring_up(beginner, ikevd, charon_b)
        net.wire.forget()
        arriving = Wire(net.host_a)
        ping(net)
        leaving = of_gateway(net, net.gw_a.address)
        answers = [frame for frame in arriving.frames() if frame.kind == "clear" and frame.packet[9] == 1]
        arriving.close()
    assert [(tos(frame), has_df(frame)) for frame in leaving] == [(outside, df)] * PINGS
    assert [tos(frame) for frame in answers] == [inside] * PINGS
    assert net.gw_a.xfrm_state() == []


@EITHER
@pytest.mark.parametrize(("padding", "least"), [("1000", 1040), ("mtu", 1440)])
def test_every_packet_is_as_long_as_the_others(
    topology: Topology, charon_b: StrongSwan, beginner: Beginner, padding: str, least: int
) -> None:
    net, site = topology, Site(topology.gw_a, topology.gw_b)
    charon_b.configure(site.mirrored())
    with Ikevd(net.gw_a, with_keys(site, f"tfc_padding: {padding}")) as ikevd:
        bring_up(beginner, ikevd, charon_b)
        net.wire.forget()
        for size in (16, 200, 800):
            assert net.host_a.ping(net.host_b.address, 2, size=size) == 2
        (length,) = {len(frame.packet) for frame in of_gateway(net, net.gw_a.address)}
        assert least <= length <= 1500
        answers = {len(frame.packet) for frame in of_gateway(net, net.gw_b.address)}
        assert len(answers) == 3, "the peer fills nothing up"
    assert net.gw_a.xfrm_state() == []


@pytest.mark.soak
def test_it_holds_over_a_kill_and_a_rekeying_and_a_reload_changes_it(topology: Topology, charon_b: StrongSwan) -> None:
    net, site = topology, Site(topology.gw_a, topology.gw_b, start="always")
    charon_b.configure(site.mirrored())
    with Ikevd(net.gw_a, with_keys(site, "copy_df: false"), store=True) as ikevd:
        charon_b.wait_for_children(1)
        ikevd.kill()
        ikevd.start()
        standing = {state.spi for state in net.gw_a.xfrm_state()}
        charon_b.rekey("lan")
        eventually(lambda: not standing & {state.spi for state in net.gw_a.xfrm_state()}, within=60)
        net.wire.forget()
        assert not leaves_with_df(net)
        path = ikevd.directory / "ikevd.yaml"
        path.write_text(path.read_text().replace("copy_df: false", "copy_df: true"))
        assert "copy_df" in ikevd.command("reload", "--dry-run").output
        assert ikevd.command("reload").exit_code == 0
        net.wire.forget()
        eventually(lambda: leaves_with_df(net), within=60)
        assert net.wire.clear_from(net.gw_a.net) == 0
    assert net.gw_a.xfrm_state() == []
    assert net.gw_a.xfrm_policy() == []
