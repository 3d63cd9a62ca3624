"""What of an interface shall stand, by state: tables."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network

import pytest

from ikevd.host.links import LAST_METRIC, METRIC_6, Link, LinkAddress, Route, Thing
from ikevd.peer.child_state import ChildState
from ikevd.peer.links import all_links, desired_links, longest_packet
from ikevd.peer.state import PeerKey, PeerState
from ikevd.policy.child import Child, Start
from ikevd.policy.connection import Connection
from ikevd.policy.interface import Interface, InterfaceKind, bearing
from ikevd.policy.selectors import Network
from tests.builders import ALICE, BOB, child, connection
from tests.peer.records import pair

LAN4, LAN6 = ip_network("10.2.0.0/16"), ip_network("fd00:2::/48")
INTERFACE = Interface("tun0", 42, InterfaceKind.XFRM, (ip_interface("169.254.7.1/30"),), (LAN4, LAN6))
LINK = Link("tun0", InterfaceKind.XFRM, 42, "bob", up=True)
ADDRESS = LinkAddress("tun0", ip_interface("169.254.7.1/30"))
THROUGH = [Route(LAN4, "tun0", 254, 0), Route(LAN6, "tun0", 254, METRIC_6)]
UNREACHABLE = [Route(LAN4, None, 254, LAST_METRIC), Route(LAN6, None, 254, LAST_METRIC)]
ALL_UP: list[Thing] = [*UNREACHABLE, LINK, ADDRESS, *THROUGH]
ALL_DOWN: list[Thing] = [*UNREACHABLE, replace(LINK, up=False)]


def of(*children: Child, interface: Interface = INTERFACE) -> Connection:
    if_id, mark = bearing(interface)
    return connection(
        children=tuple(replace(c, routed=True, if_id=if_id, mark_in=mark, mark_out=mark) for c in children),
        interface=interface,
    )


def desired(view: Connection, **children: ChildState) -> list[Thing]:
    return list(desired_links(view, PeerState(PeerKey("bob", None), children=children)))


STANDS = ChildState(pairs=(pair(),))
LAN, DMZ = child(), child(name="dmz")


@pytest.mark.parametrize(
    ("view", "states", "wanted"),
    [
        pytest.param(of(LAN), {}, ALL_DOWN, id="nothing known"),
        pytest.param(of(LAN), {"lan": STANDS}, ALL_UP, id="a pair stands"),
        pytest.param(of(LAN, DMZ), {"lan": ChildState(), "dmz": STANDS}, ALL_UP, id="one of two"),
        pytest.param(of(child(start=Start.ON_DEMAND)), {}, ALL_UP, id="a packet may begin it"),
        pytest.param(
            of(child(start=Start.ON_DEMAND)), {"lan": ChildState(by_command=True)}, ALL_DOWN, id="but not after `down`"
        ),
        pytest.param(of(child(fail_open=True)), {}, [replace(LINK, up=False)], id="fail_open"),
        pytest.param(of(LAN), {"lan": ChildState(open=True)}, [replace(LINK, up=False)], id="down --open"),
        pytest.param(of(child(fail_open=True), DMZ), {}, ALL_DOWN, id="fail_open of one of two"),
    ],
)
def test_what_shall_stand(view: Connection, states: dict[str, ChildState], wanted: list[Thing]) -> None:
    assert desired(view, **states) == wanted


def test_a_child_that_is_policy_based_moves_nothing() -> None:
    view = connection(children=(replace(LAN, routed=True, if_id=42), DMZ), interface=INTERFACE)
    assert desired(view, dmz=STANDS) == ALL_DOWN


def test_a_vti_is_found_by_the_ends_of_the_tunnel() -> None:
    (link,) = (
        thing
        for thing in desired(of(LAN, interface=replace(INTERFACE, kind=InterfaceKind.VTI)))
        if isinstance(thing, Link)
    )
    assert (link.local, link.remote) == (ALICE, BOB)


def test_table_metric_and_mtu_are_as_configured() -> None:
    view = of(LAN, interface=replace(INTERFACE, table=100, metric=7, mtu=1400))
    found = desired(view, lan=STANDS)
    assert {(thing.table, thing.metric) for thing in found if isinstance(thing, Route) and thing.link} == {(100, 7)}
    assert [thing.mtu for thing in found if isinstance(thing, Link)] == [1400]


@pytest.mark.parametrize(
    ("path", "routes", "fits"),
    [(1500, (LAN4,), 1438), (1400, (LAN4,), 1326), (None, (LAN4,), None), (1300, (LAN6,), 1280), (1300, (LAN4,), 1230)],
)
def test_its_mtu_is_what_fits_into_the_tunnel(path: int | None, routes: tuple[Network, ...], fits: int | None) -> None:
    view = of(LAN, interface=replace(INTERFACE, routes=routes))
    state = PeerState(PeerKey("bob", None), children={"lan": STANDS})
    assert longest_packet(view, state, lambda here, there: path) == fits
    assert longest_packet(view, PeerState(PeerKey("bob", None)), lambda here, there: path) is None


def test_all_that_may_ever_stand_holds_what_stands() -> None:
    assert set(all_links(of(LAN))) == {*ALL_UP, *ALL_DOWN} - {LINK}


def test_without_an_interface_nothing_shall() -> None:
    assert desired(connection(), lan=STANDS) == []
    assert all_links(connection(remote=ip_address("203.0.113.9"))) == ()
