"""Several clients of L2TP behind one NAT, ikevd as their server: told apart by the port that each calls from."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.eventually import eventually
from tests.interop.daemon import Ikevd
from tests.interop.l2tp import CLIENT, INSIDE, SERVER, Xl2tpd, client_site, server
from tests.interop.strongswan import StrongSwan
from tests.interop.topology import Topology


@pytest.fixture(scope="module")
def net() -> Iterator[Topology]:
    with Topology(nat="a", neighbour=True) as net:
        yield net


@pytest.mark.soak
def test_two_that_call_from_different_ports_are_both_served(net: Topology) -> None:
    with (
        server(net),
        Xl2tpd(net.gw_b, SERVER),
        StrongSwan(net.gw_a) as one,
        StrongSwan(net.gw_c) as other,
        Xl2tpd(net.gw_a, CLIENT) as here,
        Xl2tpd(net.gw_c, CLIENT, port=1702) as there,
    ):
        for charon, site in ((one, client_site(net, net.gw_a)), (other, client_site(net, net.gw_c, port=1702))):
            charon.configure(site)
            charon.bring_up()
        here.connect()
        there.connect()
        assert [node.ping(INSIDE, 3) for node in (net.gw_a, net.gw_c, net.gw_a)] == [3, 3, 3]


@pytest.mark.soak
def test_of_two_that_call_from_the_same_port_the_second_is_refused_in_words(net: Topology) -> None:
    with (
        server(net) as ikevd,
        Xl2tpd(net.gw_b, SERVER),
        StrongSwan(net.gw_a) as charon,
        Xl2tpd(net.gw_a, CLIENT) as here,
        Ikevd(net.gw_c, client_site(net, net.gw_c).ikevd()) as second,
    ):
        charon.configure(client_site(net, net.gw_a))
        charon.bring_up()
        here.connect()
        told = second.failing_up("lan")
        assert "INVALID_ID_INFORMATION" in told
        assert told.endswith("or another host behind the same NAT has the same with it already")
        eventually(lambda: "hosts behind one NAT are told apart by their ports, or by `mark: unique`" in ikevd.log)
        assert net.gw_a.ping(INSIDE, 3) == 3, "the first one does not notice"
