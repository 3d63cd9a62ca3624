"""`unique: keep` with two strongSwan of one identity behind one NAT: who lives keeps the place, who has crashed does
not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import pytest

from tests.eventually import eventually
from tests.interop.clients import client, hub, outward
from tests.interop.daemon import Ikevd
from tests.interop.sites import Site
from tests.interop.strongswan import StrongSwan, StrongSwanError
from tests.interop.topology import Topology

REFUSED = "it is refused (unique: keep)"


@pytest.fixture(scope="module")
def net() -> Iterator[Topology]:
    with Topology(nat="a", neighbour=True) as net:
        yield net


def other(net: Topology) -> Site:
    """Another machine with the first one's identity, which asks for its network."""
    return replace(client(net, net.gw_c), children=(("lan", net.gw_a.net, net.gw_b.net),))


def comes(client: StrongSwan) -> bool:
    """Does it get its tunnel now?"""
    try:
        client.initiate("lan", "peer", timeout=20)
    except StrongSwanError:
        return False
    return True


@pytest.mark.soak
def test_a_living_client_keeps_its_place_and_one_that_has_crashed_loses_it_at_once(net: Topology) -> None:
    with (
        Ikevd(net.gw_b, hub(net, "unique: keep")) as ikevd,
        StrongSwan(net.gw_a) as here,
        StrongSwan(net.gw_c) as there,
    ):
        here.configure(client(net, net.gw_a))
        here.bring_up()
        before = outward(net)
        there.configure(other(net))
        with suppress(StrongSwanError):
            there.initiate("lan", "peer", timeout=3)
        eventually(lambda: REFUSED in ikevd.log)
        assert outward(net) == before
        assert net.host_a.ping(net.host_b.address, 3) == 3
        there.reset()
        here.crash()
        there.configure(other(net))
        eventually(lambda: comes(there))  # the former self is asked once in ten seconds
        eventually(lambda: len(outward(net)) == 1 and outward(net).isdisjoint(before))
        there.forget()
