"""Children for marked packets: what the firewall marks is theirs, and equal networks stand side by side."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.interop.beginner import EITHER, Beginner, bring_up
from tests.interop.clients import client, hub
from tests.interop.daemon import Ikevd
from tests.interop.node import Node
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import Topology
from tests.interop.xfrm import XfrmState

MARK = "0x4200/0xff00"
MARKED = f"mark: {MARK}, set_mark_in: same"
PINGS = 3
SPY = """#!/bin/sh
case $PLUTO_VERB in up-*) echo "$PLUTO_UDP_ENC $PLUTO_MARK_OUT" >> {found};; esac
"""


def with_marks(text: str, keys: str) -> str:
    """The file of a site whose children have these keys, too."""
    assert "{local:" in text
    return text.replace("{local:", f"{{{keys}, local:")


@contextmanager
def marking(gateway: Node, mark: str) -> Iterator[None]:
    """What comes from the network behind it gets the mark."""
    rule = ("PREROUTING", "-i", "lan", "-j", "MARK", "--set-xmark", mark)
    gateway.run("iptables-legacy", "-t", "mangle", "-A", *rule)
    yield
    gateway.run("iptables-legacy", "-t", "mangle", "-D", *rule)


def marks(gateway: Node) -> set[str]:
    """Of its policies."""
    lines = gateway.ip("xfrm", "policy").splitlines()
    return {line.strip() for line in lines if line.strip().startswith("mark ")}


@EITHER
def test_marked_packets_take_the_tunnel_and_others_do_not(
    topology: Topology, charon_b: StrongSwan, beginner: Beginner
) -> None:
    net, site = topology, Site(topology.gw_a, topology.gw_b)
    charon_b.configure(site.mirrored())
    with Ikevd(net.gw_a, with_marks(site.ikevd(), MARKED), store=True) as ikevd:
        bring_up(beginner, ikevd, charon_b)
        assert marks(net.gw_a) == {"mark 0x4200/0xff00"}
        net.host_a.ping(net.host_b.address, 1, wait=1)
        assert net.wire.clear_from(net.gw_a.net) > 0, "without the mark it is no packet of the child"
        net.wire.forget()
        with marking(net.gw_a, MARK):
            assert net.host_a.ping(net.host_b.address, PINGS) == PINGS
            ikevd.kill()
            assert net.host_a.ping(net.host_b.address, PINGS) == PINGS
            ikevd.start()
            assert net.host_a.ping(net.host_b.address, PINGS) == PINGS
        assert net.wire.clear_from(net.gw_a.net) == 0
    assert net.gw_a.xfrm_state() == []
    assert net.gw_a.xfrm_policy() == []


@EITHER
@pytest.mark.xfrm_interface
def test_what_is_routed_to_an_interface_of_somebody_else_takes_the_tunnel(
    topology: Topology, charon_b: StrongSwan, beginner: Beginner
) -> None:
    net, site = topology, Site(topology.gw_a, topology.gw_b)
    charon_b.configure(site.mirrored())
    net.gw_a.ip("link", "add", "theirs", "type", "xfrm", "dev", "wan", "if_id", "42")
    net.gw_a.ip("link", "set", "theirs", "up")
    net.gw_a.ip("route", "add", net.gw_b.net, "dev", "theirs")
    with Ikevd(net.gw_a, with_marks(site.ikevd(), "if_id: 42"), store=True) as ikevd:
        bring_up(beginner, ikevd, charon_b)
        net.wire.forget()
        assert net.host_a.ping(net.host_b.address, PINGS) == PINGS
        ikevd.kill()
        ikevd.start()
        assert net.host_a.ping(net.host_b.address, PINGS) == PINGS
        assert {state.if_id for state in net.gw_a.xfrm_state()} == {42}
        assert net.wire.clear_from(net.gw_a.net) == 0
    assert "theirs" in net.gw_a.ip("link")
    net.gw_a.ip("link", "delete", "theirs")
    assert net.gw_a.xfrm_state() == []
    assert net.gw_a.xfrm_policy() == []


@pytest.fixture(scope="module")
def behind_one_nat() -> Iterator[Topology]:
    with Topology(nat="a", neighbour=True) as net:
        net.gw_c.ip("addr", "add", f"{net.host_a.address}/32", "dev", "lo")
        yield net


def of_client(net: Topology, udp_port: int) -> XfrmState:
    """The hub's SA to it."""
    (found,) = [one for one in net.gw_b.xfrm_state() if one.encap == (4500, udp_port)]
    return found


def told(path: Path) -> dict[int, str]:
    """The mark of each client, by its UDP port, as the updown program found them."""
    lines = path.read_text().splitlines() if path.exists() else []
    return {int(port): mark for port, mark in (line.split() for line in lines)}


def test_two_clients_behind_one_nat_have_the_same_network_each_with_a_mark_of_its_own(
    behind_one_nat: Topology, tmp_path: Path
) -> None:
    net, program, found = behind_one_nat, tmp_path / "updown", tmp_path / "marks"
    program.write_text(
        f'#!/bin/sh\ncase $PLUTO_VERB in up-*) echo "$PLUTO_UDP_ENC $PLUTO_MARK_OUT" >> {found};; esac\n'
    )
    program.chmod(0o755)
    text = with_marks(hub(net, "group_key: true", f"updown: {program}"), "mark: unique, set_mark_in: same")
    with (
        Ikevd(net.gw_b, text, store=True) as ikevd,
        StrongSwan(net.gw_a) as here,
        StrongSwan(net.gw_c) as there,
    ):
        here.configure(client(net, net.gw_a))
        here.bring_up()
        there.configure(replace(client(net, net.gw_c), children=(("lan", net.gw_a.net, net.gw_b.net),)))
        there.bring_up()
        by_port = eventually(lambda: told(found), lambda known: len(known) == 2)
        assert len(set(by_port.values())) == 2
        for again in (False, True):
            if again:
                ikevd.kill()
                ikevd.start()
            for port, mark in by_port.items():
                before = {each: of_client(net, each).packets for each in by_port}
                with marking(net.gw_b, mark):
                    assert net.host_b.ping(net.host_a.address, PINGS) == PINGS
                carried = {each: of_client(net, each).packets - before[each] for each in by_port}
                assert carried == {each: PINGS if each == port else 0 for each in by_port}
        here.forget()
        there.forget()
    assert net.gw_b.xfrm_state() == []
    assert net.gw_b.xfrm_policy() == []
