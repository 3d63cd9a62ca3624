"""Clients of one identity behind one NAT: with a group key each is a peer, else the newest replaces the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.interop.clients import client, hub, outward
from tests.interop.daemon import Ikevd
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import Topology


@pytest.fixture(scope="module")
def net() -> Iterator[Topology]:
    with Topology(nat="a", neighbour=True) as net:
        yield net


def test_two_clients_of_a_group_key_have_a_tunnel_each_and_a_delete_goes_to_its_own(net: Topology) -> None:
    with (
        Ikevd(net.gw_b, hub(net, "group_key: true")),
        StrongSwan(net.gw_a) as first,
        StrongSwan(net.gw_c) as second,
    ):
        for charon, gateway in ((first, net.gw_a), (second, net.gw_c)):
            charon.configure(client(net, gateway))
            charon.bring_up()
        for host in (net.host_a, net.host_c, net.host_a):
            assert host.ping(net.host_b.address, 3) == 3
        assert len(outward(net)) == 2
        first.forget()
        second.wait_for_children(1)
        assert net.host_c.ping(net.host_b.address, 3) == 3
        second.forget()


def test_a_client_that_comes_back_from_another_port_replaces_its_former_self(net: Topology) -> None:
    with Ikevd(net.gw_b, hub(net)), StrongSwan(net.gw_a) as here, StrongSwan(net.gw_c) as there:
        here.configure(client(net, net.gw_a))
        here.bring_up()
        assert net.host_a.ping(net.host_b.address, 3) == 3
        before = outward(net)
        there.configure(replace(client(net, net.gw_c), children=(("lan", net.gw_a.net, net.gw_b.net),)))
        there.bring_up()
        here.wait_for_children(0)
        assert len(outward(net)) == 1
        assert outward(net).isdisjoint(before)
        here.bring_up()
        there.wait_for_children(0)
        assert net.host_a.ping(net.host_b.address, 3) == 3
        here.forget()
